//! `vsota kernel open`: KA-1, KA-2, KA-6 … KA-8; enters KernelAssist.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::Digest;
use vsota_core::command::OpenKernelAssist;
use vsota_core::evidence::draft::{self, DraftKind};
use vsota_core::facts::{KernelTarget, Noted};
use vsota_core::text::Line;

use crate::context::Context;
use crate::drafting::{self, DraftArgs, Sheet};
use crate::failure::Failure;
use crate::given::{self, StandArgs};
use crate::loops;
use crate::output::Outcome;
use crate::transition;

/// Open kernel evidence for one concrete kernel or family
#[derive(Args, Debug)]
pub struct OpenArgs {
    #[command(flatten)]
    draft: DraftArgs,

    #[command(flatten)]
    stand: StandArgs,

    #[command(flatten)]
    around: Around,
}

/// What no draft can say of a kernel target.
#[derive(Args, Clone, Debug)]
pub struct Around {
    /// The SKILL.md of ncu-report-skill that was read; without it a blocker must be filed
    #[arg(long, value_name = "PATH")]
    ncu_skill: Option<Utf8PathBuf>,

    /// Another loop that is active in a worktree of the checkout; once for each
    #[arg(long, value_name = "DIR")]
    other_loop: Vec<Line>,
}

/// Opens kernel assist.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when one of KA-2's four conditions does not hold.
pub fn run(context: &Context, args: OpenArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::KernelTarget);
    };
    let target = target(context, &sheet, &args.stand, args.around)?;
    transition::take(context, &context.run_dir()?, OpenKernelAssist(target))?.outcome()
}

/// The target as draft, checkout and machine tell it.
///
/// # Errors
///
/// Bad evidence with file, line and field.
pub fn target(
    context: &Context,
    sheet: &Sheet,
    stand: &StandArgs,
    around: Around,
) -> Result<KernelTarget, Failure> {
    let said = sheet.says(draft::kernel_target)?;
    let mut other_loops = around.other_loop;
    if !stand.is_told() {
        let survey = given::survey(context)?;
        for it in survey.others() {
            other_loops.push(loops::line(it.path.as_str())?);
        }
    }
    let stand = stand.read(context)?;
    let ncu_skill = match &around.ncu_skill {
        Some(path) => {
            let sha256 = Digest::of(&context.evidence(path, 4 << 20)?);
            let path =
                Line::new(path.as_str()).map_err(|it| Failure::bad_evidence(it).in_file(path))?;
            Noted::Read { path, sha256 }
        }
        None => {
            let reason = Line::new("no SKILL.md was named").map_err(Failure::bad_evidence)?;
            Noted::Blocked { reason }
        }
    };
    Ok(said.fact(stand, ncu_skill, other_loops))
}
