//! Every clause is raised by a guard or stands on record; `docs/clauses.md` says which.
use super::Cases;
use std::collections::BTreeSet;
use vsota_core::Clause;
#[test]
fn print() {
    let raised: BTreeSet<Clause> = Cases::every().0.iter().map(|it| it.clause).collect();
    for c in Clause::ALL.iter().filter(|it| !raised.contains(it)) { println!("{c} {}", c.text()); }
    println!("{} cases, {} statements", Cases::every().0.len(), super::source::statements().len());
}
