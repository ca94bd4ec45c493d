//! `vsota redact`: takes the secrets out of a stream, as everything that is stored is looked through.

use std::io::{self, ErrorKind, Read as _};

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;

/// Copy stdin to stdout without the secrets in it; what was taken out is counted on stderr
#[derive(Args, Clone, Copy, Debug)]
pub struct RedactArgs {}

/// Filters stdin to stdout.
///
/// # Errors
///
/// I/O when stdin cannot be read or nobody reads stdout.
pub fn run(context: &Context, RedactArgs {}: RedactArgs) -> Result<Outcome, Failure> {
    let mut sieve = context.secrets.sieve();
    let mut stdin = io::stdin().lock();
    let mut buffer = vec![0; 64 * 1024];
    let mut cleared = Vec::new();
    let mut hits = Vec::new();
    loop {
        let chunk = match stdin.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::file("read", "-", &error)),
        };
        hits.extend(sieve.feed(chunk, &mut cleared));
        pass(context, &mut cleared)?;
    }
    hits.extend(sieve.finish(&mut cleared));
    pass(context, &mut cleared)?;
    context.secrets.take(hits);
    Ok(Outcome::default())
}

fn pass(context: &Context, cleared: &mut Vec<u8>) -> Result<(), Failure> {
    let passed = context.output.pass(cleared);
    cleared.clear();
    passed.map_err(|error| Failure::io(format_args!("could not write to stdout: {error}")))
}
