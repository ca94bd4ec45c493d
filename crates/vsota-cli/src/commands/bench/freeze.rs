//! `vsota bench freeze`: FB-1, FB-13.

use camino::Utf8Path;
use clap::Args;
use vsota_core::command::{CommandKind, FreezeBenchmark};
use vsota_core::facts::FreezeAsked;
use vsota_core::{Clause, GitId};

use crate::checkout::Checkout;
use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason};
use crate::help;
use crate::journal::Reading;
use crate::output::Outcome;
use crate::transition;

/// Freeze the benchmark, once and for ever
///
/// Commit and tree are those of the checkout's HEAD. They may be named, so that another HEAD than the
/// one that is meant is refused; a demonstration has no checkout and names both.
#[derive(Args, Debug)]
pub struct FreezeArgs {
    /// The tree of the checkout's HEAD (git rev-parse HEAD^{tree})
    #[arg(long, value_name = "ID")]
    tree: Option<GitId>,

    /// The commit of the checkout's HEAD (git rev-parse HEAD)
    #[arg(long, value_name = "ID")]
    commit: Option<GitId>,
}

/// Freezes the benchmark.
///
/// # Errors
///
/// Refused while a search is too small, a row is missing or unknown, the benchmark is frozen, or HEAD is
/// another one than was named; usage when a demonstration names none.
pub fn run(context: &Context, args: FreezeArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let chronicle = Chronicle::of(&Reading::of(&run)?)?;
    let campaign = &chronicle.campaign;
    let kind = CommandKind::FreezeBenchmark;
    let early = help::unready(campaign, kind);
    if !early.is_empty() {
        return Err(transition::object(context, &run, &chronicle, kind, early));
    }
    let known = campaign.state().brief().vllm_checkout();
    let asked = match known.filter(|_| !campaign.opening().demo) {
        Some(checkout) => {
            let (asked, reasons) = of_head(Utf8Path::new(checkout.as_str()), &args)?;
            if !reasons.is_empty() {
                return Err(transition::object(context, &run, &chronicle, kind, reasons));
            }
            asked
        }
        None => told(args)?,
    };
    transition::take(context, &run, FreezeBenchmark(asked))?.outcome()
}

/// FB-13: what the checkout itself says, and what stands in the way; what was typed is only held to it.
fn of_head(checkout: &Utf8Path, args: &FreezeArgs) -> Result<(FreezeAsked, Vec<Reason>), Failure> {
    let none = || Failure::bad_evidence("no git checkout with a commit").in_file(checkout);
    let git = Checkout::at(checkout)?;
    let head = git.head()?.ok_or_else(none)?;
    let named = [("tree", &args.tree, &head.tree), ("commit", &args.commit, &head.commit)];
    let other = |(what, said, found): (&str, &Option<GitId>, &GitId)| {
        let said = said.as_ref().filter(|it| *it != found)?;
        Some(Reason {
            clause: Clause::Fb13,
            found: format!("HEAD of {checkout} has the {what} {found}; {said} was named"),
            help: String::from("vsota bench freeze"),
        })
    };
    let mut reasons: Vec<Reason> = named.into_iter().filter_map(other).collect();
    if !head.clean
        && let Some(change) = git.changes()?.first()
    {
        reasons.push(Reason {
            clause: Clause::Fb13,
            found: format!("the work tree of {checkout} is not what its HEAD says: {change}"),
            help: git.asks(change),
        });
    }
    Ok((FreezeAsked { tree: head.tree, commit: head.commit }, reasons))
}

/// What a demonstration says.
fn told(args: FreezeArgs) -> Result<FreezeAsked, Failure> {
    let missing =
        |flag: &str| Failure::usage("a demonstration has no checkout to ask").at_field(flag);
    let tree = args.tree.ok_or_else(|| missing("--tree"))?;
    let commit = args.commit.ok_or_else(|| missing("--commit"))?;
    Ok(FreezeAsked { tree, commit })
}
