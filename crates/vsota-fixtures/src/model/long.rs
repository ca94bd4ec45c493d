//! A long campaign in a realistic mix of events, for measurements of speed and size.

use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_core::{Campaign, Seq};

use super::*;

/// How a round of the long campaign comes out.
#[derive(Clone, Copy)]
enum Plot {
    Accepted,
    Rejected,
    RetriedThenAccepted,
    Abandoned,
}

/// The order in which rounds come out, over and over.
const PLOT: [Plot; 6] = [
    Plot::Accepted,
    Plot::Rejected,
    Plot::RetriedThenAccepted,
    Plot::Abandoned,
    Plot::Accepted,
    Plot::Rejected,
];

/// A campaign of exactly `n` events, at least the 60 that lead into the loop: round after round of
/// blocks, profiles, ideas, research, tries, and patches that are accepted, retried and rejected.
///
/// Deterministic: the same `n` gives the same journal.
pub fn long_campaign(n: usize) -> Run {
    let mut run = Run::in_loop();
    for plot in PLOT.into_iter().cycle() {
        if run.events.len() >= n {
            break;
        }
        round(&mut run, plot);
    }
    run.events.truncate(n);
    run.campaign = Campaign::replay((1..).map(Seq).zip(&run.events)).unwrap();
    run
}

fn round(run: &mut Run, plot: Plot) {
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked)).profiles();
    let cause = root_cause(run);
    run.ask(NameRootCause(cause));
    let report = pipeline(run);
    run.ask(FilePipeline(report));
    study(run);
    match plot {
        Plot::Accepted => {
            record(run, true);
            measure(run);
        }
        Plot::Rejected => {
            record(run, false);
            let it = rejection(run, "slower in a first test");
            run.ask(RejectPatch(it));
        }
        Plot::RetriedThenAccepted => {
            record(run, false);
            let it = rejection(run, "a race in the epilogue");
            run.ask(RetryPatch(it));
            study(run);
            record(run, false);
            measure(run);
        }
        Plot::Abandoned => {
            let it = abandonment(run, LoopEnd::Active);
            run.ask(AbandonRound(it));
        }
    }
}

/// What is read and tried before an edit: research, a history item, ideas, tries.
fn study(run: &mut Run) {
    let serial = run.events.len();
    run.ask(NoteResearch(research(&format!("sglang/srt/layers/moe/topk.py:{serial}"))));
    for n in 0..6 {
        run.ask(NoteIdea(idea(&format!("idea-{serial}-{n}"), 1 + n % 3)));
    }
    for n in 0..3 {
        run.ask(NoteAttempt(super::attempt(&format!("attempt-{serial}-{n}"))));
    }
}

/// A patch, out of kernel assist or straight from the layer report.
fn record(run: &mut Run, kernel: bool) {
    let serial = run.events.len();
    if kernel {
        let target = kernel_target(run);
        run.ask(OpenKernelAssist(target));
        for n in 0..2 {
            run.ask(FileDigest(ncu_digest(&format!("v{serial}-{n}"))));
        }
    }
    let it = patch(run, &format!("patch-{serial}"), kernel);
    run.ask(RecordPatch(it));
}

fn measure(run: &mut Run) {
    run.trial(1.05);
    let told = run.acceptance();
    run.ask(AcceptPatch(told));
}
