//! `vsota patch fixup`: RL-9; enters Revalidate.

use clap::Args;
use vsota_core::command::{CommandKind, RecordFixup};
use vsota_core::evidence::draft::Range;
use vsota_core::facts::{Copied, Fixup};
use vsota_core::text::{Line, Name};

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::given::{self, StandArgs};
use crate::journal::Reading;
use crate::output::Outcome;
use crate::range::{RangeArgs, Ranged};
use crate::transition;

/// Record a commit that Humanize's review demands
#[derive(Args, Debug)]
pub struct FixupArgs {
    /// The finding or the phase that demands it
    #[arg(long, value_name = "TEXT")]
    finding: Line,

    /// A short name [default: fixup-COMMIT]
    #[arg(long)]
    name: Option<Name>,

    /// Where code was taken from, under which licence, and what was changed in it; once for each
    #[arg(long, num_args = 3, value_names = ["PROVENANCE", "LICENCE", "DELTA"])]
    copied: Vec<Line>,

    /// Where the commit takes tests, checks or tolerances away: why what is left is as strong
    #[arg(long, value_name = "TEXT")]
    checks_gone_because: Option<Line>,

    #[command(flatten)]
    stand: StandArgs,

    #[command(flatten)]
    range: RangeArgs,
}

/// What would name the code that a fixup takes from elsewhere.
const NAMES: &str = "vsota patch fixup --finding TEXT --copied PROVENANCE LICENCE DELTA";

/// Records the fixup.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when it touches other files than RL-9 allows, takes checks
/// away without a reason (PA-2), or tells of code from elsewhere that is not named (PA-3).
pub fn run(context: &Context, args: FixupArgs) -> Result<Outcome, Failure> {
    let stand = args.stand.read(context)?;
    let run = context.run_dir()?;
    if !args.stand.is_told()
        && let Err(reason) = given::survey(context)?.demands(args.finding.as_str())
    {
        let chronicle = Chronicle::of(&Reading::of(&run)?)?;
        let kind = CommandKind::RecordFixup;
        return Err(transition::object(context, &run, &chronicle, kind, vec![reason]));
    }
    let kind = CommandKind::RecordFixup;
    let ranged = args.range.read(context, &run, &stand, kind)?;
    let copied = copied(&args.copied);
    ranged.told_whole(context, &run, &copied, (kind, NAMES))?;
    let Ranged { range, staged, .. } = ranged;
    let name = match args.name {
        Some(name) => name,
        None => {
            let name = format!("fixup-{}", stand.head.commit.short());
            Name::new(name).map_err(Failure::bad_evidence)?
        }
    };
    let checks_gone = range.checks_gone(args.checks_gone_because);
    let Range { base_tree, descends, files, .. } = range;
    let diff = staged.artifact().clone();
    let finding = args.finding;
    let fixup =
        Fixup { stand, name, finding, base_tree, descends, files, diff, copied, checks_gone };
    transition::take_with(context, &run, vec![staged], |_| Ok(RecordFixup(fixup).into()))?.outcome()
}

fn copied(told: &[Line]) -> Vec<Copied> {
    let one = |told: &[Line]| match told {
        [provenance, licence, delta] => Some(Copied {
            provenance: Some(provenance.clone()),
            licence: Some(licence.clone()),
            local_delta: Some(delta.clone()),
        }),
        _ => None,
    };
    told.chunks(3).filter_map(one).collect()
}
