//! What can be asked? One file a command: its arguments, and what is done with them.

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;

pub mod log;
pub mod machine;

/// Declares the commands: the variant, its module and its arguments.
macro_rules! commands {
    ($( $Name:ident => $module:ident::$Args:ident, )+) => {
        /// Everything that can be asked.
        #[derive(Debug, Subcommand)]
        #[allow(missing_docs, reason = "the arguments are documented, and clap shows that")]
        pub enum Command { $( $Name($module::$Args), )+ }

        impl Command {
            /// Does what was asked.
            ///
            /// # Errors
            ///
            /// When it is refused or fails.
            pub fn run(self, context: &Context) -> Result<Outcome, Failure> {
                match self { $( Self::$Name(args) => $module::run(context, args), )+ }
            }
        }
    };
}

commands! {
    Log => log::LogArgs,
    Machine => machine::MachineArgs,
}
