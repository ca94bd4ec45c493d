//! Which flag sets are tried? Baseline first, then the product of the search space in its order, or
//! the list that the file gives, up to the cap (FB-2, FB-12).

use alloc::vec::Vec;

use serde_json::Value;

use super::flags::{Flag, Flags};

/// The most combinations that are looked at: most of a product may repeat what is there already.
const LOOKED_AT: usize = 4_096;

/// The flag sets of a framework, and whether they are its whole declared space.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sets {
    pub(super) sets: Vec<Flags>,
    pub(super) whole: bool,
}

/// The baseline, then the product of the space: the last key turns fastest.
pub(super) fn product(base: &Flags, space: &Flags, cap: usize) -> Sets {
    let axes: Vec<(&Flag, Vec<Value>)> =
        space.iter().map(|it| (it, values(&it.value))).filter(|(_, it)| !it.is_empty()).collect();
    let total = axes.iter().fold(1_usize, |total, (_, it)| total.saturating_mul(it.len()));
    let all = (0..total.min(LOOKED_AT)).map(|number| {
        let mut rest = number;
        let mut chosen: Vec<Flag> = Vec::new();
        for (flag, values) in axes.iter().rev() {
            let value = values.get(rest % values.len()).cloned().unwrap_or(Value::Null);
            chosen.push(Flag { value, ..(*flag).clone() });
            rest /= values.len();
        }
        let mut flags = base.clone();
        chosen.into_iter().rev().for_each(|it| flags.set(it));
        flags
    });
    let Sets { sets, whole } = capped(base, all, cap);
    Sets { sets, whole: whole && total <= LOOKED_AT }
}

/// The baseline, then each set of the list over it.
pub(super) fn ordered(base: &Flags, list: &[Flags], cap: usize) -> Sets {
    let over = |it: &Flags| {
        let mut flags = base.clone();
        it.iter().cloned().for_each(|flag| flags.set(flag));
        flags
    };
    capped(base, list.iter().map(over), cap)
}

/// What repeats the baseline or an earlier one is no candidate.
fn capped(base: &Flags, all: impl Iterator<Item = Flags>, cap: usize) -> Sets {
    let mut sets = Vec::from([base.clone()]);
    for flags in all {
        if sets.contains(&flags) {
            continue;
        }
        if sets.len() >= cap {
            return Sets { sets, whole: false };
        }
        sets.push(flags);
    }
    Sets { sets, whole: true }
}

fn values(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all.clone(),
        one => Vec::from([one.clone()]),
    }
}
