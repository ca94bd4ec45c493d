//! A campaign that is being driven, with the journal it writes.

use vsota_core::command::Command;
use vsota_core::event::Event;
use vsota_core::facts::*;
use vsota_core::{Artifact, Campaign, Digest, Entry, Format, Objection, Opening, Refusal, Seq};

use super::facts::*;

/// A campaign in memory: the value, its journal, and a counter for fresh launches.
#[derive(Clone, Debug)]
pub struct Run {
    /// The campaign as it stands.
    pub campaign: Campaign,
    /// Its journal.
    pub events: Vec<Event>,
    /// The next launch, and the next minute of the clock.
    pub tick: i64,
}

impl Run {
    /// A freshly opened campaign.
    pub fn open() -> Self {
        let step = Campaign::open(Opening {
            format: Format::CURRENT,
            version: line("vsota fixtures"),
            demo: true,
        });
        let events = vec![step.event().clone()];
        Self { campaign: step.commit(), events, tick: 0 }
    }

    /// The same campaign, had it not been opened as a demonstration.
    #[must_use]
    pub fn in_earnest(&self) -> Self {
        let opening = Opening { demo: false, ..self.campaign.opening().clone() };
        let step = Campaign::open(opening);
        let mut events = self.events.clone();
        events.splice(..1, [step.event().clone()]);
        let numbered = (1..).map(Seq).zip(events.iter());
        match Campaign::replay(numbered) {
            Ok(campaign) => Self { campaign, events, tick: self.tick },
            Err(error) => panic!("the journal does not fold: {error}"),
        }
    }

    /// Asks for an edge that must be granted.
    pub fn ask(&mut self, command: impl Into<Command>) -> &mut Self {
        let command = command.into();
        let kind = command.kind();
        match self.campaign.decide(command) {
            Ok(step) => {
                self.events.push(step.event().clone());
                self.campaign = step.commit();
            }
            Err(refusal) => panic!("{kind} was refused: {refusal}"),
        }
        self
    }

    /// Asks for an edge, whatever the answer: a refusal leaves everything as it is.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn attempt(&mut self, command: impl Into<Command>) -> Result<(), Refusal> {
        let step = self.campaign.decide(command)?;
        self.events.push(step.event().clone());
        self.campaign = step.commit();
        Ok(())
    }

    /// Asks for an edge that must be refused, and says why it was.
    pub fn refused(&self, command: impl Into<Command>) -> Vec<Objection> {
        let command = command.into();
        let kind = command.kind();
        match self.campaign.decide(command) {
            Ok(_) => panic!("{kind} was granted"),
            Err(Refusal::OutOfPhase { .. }) => panic!("{kind} has no edge here"),
            Err(refusal) => refusal.objections().to_vec(),
        }
    }

    /// The journal as entries, a second apart, with made-up hashes of the lines before.
    pub fn entries(&self) -> Vec<Entry> {
        let mut prev = Digest::from_bytes([0; 32]);
        let mut entries = Vec::new();
        let (mut campaign, mut told): (Option<Campaign>, _) = (None, None);
        for (seq, event) in (1..).zip(&self.events) {
            let at = 1_790_000_000_000 + i64::try_from(seq).unwrap() * 1_000;
            // A forged journal may lead nowhere.
            campaign = match campaign {
                None if seq == 1 => Campaign::begin(Seq(seq), event).ok(),
                before => before.and_then(|it| it.follow(Seq(seq), event).ok()),
            };
            told = event.loop_round().or(told);
            let rounds = campaign.as_ref().and_then(|it| it.state().rounds(event));
            let entry = Entry { seq: Seq(seq), at, prev, rounds, event: event.clone() };
            let entry = entry.in_loop_round(told);
            prev = Digest::of(serde_json::to_string(&entry).unwrap().as_bytes());
            entries.push(entry);
        }
        entries
    }

    /// The journal as a file: one entry a line, each with the hash of the line before.
    pub fn jsonl(&self) -> String {
        let line = |it: &Entry| serde_json::to_string(it).unwrap() + "\n";
        self.entries().iter().map(line).collect()
    }

    /// A launch that nothing used before.
    pub fn launch(&mut self) -> Digest {
        self.tick += 1;
        digest(&format!("launch {}", self.tick))
    }

    /// The log of a launch that nothing used before.
    pub fn log(&mut self, at: &str) -> Artifact {
        let launch = self.launch();
        let path = format!("{at}-{}.log", self.tick);
        Artifact { sha256: launch, ..artifact(&path) }
    }

    /// The time of the latest launch, ms since the epoch: launches are ten minutes apart.
    pub fn now(&self) -> i64 {
        1_790_000_000_000 + self.tick * 600_000
    }

    /// Moves the clock past everything that was measured.
    pub fn catch_up(&mut self) {
        let case = self.case();
        let behind = case.latest.max(case.frontier).saturating_sub(1_790_000_000_000) / 600_000;
        self.tick = self.tick.max(behind.clamp(0, 1_000_000_000) + 1);
    }

    /// The accepted build, once the loop runs.
    pub fn accepted(&self) -> vsota_core::GitId {
        self.case().accepted.clone()
    }

    /// What the six phases share.
    pub fn case(&self) -> &vsota_core::phase::Case {
        use vsota_core::State;
        use vsota_core::phase::InLoop as _;
        match self.campaign.state() {
            State::RlcrActive(it) => it.case(),
            State::GapDecision(it) => it.case(),
            State::Profiling(it) => it.case(),
            State::LayerPipeline(it) => it.case(),
            State::KernelAssist(it) => it.case(),
            State::Revalidate(it) => it.case(),
            State::Stopped(it) => it.case().expect("the campaign stopped in the loop"),
            State::Inputs(_) | State::HistoryGate(_) | State::FixedBenchmark(_) => {
                panic!("the loop was not entered")
            }
        }
    }

    /// Where checkout and loop stand on the accepted build.
    pub fn stand(&self) -> Standpoint {
        let mut stand = stand(BASELINE);
        stand.head.tree = self.accepted();
        stand.loop_dir = self.case().running.dir.clone();
        stand
    }
}
