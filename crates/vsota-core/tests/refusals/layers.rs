//! The layer report, and what leaves the layer pipeline.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::{Cases, after};

pub(super) fn cases(all: &mut Cases) {
    report(all);
    before_the_report(all);
    leaving(all);
}

fn report(all: &mut Cases) {
    let triaged = Run::triaged();
    all.of(&triaged, FilePipeline, pipeline(&triaged))
        .but("LayersObjection.OtherTrace", Lp2, "vllm trace", |it| it.trace = digest("old trace"))
        .but("LayersObjection.OtherConfig", Lp2, "config", |it| it.config = digest("other.json"))
        .but("LayersObjection.OtherLayers", Lp2, "5 layers; the served model has 4", |it| {
            it.num_layers = 5.try_into().unwrap();
        })
        .but("LayersObjection.NoLayerTypes", Lp2, "timing table", |it| it.layer_types.clear())
        .but("LayersObjection.NoRepresentative", Lp2, "no representative", |it| {
            it.representative.clear();
        })
        .but("LayersObjection.NoHotKernel/none", Lp2, "no hot kernel", |it| it.hot.clear())
        .but("LayersObjection.NoHotKernel/elsewhere", Lp2, "no hot kernel", |it| {
            it.hot[0].layer = 3;
        });
    let earnest = triaged.in_earnest();
    all.of(&earnest, FilePipeline, pipeline(&earnest)).but(
        "LayersObjection.MockResult",
        Fb5,
        "a mock made up the trace",
        |it| it.mock = true,
    );
    let blind = without_config();
    let name = "LayersObjection.NoConfig";
    let found = "not recorded";
    all.moved(name, Lp2, found, &blind, &triaged, FilePipeline(pipeline(&blind)));
}

/// The way to the layer pipeline of a campaign that never recorded the model's config.
fn without_config() -> Run {
    let mut given = inputs();
    given.inputs.retain(|it| !matches!(it.input, Input::ModelConfig(_)));
    let mut run = Run::open();
    run.ask(RecordInputs(given)).ask(CloseInputs(Nothing {}));
    let told = Run::triaged();
    for event in told.events.iter().skip(3) {
        run.ask(event.asked());
    }
    run
}

fn before_the_report(all: &mut Cases) {
    let (triaged, layered) = (Run::triaged(), Run::layered());
    let found = "no layer pipeline";
    let target = OpenKernelAssist(kernel_target(&triaged));
    all.moved("LayersObjection.NoPipeline/kernel assist", Lp1, found, &triaged, &layered, target);
    let it = RecordPatch(patch(&triaged, "patch-1", false));
    all.moved("LayersObjection.NoPipeline/patch", Lp1, found, &triaged, &layered, it);
}

fn leaving(all: &mut Cases) {
    for (phase, run) in [("layers", Run::layered()), ("kernel", Run::assisted())] {
        let judged = after(&run, NoteIdea(idea("norm", 2)));
        let leave = AbandonRound(Abandonment { reason: line("no way"), stand: run.stand() });
        let name = format!("LedgerObjection.NoIdeaVerdict/{phase}");
        all.moved(&name, Le2, "no idea got its verdict", &run, &judged, leave);
    }
    let layered = Run::layered();
    let mut open = idea("norm", 2);
    (open.fate, open.reason) = (IdeaFate::Open, None);
    let still = after(&layered, NoteIdea(open));
    let judged = after(&still, NoteIdea(idea("norm", 2)));
    let leave = AbandonRound(Abandonment { reason: line("no way"), stand: layered.stand() });
    let name = "LedgerObjection.NoIdeaVerdict/only an open one";
    all.moved(name, Le2, "no idea got its verdict", &still, &judged, leave);
}
