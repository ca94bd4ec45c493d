//! A campaign inside another program: kept in a `Vec`, with no command line and no disk.
//!
//! The embedder owns three things: the facts, the time, and the place where entries go. Everything
//! that decides is the core's. Here the facts are made up, the clock counts seconds, and the place
//! is a vector: in a real program they are files of a benchmark, the system's clock and a database.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_core::measure::{Fraction, Measured};
use vsota_core::text::{Argv, Line};
use vsota_core::{Artifact, Campaign, Digest, Entry, Format, GitId, Opening, Phase, Step};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What an embedder keeps: the campaign as it stands, and the journal that led there.
struct Embedder {
    campaign: Campaign,
    journal: Vec<Entry>,
}

impl Embedder {
    /// The one way forward: decide, persist, commit. Memory never runs ahead of the journal.
    fn advance(&mut self, command: impl Into<Command>) -> Result<()> {
        let step = self.campaign.decide(command)?;
        self.journal.push(entry(&step, &self.journal)?);
        self.campaign = step.commit();
        Ok(())
    }
}

/// The entry of a step, chained to the line before it.
fn entry(step: &Step, journal: &[Entry]) -> Result<Entry> {
    let prev = match journal.last() {
        Some(last) => Digest::of(&serde_json::to_vec(last)?),
        None => Digest::from_bytes([0; 32]),
    };
    let at = 1_790_000_000_000 + 1_000 * i64::try_from(journal.len())?;
    Ok(step.entry(at, prev))
}

pub(crate) fn main() -> Result<()> {
    let journal = drive()?;
    println!("{} entries", journal.len());
    for phase in phases(&journal) {
        println!("{phase}");
    }
    Ok(())
}

/// Drives a campaign from its opening to Stopped and returns its journal.
pub(crate) fn drive() -> Result<Vec<Entry>> {
    let version: Line = "embed 1.0".parse()?;
    let step = Campaign::open(Opening { format: Format::CURRENT, version, demo: true });
    let journal = vec![entry(&step, &[])?];
    let mut it = Embedder { campaign: step.commit(), journal };

    it.advance(RecordInputs(inputs()?))?;
    it.advance(CloseInputs(Nothing {}))?;
    learn(&mut it)?;
    measure(&mut it)?;
    it.advance(FilePlan(plan()?))?;
    it.advance(EnterLoop(loop_start()?))?;

    // A command that comes too early changes nothing and says why.
    let early = it.campaign.decide(StopCampaign(StopOrder::Confirm { stand: stand()? }));
    println!("{}", early.err().ok_or("a campaign stopped without a claim")?);

    it.advance(OpenRound(RoundStart { stand: stand()?, review: None }))?;
    for session in 0..2 {
        for n in 0..4 {
            it.advance(FileGapBlock(block(session * 4 + n)?))?;
        }
        it.advance(DecideGap(DecisionAsked { stand: stand()? }))?;
    }
    it.advance(ClaimStop(StopClaim {
        stand: stand()?,
        reason: StopReason::Beats,
        because: None,
        evidence: Vec::new(),
        shown: None,
    }))?;
    let reviewed = Standpoint { loop_state: LoopEnd::Complete, ..stand()? };
    it.advance(StopCampaign(StopOrder::Confirm { stand: reviewed }))?;
    Ok(it.journal)
}

/// The phases that a journal leads through, each once for every stay.
pub(crate) fn phases(journal: &[Entry]) -> Vec<Phase> {
    let mut phases = Vec::new();
    let mut campaign: Option<Campaign> = None;
    for entry in journal {
        campaign = match campaign {
            None => Campaign::begin(entry.seq, &entry.event).ok(),
            Some(it) => it.follow(entry.seq, &entry.event).ok(),
        };
        phases.extend(campaign.as_ref().map(Campaign::phase));
    }
    phases.dedup();
    phases
}

// --- the facts: in a real program they are read, not written down ---

fn lines(texts: &[&str]) -> Result<Vec<Line>> {
    texts.iter().map(|it| Ok(it.parse()?)).collect()
}

fn argv(words: &[&str]) -> Result<Argv> {
    Ok(lines(words)?.into_iter().collect())
}

fn artifact(path: &str) -> Result<Artifact> {
    Ok(Artifact { path: path.parse()?, sha256: Digest::of(path.as_bytes()), bytes: 1 })
}

fn git(digit: &str) -> Result<GitId> {
    Ok(GitId::new(digit.repeat(40))?)
}

fn head() -> Result<Head> {
    Ok(Head { commit: git("c")?, tree: git("a")?, clean: true })
}

fn stand() -> Result<Standpoint> {
    let loop_dir = "2026-01-01_00-00-00".parse()?;
    Ok(Standpoint {
        head: head()?,
        loop_dir,
        loop_state: LoopEnd::Active,
        loop_round: 0,
        loop_phase: None,
        seen_at: None,
    })
}

fn inputs() -> Result<InputsGiven> {
    let mut workload = Workload::standard().ok_or("no default workload")?;
    workload.scenarios.truncate(1);
    let inputs = [
        Input::Model("example/model".parse()?),
        Input::Precision("bfloat16".parse()?),
        Input::Quantization("none".parse()?),
        Input::GpuModel("Example GPU".parse()?),
        Input::GpuCount(1.try_into()?),
        Input::Frameworks([Framework::Vllm, Framework::Sglang].into()),
        Input::Endpoint("/v1/completions".parse()?),
        Input::Workload(workload),
        Input::SlaSuccessRate(Fraction::ONE),
    ];
    let source: Line = "the embedding program".parse()?;
    let sourced = |input| Sourced { input, source: source.clone() };
    Ok(InputsGiven { inputs: inputs.into_iter().map(sourced).collect() })
}

fn learn(it: &mut Embedder) -> Result<()> {
    for framework in [Framework::Vllm, Framework::Sglang] {
        let (tried, reason) = (lines(&["/knowledge"])?, "not installed".parse()?);
        it.advance(BlockHistory(HistoryBlock { framework, tried, reason }))?;
    }
    it.advance(CloseHistory(Nothing {}))?;
    for name in CompanionName::ALL.iter().copied() {
        let reason = "this program reads no companion".parse()?;
        it.advance(NoteCompanion(Companion { name, noted: Noted::Blocked { reason } }))?;
    }
    Ok(())
}

/// Each framework's whole search is one candidate; then the benchmark is frozen.
fn measure(it: &mut Embedder) -> Result<()> {
    let frameworks = [Framework::Vllm, Framework::Sglang];
    let space = |framework: &Framework| -> Result<SearchSpace> {
        let id = framework.as_str().parse()?;
        let candidates = vec![PlannedLaunch::new(id, &server_command(*framework)?)];
        Ok(SearchSpace { framework: *framework, candidates, whole: true, skipped: Vec::new() })
    };
    it.advance(DeclareSearch(SearchPlan {
        plan: artifact("benchmark/search.json")?,
        spaces: frameworks.iter().map(space).collect::<Result<_>>()?,
        unsupported: Vec::new(),
    }))?;
    for (n, framework) in (0..).zip(frameworks) {
        let output = artifact(&format!("help/{framework}.txt"))?;
        it.advance(FileHelp(HelpOutput { framework, output }))?;
        it.advance(FileCandidate(candidate(framework, n)?))?;
    }
    let head = head()?;
    it.advance(FreezeBenchmark(FreezeAsked { tree: head.tree, commit: head.commit }))
}

fn server_command(framework: Framework) -> Result<Argv> {
    argv(match framework {
        Framework::Vllm => &["vllm", "serve", "example/model"],
        _ => &["python", "-m", "sglang.launch_server", "--model-path", "example/model"],
    })
}

/// The `n`th run of the day: ten minutes each; vLLM serves 12 requests a second, SGLang 10.
fn measurement(framework: Framework, n: i64) -> Result<Measurement> {
    let req_s = if framework == Framework::Vllm { 12.0 } else { 10.0 };
    let wobble = if n % 3 == 0 { 1.001 } else { 1.0 };
    let metrics = BTreeMap::from([(Metric::RequestThroughput, Measured::new(req_s * wobble)?)]);
    let started_at = 1_790_000_000_000 + n * 600_000;
    Ok(Measurement {
        started_at,
        ended_at: started_at + 300_000,
        completed: 80,
        requested: 80,
        input_tokens: Some(80_000),
        output_tokens: Some(80_000),
        metrics,
        disturbed: None,
    })
}

fn log(n: i64) -> Result<Artifact> {
    artifact(&format!("benchmark/logs/{n}.log"))
}

/// What every comparable run says of itself (FB-3).
fn identity() -> Result<BTreeMap<Dimension, Line>> {
    let known = [
        (Dimension::Model, "example/model"),
        (Dimension::Tokenizer, "example/model"),
        (Dimension::Precision, "bfloat16"),
        (Dimension::Quantization, "none"),
        (Dimension::GpuModel, "Example GPU"),
        (Dimension::GpuCount, "1"),
        (Dimension::GpuIds, "0"),
        (Dimension::Endpoint, "/v1/completions"),
        (Dimension::Sampling, "default"),
        (Dimension::RequestRate, "inf"),
        (Dimension::MaxConcurrency, "none"),
        (Dimension::Burstiness, "1"),
    ];
    known.into_iter().map(|(dimension, value)| Ok((dimension, value.parse()?))).collect()
}

fn candidate(framework: Framework, n: i64) -> Result<Candidate> {
    Ok(Candidate {
        id: framework.as_str().parse()?,
        framework,
        framework_version: Some("1.0.0".parse()?),
        framework_commit: None,
        scenario: "chat".parse()?,
        status: Status::Ok,
        smoke: false,
        mock: false,
        served: true,
        failure_reason: None,
        server_command: server_command(framework)?,
        benchmark_command: argv(&["bench", "--scenario", "chat"])?,
        backend: None,
        context_len: Some(16_384),
        identity: identity()?,
        tree: if framework == Framework::Vllm { Some(git("a")?) } else { None },
        measured: Some(measurement(framework, n)?),
        buckets: None,
        record: None,
        result: None,
        log: Some(log(n)?),
        settings: None,
    })
}

/// One run of each, back to back; every other block begins with the competitor.
fn block(index: i64) -> Result<Block> {
    let mut order = [Framework::Vllm, Framework::Sglang];
    if index % 2 == 1 {
        order.reverse();
    }
    let run = |(place, framework): (i64, Framework)| -> Result<BlockRun> {
        let n = 10 + index * 2 + place;
        Ok(BlockRun {
            framework,
            build: None,
            tree: if framework == Framework::Vllm { Some(git("a")?) } else { None },
            framework_version: Some("1.0.0".parse()?),
            framework_commit: None,
            server_command: server_command(framework)?,
            status: Status::Ok,
            smoke: false,
            mock: false,
            launched_at: None,
            closed_at: None,
            measured: Some(measurement(framework, n)?),
            identity: identity()?,
            results: Vec::new(),
            log: Some(log(n)?),
            settings: None,
        })
    };
    let runs = (0..).zip(order).map(run).collect::<Result<_>>()?;
    Ok(Block::new("chat".parse()?, runs, artifact(&format!("benchmark/blocks/{index}.json"))?))
}

fn plan() -> Result<Plan> {
    Ok(Plan {
        path: ".humanize/vllm-sota-agent/refined-plan.md".parse()?,
        copy: artifact("humanize/refined-plan.md")?,
        placeholders: 0,
        duties: Duty::ALL.iter().copied().collect::<BTreeSet<_>>(),
        sections: Section::ALL.iter().copied().collect::<BTreeSet<_>>(),
    })
}

fn loop_start() -> Result<LoopStart> {
    let script = "scripts/setup-rlcr-loop.sh";
    let plan = plan()?;
    Ok(LoopStart {
        checkout: Checkout {
            is_git: true,
            head: Some(head()?),
            humanize_ignored: true,
            humanize_tracked: false,
            base_exists: true,
            base_ambiguous: false,
        },
        other_loops: Vec::new(),
        setup: Setup {
            argv: lines(&[script, plan.path.as_str(), "--yolo", "--strict-success"])?,
            exit: 0,
            message: None,
        },
        active: Some(ActiveLoop {
            dir: stand()?.loop_dir,
            started_at: "2026-01-01T00:00:00Z".parse()?,
            base_commit: head()?.commit,
            plan_sha256: plan.copy.sha256,
            current_round: 0,
            strict_success: Some(true),
            ask_codex_question: Some(false),
            round_prompt: true,
            round_contract: true,
        }),
        handshake: Handshake::Strict,
    })
}
