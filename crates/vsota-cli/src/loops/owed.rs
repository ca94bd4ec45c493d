//! What must Humanize's round hold before a patch is accepted, what did its review say, and does it demand
//! the fixup? (RL-8, RL-9)

use vsota_core::Clause;
use vsota_core::Entry;
use vsota_core::event::Event;
use vsota_core::evidence::humanize::{Lifecycle, Said, is_scaffold, review};
use vsota_core::facts::Review;

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
    /// said nothing.
    pub fn review(&self, entries: &[Entry]) -> Option<Review> {
        let accepted = entries.iter().rev().find_map(|it| match &it.event {
            Event::PatchAccepted(it) => Some(&it.said.stand),
            _ => None,
        })?;
        let own = self
            .found
            .iter()
            .find(|it| it.dir == accepted.loop_dir.as_str() && it.tree == self.top())?;
        let result = own.files.get(&format!("round-{}-review-result.md", accepted.loop_round))?;
        match review(result) {
            Said::Verdict(verdict) => Some(verdict),
            Said::Stop | Said::Nothing => None,
        }
    }

    /// Whether the loop demands a commit for this: a finding that one of its review results holds, or the
    /// phase that it is in.
    pub fn demands(&self, finding: &str) -> Result<(), Reason> {
        let Some(own) = self.own() else { return Ok(()) };
        let sought = finding.trim().to_lowercase();
        let lifecycle = own.reading.lifecycle;
        let phase = matches!(lifecycle, Lifecycle::Finalize | Lifecycle::Methodology)
            && sought.contains(lifecycle.as_str());
        if phase || results(own).any(|it| it.to_lowercase().contains(&sought)) {
            return Ok(());
        }
        let found = format!(
            "no review result of the loop {} holds this finding, and the loop is in its phase {lifecycle}; \
             cite the words of a finding, or the finalize phase while it runs",
            own.dir
        );
        Err(reason(Clause::Rl9, found))
    }
}

fn results(own: &Found) -> impl Iterator<Item = &String> {
    own.files.iter().filter(|(name, _)| name.ends_with("-review-result.md")).map(|(_, text)| text)
}

fn reason(clause: Clause, found: String) -> Reason {
    Reason { clause, found, help: String::from("vsota loop status") }
}
