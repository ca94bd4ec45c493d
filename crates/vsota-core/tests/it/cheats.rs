//! Every cheat of the corpus is refused with its clause, and its honest twin is not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use vsota_core::Clause;
use vsota_core::evidence::{Item, read};
use vsota_core::phase::{Compared, Lone, Terms, compare};
use vsota_core::text::Name;
use vsota_fixtures::cheats::{self, ROW, Tried};

fn lone(file: &str) -> Vec<Lone> {
    let (items, errors) = read(file.as_bytes());
    assert!(errors.is_empty(), "{errors:?}");
    let called = Name::new("file").unwrap();
    let row = |(_, item)| match item {
        Item::Row(row) => row.lone(&called).unwrap(),
        other => panic!("no row: {other:?}"),
    };
    items.into_iter().map(row).collect()
}

/// Who wins `chat`, and every clause against the row.
fn judged(file: &str) -> (Option<String>, BTreeSet<Clause>) {
    let rows = lone(file);
    let compared = compare(&Terms::default(), &rows);
    let Compared { rank, .. } = &compared[0];
    let winner = rank.ranking.first().map(|it| it.row.id.to_string());
    let ours = rank.rejected.iter().filter(|it| it.row.id.as_str() == ROW);
    let clauses = ours.flat_map(|it| it.reasons.iter().map(|(clause, _)| *clause)).collect();
    (winner, clauses)
}

/// What is wrong with the gate, when anything is.
fn fault(tried: &Tried, clause: Clause) -> Option<String> {
    match tried {
        Tried::Rank { bad, good } => {
            let (winner, clauses) = judged(bad);
            if winner.as_deref() == Some(ROW) || !clauses.contains(&clause) {
                return Some(format!("it wins as {winner:?}; against it: {clauses:?}"));
            }
            let (winner, clauses) = judged(good);
            let wins = winner.as_deref() == Some(ROW) && clauses.is_empty();
            (!wins).then(|| format!("its twin loses to {winner:?}; against it: {clauses:?}"))
        }
        Tried::Gate { bad, good } => {
            let reasons = match bad.0.campaign.decide(bad.1.clone()) {
                Ok(_) => return Some("it is granted".to_owned()),
                Err(refusal) => refusal.reasons(),
            };
            if !reasons.iter().any(|(it, _)| *it == clause) {
                return Some(format!("it is refused for {reasons:?}"));
            }
            let twin = good.0.campaign.decide(good.1.clone()).err();
            twin.map(|refusal| format!("its twin is refused: {refusal}"))
        }
    }
}

#[test]
fn every_cheat_is_refused_with_its_clause_and_its_twin_is_not() {
    let all = cheats::all();
    let faults: Vec<_> = all
        .iter()
        .filter_map(|it| Some(format!("{}: {}", it.name, fault(&it.tried, it.clause)?)))
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
    assert!(all.len() >= 100, "{} cheats", all.len());
    let names: BTreeSet<_> = all.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), all.len(), "two cheats share a name");
}
