//! What must Humanize's round hold before a patch is accepted, what did its review say, and does it demand
//! the fixup? (RL-8, RL-9)

use vsota_core::Clause;
use vsota_core::Entry;
use vsota_core::event::Event;
use vsota_core::evidence::humanize::{self, Lifecycle, is_scaffold};
use vsota_core::facts::{LoopPhase, Review};

use super::{Found, Survey};
use crate::checkout::Checkout;
use crate::failure::{Failure, Reason};

impl Survey {
    /// What the round of the recorded loop lacks before its patch can be accepted: contract, summary,
    /// and that the work is on the branch of the loop. Humanize's own gate lets an untouched scaffold
    /// pass.
    ///
    /// # Errors
    ///
    /// Bad evidence when the state is half written; when git cannot be run.
    pub fn unwritten(&self) -> Result<Vec<Reason>, Failure> {
        let mut reasons = Vec::new();
        let Some(own) = self.own().filter(|it| it.reading.lifecycle.is_active()) else {
            // That no loop is active is the machine's to say.
            return Ok(reasons);
        };
        let Some(state) = own.state()? else { return Ok(reasons) };
        let round = state.round;
        let wanted = match own.reading.lifecycle {
            Lifecycle::Finalize | Lifecycle::Methodology => Vec::new(),
            _ => vec![format!("round-{round}-contract.md"), format!("round-{round}-summary.md")],
        };
        for name in wanted {
            let found = match own.files.get(&name) {
                None => format!("{name} of the loop {} is not written", own.dir),
                Some(text) if is_scaffold(text) => {
                    format!("{name} of the loop {} is still the scaffold", own.dir)
                }
                Some(_) => continue,
            };
            reasons.push(reason(Clause::Rl8, found));
        }
        let branch = Checkout::at(&self.checkout)?.branch()?;
        if let Some(start) =
            state.start_branch.as_deref().filter(|it| branch.as_deref() != Some(it))
        {
            let found = format!(
                "the loop is bound to the branch {start}, and {} is checked out",
                branch.as_deref().unwrap_or("none")
            );
            reasons.push(reason(Clause::Rl8, found));
        }
        Ok(reasons)
    }

    /// What Humanize's review said of the round in which the last patch was accepted; absent while it
    /// said nothing, or while the loop stands where it stood: a result that its hook did not act upon
    /// is nobody's review.
    pub fn review(&self, entries: &[Entry]) -> Option<Review> {
        let accepted = entries.iter().rev().find_map(|it| match &it.event {
            Event::PatchAccepted(it) => Some(&it.said.stand),
            _ => None,
        })?;
        let own = self
            .found
            .iter()
            .find(|it| it.dir == accepted.loop_dir.as_str() && it.tree == self.top())?;
        let state = own.state().ok().flatten()?;
        let phase = accepted.loop_phase.unwrap_or(LoopPhase::Implementation);
        humanize::reviewed(&own.files, state, accepted.loop_round, phase)
    }

    /// Whether the loop demands a commit for this: a finding of its latest code review, named whole or by
    /// its title, or the finalize phase that it is in.
    pub fn demands(&self, finding: &str) -> Result<(), Reason> {
        let Some(own) = self.own() else { return Ok(()) };
        let lifecycle = own.reading.lifecycle;
        let phase = lifecycle == Lifecycle::Finalize && finding.to_lowercase().contains("finalize");
        let mut named = latest(own).into_iter().flat_map(|it| humanize::findings(it));
        if phase || named.any(|it| it.is_named(finding)) {
            return Ok(());
        }
        let found = format!(
            "the latest review result of the loop {} holds no such finding, and the loop is in its phase \
             {lifecycle}; cite a whole [Pn] line or its title, or the finalize phase while it runs",
            own.dir
        );
        Err(reason(Clause::Rl9, found))
    }
}

/// The review result of the latest round that has one.
fn latest(own: &Found) -> Option<&String> {
    let round = |name: &str| -> Option<u32> {
        name.strip_prefix("round-")?.strip_suffix("-review-result.md")?.parse().ok()
    };
    let all = own.files.iter().filter_map(|(name, text)| Some((round(name)?, text)));
    all.max_by_key(|(round, _)| *round).map(|(_, text)| text)
}

fn reason(clause: Clause, found: String) -> Reason {
    Reason { clause, found, help: String::from("vsota loop status") }
}
