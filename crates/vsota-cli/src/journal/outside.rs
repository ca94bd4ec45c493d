//! Which heads of the journal are held outside it?
//!
//! The checkpoint and the final report each hold a line `vsota-head: SEQ HASH`. A journal that was cut
//! back to an earlier line still has a perfect chain; only a head outside it can tell.

use vsota_core::text::RelPath;

use super::{Head, rel};
use crate::failure::Failure;
use crate::rundir::RunDir;

/// What stands before a head in a document.
pub const MARK: &str = "vsota-head: ";

/// The documents that hold a head.
pub const HOLDERS: [&str; 2] = ["humanize/model-loop-checkpoint.md", "final_report.md"];

/// The most bytes that are read of such a document.
const LIMIT: u64 = 64 << 20;

/// A head that a document holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outside {
    /// The document.
    pub holder: RelPath,
    /// The head that was acknowledged.
    pub head: Head,
}

/// The heads that the documents of a run directory hold.
///
/// # Errors
///
/// Integrity when a line looks like a head and is none, or when a document is not a file.
pub(super) fn heads(run: &RunDir) -> Result<Vec<Outside>, Failure> {
    let mut heads = Vec::new();
    for holder in HOLDERS {
        let holder = rel(holder)?;
        let bytes = run.read(&holder, LIMIT)?.unwrap_or_default();
        for (number, head) in parse(&bytes) {
            let head = head.ok_or_else(|| {
                Failure::integrity("the head of the journal cannot be read")
                    .in_file(run.join(&holder))
                    .at_line(number)
            })?;
            heads.push(Outside { holder: holder.clone(), head });
        }
    }
    Ok(heads)
}

/// Each line that claims to be a head; `None` when it is none.
fn parse(bytes: &[u8]) -> impl Iterator<Item = (u64, Option<Head>)> {
    (1..).zip(bytes.split(|it| *it == b'\n')).filter_map(|(number, line)| {
        let head = line.strip_prefix(MARK.trim_end().as_bytes())?;
        let head = head.strip_prefix(b" ").and_then(|it| std::str::from_utf8(it).ok());
        Some((number, head.and_then(|it| it.parse().ok())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_whole_line() {
        let hash = "ab".repeat(32);
        let text =
            format!("# Title\nvsota-head: 12 {hash}\n vsota-head: 13 {hash}\nsay vsota-head: 1\n");
        let found: Vec<_> = parse(text.as_bytes()).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, 2);
        assert_eq!(found[0].1.unwrap().to_string(), format!("12 {hash}"));
    }

    #[test]
    fn a_line_that_only_looks_like_a_head_is_damage() {
        let hash = "ab".repeat(32);
        let upper = hash.to_uppercase();
        for text in [
            "vsota-head:".to_owned(),
            "vsota-head: 1".to_owned(),
            format!("vsota-head: 0 {hash}"),
            format!("vsota-head: 01 {hash}"),
            format!("vsota-head: +1 {hash}"),
            format!("vsota-head: 1 {upper}"),
            format!("vsota-head: 1 {hash}\r"),
        ] {
            assert!(matches!(parse(text.as_bytes()).next(), Some((1, None))), "{text:?}");
        }
    }
}
