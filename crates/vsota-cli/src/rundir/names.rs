//! May a file of the run directory be called this?

use crate::failure::Failure;
use vsota_core::text::RelPath;

/// The most bytes of one part of a path; leaves room for the suffix of a temporary file.
const MAX_PART: usize = 200;

/// Refuses names that some file system, shell or reader would take for something else.
///
/// # Errors
///
/// Bad evidence: a part that is too long, not ASCII, begins with `-` or `.`, or ends in a dot or a
/// space.
pub fn check(at: &RelPath) -> Result<(), Failure> {
    for part in at.as_str().split('/') {
        let why = if part.len() > MAX_PART {
            "has more than 200 bytes"
        } else if !part.bytes().all(|it| it.is_ascii_graphic() || it == b' ') {
            "holds a character outside ASCII"
        } else if part.starts_with(['-', '.', ' ']) {
            "begins with a dash, a dot or a space"
        } else if part.ends_with(['.', ' ']) {
            "ends in a dot or a space"
        } else {
            continue;
        };
        return Err(
            Failure::bad_evidence(format_args!("a part of the path {why}")).in_file(at.as_str())
        );
    }
    Ok(())
}

/// A part of a path made from any text: lower-case letters, digits, `.`, `_` and `-`; `None` when
/// nothing readable is left of it.
pub fn slug(text: &str) -> Option<String> {
    let mut slug = String::with_capacity(text.len().min(MAX_PART));
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        let kept = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        let twice = matches!(kept, '-' | '.') && slug.ends_with(['-', '.']);
        if !twice && slug.len() < 100 {
            slug.push(kept);
        }
    }
    let slug = slug.trim_matches(['-', '.', '_']);
    slug.contains(|c: char| c.is_ascii_alphanumeric()).then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_cannot_climb() {
        assert_eq!(slug("../../etc/passwd").as_deref(), Some("etc-passwd"));
        assert_eq!(slug("Qwen/Qwen3-8B").as_deref(), Some("qwen-qwen3-8b"));
        assert_eq!(slug("a\u{1b}]52;c\u{7}b").as_deref(), Some("a-52-c-b"));
        for nothing in ["", ".", "..", "///", "🦀", "-_-"] {
            assert_eq!(slug(nothing), None, "{nothing}");
        }
        assert!(slug(&"x".repeat(10_000)).unwrap().len() <= 100);
    }

    #[test]
    fn names_that_mislead_are_refused() {
        for bad in
            ["raw/-rf", "raw/.hidden", "raw/x.", "raw/é", &format!("raw/{}", "x".repeat(201))]
        {
            let failure = check(&RelPath::new(bad).unwrap()).unwrap_err();
            assert_eq!(failure.exit().code(), 4, "{bad}");
        }
        check(&RelPath::new("kernel/ncu-digests/r1-gemm@a=b,c#1-v2/digest.md").unwrap()).unwrap();
    }
}
