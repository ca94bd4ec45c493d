//! Which known word is near to one that is not?

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What is said of a word that is none of the known.
pub(super) fn unknown(
    what: &str,
    found: &str,
    known: impl Iterator<Item = &'static str>,
) -> String {
    let known: Vec<_> = known.collect();
    let distance = |it: &&str| edits(&found.to_ascii_lowercase(), &it.to_ascii_lowercase());
    let nearest = known.iter().copied().min_by_key(distance).filter(|it| distance(it) <= 3);
    match nearest {
        Some(nearest) => format!("there is no {what} `{found}` here; `{nearest}` is near"),
        None if known.is_empty() => format!("no {what} stands here"),
        None => format!("there is no {what} `{found}` here; known: {}", known.join(", ")),
    }
}

/// The edits between two words: the fewest letters to put in, take out or change.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(60).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, c) in from.chars().take(60).enumerate() {
        let mut left = i.saturating_add(1);
        let mut next = alloc::vec![left];
        for ((above, diagonal), other) in row.iter().skip(1).zip(&row).zip(&to) {
            let changed = diagonal.saturating_add(usize::from(*other != c));
            left = changed.min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
