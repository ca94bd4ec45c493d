//! `vsota verify`: the proof, from the run directory and, where there is one, the checkout.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use vsota_core::Digest;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Outcome, Style, Text};
use crate::proof::{self, Proof};

/// Prove the campaign from its run directory: chain, fold, heads, artefacts, facts, guards, documents, and
/// the commits of its checkout
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// What cannot be checked is a failure, unless --without names it
    #[arg(long)]
    strict: bool,

    /// The head that the journal must have passed through, as an acknowledgement told it
    #[arg(long, value_name = "HASH")]
    expect_head: Option<Digest>,

    /// What may stay unchecked under --strict
    #[arg(long, value_enum, value_name = "WHAT")]
    without: Vec<Without>,
}

/// What may stay unchecked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Without {
    /// The commits of the vLLM checkout
    Checkout,
    /// The traces behind the filed profiles
    Traces,
}

impl Without {
    fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Traces => "traces",
        }
    }
}

/// Proves the campaign.
///
/// # Errors
///
/// When the run directory cannot be read. What is found wrong is in the answer, with exit 5.
pub fn run(context: &Context, args: VerifyArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let proof = proof::prove(context, &run, args.expect_head)?;
    let excused: BTreeSet<&str> = args.without.iter().map(|it| it.name()).collect();
    let open = proof.not_checked.iter().any(|it| !excused.contains(it.check));
    let ok = proof.ok && !(args.strict && open);
    let proof = Proof { ok, ..proof };
    let outcome = Outcome::new(text(&proof), &proof)?;
    Ok(if ok { outcome } else { outcome.exiting(Exit::Integrity) })
}

fn text(proof: &Proof) -> Text {
    let mut text = Text::new();
    for it in &proof.checks {
        let (style, word) = if it.ok { (Style::Good, "ok    ") } else { (Style::Bad, "wrong ") };
        text.push(style, word).push(Style::Strong, format!("{:<11}", it.check)).plain(&it.found);
        if let Some(file) = &it.file {
            text.plain("  ").push(Style::Dim, file);
        }
        text.end();
    }
    for it in &proof.not_checked {
        text.push(Style::Warn, "not checked  ").plain(it.check).plain("  ").line(&it.why);
    }
    for it in &proof.waivers {
        text.push(Style::Warn, "waived  ").plain(it.clause.id()).plain("  ").line(&it.reason);
    }
    match proof.head {
        Some(head) => text.plain("head  ").push(Style::Dim, head.to_string()).end(),
        None => text.line("no head"),
    };
    let (style, word) = if proof.ok { (Style::Good, "proved") } else { (Style::Bad, "NOT proved") };
    text.push(style, word).end();
    text
}
