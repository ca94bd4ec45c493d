//! The refined plan: written from what the campaign knows, and read back as a fact (PL-1 … PL-3).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::brief::Base;
use crate::facts::{Duty, Framework, Section};
use crate::phase::Charter;

/// Where the plan lies in the vLLM checkout.
pub const PATH: &str = ".humanize/vllm-sota-agent/refined-plan.md";

/// What a plan holds, as far as PL-1 … PL-3 ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlanFacts {
    /// Placeholders that are left: `<…>`, `TODO`, `TBD`, `[…]` to fill in.
    pub placeholders: u32,
    /// The duties that it names.
    pub duties: BTreeSet<Duty>,
    /// The sections that it has.
    pub sections: BTreeSet<Section>,
}

/// Reads a plan: its sections by heading, its duties by the id that stands before each.
pub fn read(text: &str) -> PlanFacts {
    let headings = || text.lines().filter_map(|it| it.strip_prefix("## ")).map(str::trim);
    let has = |section: &&Section| headings().any(|it| it == title(**section));
    let duty = |it: &&Duty| text.lines().any(|line| line.starts_with(&format!("- **{it}**: ")));
    let words = ["TODO", "TBD", "FIXME", "<fill", "[fill"];
    let placeholders: usize = words.iter().map(|word| text.matches(word).count()).sum();
    PlanFacts {
        placeholders: u32::try_from(placeholders).unwrap_or(u32::MAX),
        duties: Duty::ALL.iter().filter(duty).copied().collect(),
        sections: Section::ALL.iter().filter(has).copied().collect(),
    }
}

/// A rule of Humanize's set-up that a plan breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broken {
    /// Fewer than five lines.
    Short(usize),
    /// Fewer than three lines that are no comment, heading or blank.
    Empty(usize),
    /// A part that its own words ask for is missing.
    Part(&'static str),
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short(lines) => write!(
                f,
                "the plan is too short (Humanize: \"Error: Plan is too simple (only {lines} lines, need at least 5)\")"
            ),
            Self::Empty(lines) => write!(
                f,
                "the plan says too little (Humanize: \"Error: Plan file has insufficient content (only {lines} content lines)\")"
            ),
            Self::Part(part) => write!(f, "the plan has no {part}"),
        }
    }
}

/// The rules of Humanize's set-up and plans that a text breaks (PL-3).
pub fn broken(text: &str) -> Vec<Broken> {
    let mut all = Vec::new();
    // It counts line ends, so that a last line without one does not count.
    let lines = text.matches('\n').count();
    if lines < 5 {
        all.push(Broken::Short(lines));
    }
    let content = content_lines(text);
    if content < 3 {
        all.push(Broken::Empty(content));
    }
    for section in Section::ALL.iter().copied() {
        if !read(text).sections.contains(&section) {
            all.push(Broken::Part(title(section)));
        }
    }
    for test in ["positive test", "negative test"] {
        if !text.contains(test) {
            all.push(Broken::Part(test));
        }
    }
    all
}

/// Lines that are neither blank nor, in Humanize's eyes, a comment: headings are comments to it.
fn content_lines(text: &str) -> usize {
    let mut inside = false;
    let mut count = 0_usize;
    for line in text.lines().map(str::trim) {
        if inside {
            inside = !line.ends_with("-->");
        } else if line.starts_with("<!--") {
            inside = !line.contains("-->");
        } else if !line.is_empty() && !line.starts_with('#') {
            count = count.saturating_add(1);
        }
    }
    count
}

fn title(section: Section) -> &'static str {
    match section {
        Section::Goal => "Goal",
        Section::AcceptanceCriteria => "Acceptance Criteria",
        Section::PathBoundaries => "Path Boundaries",
        Section::Dependencies => "Dependencies and Sequence",
        Section::ImplementationNotes => "Implementation Notes",
    }
}

/// What each duty asks, how it shows when it is kept, and how when it is not.
fn criterion(duty: Duty) -> (&'static str, &'static str, &'static str) {
    match duty {
        Duty::KeepWorkload => (
            "every measured run uses the frozen workload and SLA",
            "a block with the frozen scenario counts",
            "a block with other lengths or counts decides nothing",
        ),
        Duty::ConsultHistory => (
            "the history notes are consulted before a model-specific source path is chosen",
            "a patch names the history items that influenced it",
            "a patch that names no item and no reason is refused",
        ),
        Duty::GapDecision => (
            "the gap is decided inside the loop before any patch",
            "`vsota gap decide` records the verdict of this round",
            "a patch without this round's verdict is refused",
        ),
        Duty::Profile => (
            "when vLLM is behind, or the last patch changed the profiled path, it is profiled",
            "prefill and decode profiles of this round are filed",
            "a profile of an earlier round or build is refused",
        ),
        Duty::LayerPipeline => (
            "the layer pipeline runs after triage and before a layer or kernel is chosen",
            "this round's layer report is filed from the profiled trace",
            "a patch without it is refused",
        ),
        Duty::PatchCode => (
            "a patch changes vLLM code, not only launch or benchmark parameters",
            "the range holds a code file and cites it",
            "a range of launch files, tests or docs alone is refused",
        ),
        Duty::NcuInLoop => (
            "a kernel edit that needs NCU gets it inside this loop",
            "a digest compares baseline with candidate and ends in one next edit",
            "a standalone kernel loop is refused",
        ),
        Duty::Revalidate => (
            "every patch is revalidated by interleaved blocks and a new profile",
            "tests, four blocks a scenario and a profile of the new build are filed",
            "an acceptance without them is refused",
        ),
        Duty::SeveralPatches => (
            "minimal patches follow one another until the gap is closed",
            "a partial gain leads to the next round",
            "a partial gain is not claimed as the end",
        ),
        Duty::RecordAttempts => (
            "every attempt, failed idea, partial win and rejected idea is recorded",
            "the ledgers name each of them",
            "a round that leaves no idea verdict cannot be abandoned after triage",
        ),
    }
}

/// Writes the plan of a campaign whose benchmark is frozen.
///
/// `run_dir` is the artefact root, as the agent finds it.
pub fn write(base: &Base, charter: &Charter, run_dir: &str) -> String {
    let brief = &base.brief;
    let known = |it: Option<&crate::text::Line>| {
        it.map_or_else(|| String::from("unknown"), |it| String::from(it.as_str()))
    };
    let mut plan = String::new();
    let mut say = |line: &str| {
        plan.push_str(line);
        plan.push('\n');
    };
    say(&format!("# vLLM performance campaign for {}\n", known(brief.model())));
    say(&format!("## {}\n", title(Section::Goal)));
    say("Make vLLM match or beat the best reproducible competitor under the frozen workload.\n");
    say(&format!("- model: {}", known(brief.model())));
    say(&format!("- precision: {}", known(brief.precision())));
    say(&format!("- quantization: {}", known(brief.quantization())));
    say(&format!("- GPUs: {}", known(brief.gpu_model())));
    say(&format!("- vLLM checkout: {}", known(brief.vllm_checkout())));
    say(&format!("- artefact root: {run_dir}"));
    say(&format!("- history notes: {run_dir}/history/model-pr-history-notes.md\n"));
    for it in charter.scenarios.values() {
        let scenario = &it.scenario;
        let (name, input, output) = (&scenario.name, scenario.input_len, scenario.output_len);
        say(&format!("- scenario {name}: {input} input, {output} output tokens"));
        for winner in it.winners.values() {
            let (framework, value) = (winner.framework.title(), winner.objective.get());
            say(&format!("  - {framework} {}: {value:.2}", winner.candidate));
            let command: Vec<&str> = winner.server_command.iter().collect();
            say(&format!("    - launched by `{}`", command.join(" ")));
        }
    }
    say(&format!("\n## {}\n", title(Section::AcceptanceCriteria)));
    for duty in Duty::ALL.iter().copied() {
        let (asks, positive, negative) = criterion(duty);
        say(&format!("- **{duty}**: {asks}."));
        say(&format!("  - positive test: {positive}."));
        say(&format!("  - negative test: {negative}."));
    }
    say(&format!("\n## {}\n", title(Section::PathBoundaries)));
    say("- upper bound: vLLM code under `csrc/` and `vllm/`, its tests and docs.");
    say("- lower bound: at least one measured improvement, or a proven reason to stop.");
    say("- out of bounds: workload, SLA, competitors' rows, correctness checks.");
    say(&format!("\n## {}\n", title(Section::Dependencies)));
    let order = "round open, gap, profiles, root cause, layer pipeline, kernel evidence where \
                 needed, patch, revalidation";
    say(&format!("- order of a round: {order}."));
    let rivals = Framework::COMPETITORS.iter().map(|it| it.title());
    let names: alloc::vec::Vec<_> = rivals.collect();
    say(&format!("- compared with: {}.", names.join(", ")));
    say(&format!("\n## {}\n", title(Section::ImplementationNotes)));
    say("- `vsota next` says what is due; `vsota why COMMAND` says what stands in its way.");
    say("- commit vLLM changes, write the round summary, then stop so that the review can run.");
    let _ = writeln!(plan);
    plan
}
