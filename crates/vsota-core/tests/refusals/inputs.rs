//! What the campaign is told before it measures, and the PR history.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::{Cases, after};

pub(super) fn cases(all: &mut Cases) {
    recording(all);
    closing(all);
    history_notes(all);
    closing_history(all);
}

fn workload(given: &mut InputsGiven) -> &mut Workload {
    let found = given.inputs.iter_mut().find_map(|it| match &mut it.input {
        Input::Workload(workload) => Some(workload),
        _ => None,
    });
    found.unwrap()
}

fn recording(all: &mut Cases) {
    all.of(&Run::open(), RecordInputs, inputs())
        .but("InputsObjection.NoScenario", Fb4, "no scenario", |it| workload(it).scenarios.clear())
        .but("InputsObjection.EmptyScenario/no input", Fb4, "chat", |it| {
            workload(it).scenarios[0].input_len = 0;
        })
        .but("InputsObjection.EmptyScenario/no output", Fb4, "chat", |it| {
            workload(it).scenarios[0].output_len = 0;
        })
        .but("InputsObjection.EmptyScenario/no prompts", Fb4, "chat", |it| {
            workload(it).scenarios[0].num_prompts = 0;
        })
        .but("InputsObjection.DoubledScenario", Fb14, "chat", |it| {
            workload(it).scenarios[1].name = name("chat");
        });
}

/// A campaign that was told everything but one key.
fn without(key: &str) -> Run {
    let mut given = inputs();
    given.inputs.retain(|it| it.input.key() != key);
    after(&Run::open(), RecordInputs(given))
}

/// A campaign that was told everything and one thing more.
fn with(input: Input) -> Run {
    after(&without("nothing"), RecordInputs(InputsGiven { inputs: vec![sourced(input)] }))
}

fn closing(all: &mut Cases) {
    let close = || CloseInputs(Nothing {});
    let whole = without("nothing");
    for key in ["model", "gpu_model", "gpu_count", "precision", "quantization"] {
        let name = format!("InputsObjection.Missing/{key}");
        all.moved(&name, In2, key, &without(key), &whole, close());
    }
    for key in ["workload", "endpoint", "sla.min_success_rate"] {
        let name = format!("InputsObjection.Unrecorded/{key}");
        all.moved(&name, Fb14, key, &without(key), &whole, close());
    }
    let earnest = without("nothing").in_earnest();
    let checkout = InputsGiven { inputs: vec![sourced(Input::VllmCheckout(line("/src/vllm")))] };
    let known = after(&earnest, RecordInputs(checkout));
    all.moved("InputsObjection.NoCheckout", In5, "checkout", &earnest, &known, close());
    let only = |framework| with(Input::Frameworks([framework].into()));
    all.moved("InputsObjection.NoVllm", In4, "vllm", &only(Framework::Sglang), &whole, close());
    all.moved(
        "InputsObjection.NoCompetitor",
        In4,
        "no competitor",
        &only(Framework::Vllm),
        &whole,
        close(),
    );
    let served = |tokens: u32| with(Input::MaxModelLen(tokens.try_into().unwrap()));
    let (short, enough) = (served(8_999), served(9_000));
    all.moved("InputsObjection.ShortContext", Fb10, "8999", &short, &enough, close());
}

fn items(note: &mut HistoryNote) -> &mut Vec<HistoryItem> {
    match &mut note.outcome {
        HistoryOutcome::Found { items, .. } => items,
        HistoryOutcome::NoneForFamily { .. } => panic!("nothing was found"),
    }
}

fn history_notes(all: &mut Cases) {
    let gate = Run::with_inputs();
    let read = after(&gate, NoteHistory(history(Framework::Vllm)));
    let part = |part: &str| format!("HistoryObjection.EmptyPart/{part}");
    all.of(&read, NoteHistory, history(Framework::Sglang))
        .but("HistoryObjection.NoItems", Hi3, "sglang", |it| items(it).clear())
        .but(&part("path"), Hi3, "no path", |it| items(it)[0].paths.clear())
        .but(&part("pull request"), Hi3, "no pull request", |it| items(it)[0].prs.clear())
        .but(&part("source file"), Hi3, "no source file", |it| items(it)[0].files.clear())
        .but(&part("symbol"), Hi3, "no symbol", |it| items(it)[0].symbols.clear())
        .but(&part("validation risk"), Hi3, "no validation risk", |it| items(it)[0].risks.clear())
        .but("HistoryObjection.DoubledItem/in one note", Hi3, "sglang-pr-4242", |it| {
            let again = items(it)[0].clone();
            items(it).push(again);
        })
        .but("HistoryObjection.DoubledItem/noted before", Hi3, "vllm-pr-4242", |it| {
            items(it)[0].id = name("vllm-pr-4242");
        });
    let mut none = history(Framework::Sglang);
    none.outcome = HistoryOutcome::NoneForFamily {
        slugs_tried: vec![name("demo-moe")],
        nearest_rejected: None,
    };
    all.of(&gate, NoteHistory, none).but("HistoryObjection.NoSlugTried", Hi2, "sglang", |it| {
        it.outcome =
            HistoryOutcome::NoneForFamily { slugs_tried: Vec::new(), nearest_rejected: None };
    });
    let block = HistoryBlock {
        framework: Framework::Vllm,
        tried: lines(&["/knowledge"]),
        reason: line("not installed"),
    };
    all.of(&gate, BlockHistory, block)
        .but("HistoryObjection.NothingTried", Hi5, "vllm", |it| it.tried.clear());
}

fn closing_history(all: &mut Cases) {
    let gate = Run::with_inputs();
    let read = |framework| after(&gate, NoteHistory(history(framework)));
    let (vllm, sglang) = (read(Framework::Vllm), read(Framework::Sglang));
    let both = after(&vllm, NoteHistory(history(Framework::Sglang)));
    let close = || CloseHistory(Nothing {});
    all.moved("HistoryObjection.VllmUnread", Hi1, "vLLM", &sglang, &both, close());
    all.moved("HistoryObjection.SglangUnread", Hi2, "SGLang", &vllm, &both, close());
}
