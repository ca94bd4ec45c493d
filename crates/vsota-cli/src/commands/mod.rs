//! What can be asked? One file a command: its arguments, and what is done with them.

/// Declares a set of commands: the variant, its module and its arguments.
macro_rules! commands {
    ($(#[$doc:meta])* $Set:ident { $( $Name:ident => $module:ident::$Args:ident, )+ }) => {
        $( pub mod $module; )+

        $(#[$doc])*
        #[derive(Debug, clap::Subcommand)]
        #[allow(missing_docs, reason = "the arguments are documented, and clap shows that")]
        pub enum $Set { $( $Name($module::$Args), )+ }

        impl $Set {
            /// Does what was asked.
            ///
            /// # Errors
            ///
            /// When it is refused or fails.
            pub fn run(
                self,
                context: &$crate::context::Context,
            ) -> Result<$crate::output::Outcome, $crate::failure::Failure> {
                match self { $( Self::$Name(args) => $module::run(context, args), )+ }
            }
        }
    };
}

/// Declares a group of commands behind one word: its arguments and its set.
macro_rules! group {
    ($(#[$doc:meta])* $Args:ident / $Set:ident { $($rest:tt)+ }) => {
        $(#[$doc])*
        // `bench help` is a command of its own; `--help` helps everywhere.
        #[derive(clap::Args, Debug)]
        #[command(disable_help_subcommand = true)]
        pub struct $Args {
            /// What to do.
            #[command(subcommand)]
            command: $Set,
        }

        /// Does what was asked.
        ///
        /// # Errors
        ///
        /// When it is refused or fails.
        pub fn run(
            context: &$crate::context::Context,
            args: $Args,
        ) -> Result<$crate::output::Outcome, $crate::failure::Failure> {
            args.command.run(context)
        }

        commands! {
            /// What the group can do.
            $Set { $($rest)+ }
        }
    };
}

commands! {
    /// Everything that can be asked.
    Command {
        Attempt => attempt::AttemptArgs,
        Bench => bench::BenchArgs,
        Companion => companion::CompanionArgs,
        Demo => demo::DemoArgs,
        Doctor => doctor::DoctorArgs,
        Gap => gap::GapArgs,
        History => history::HistoryArgs,
        Hook => hook::HookArgs,
        Idea => idea::IdeaArgs,
        Init => init::InitArgs,
        Inputs => inputs::InputsArgs,
        Kernel => kernel::KernelArgs,
        Layers => layers::LayersArgs,
        Log => log::LogArgs,
        Loop => looping::LoopArgs,
        Machine => machine::MachineArgs,
        MockServer => mock_server::MockServerArgs,
        Next => next::NextArgs,
        Patch => patch::PatchArgs,
        Profile => profile::ProfileArgs,
        Redact => redact::RedactArgs,
        Report => report::ReportArgs,
        Research => research::ResearchArgs,
        Revalidate => revalidate::RevalidateArgs,
        Round => round::RoundArgs,
        Status => status::StatusArgs,
        Skill => skill::SkillArgs,
        Stop => stop::StopArgs,
        Verify => verify::VerifyArgs,
        Why => why::WhyArgs,
    }
}
