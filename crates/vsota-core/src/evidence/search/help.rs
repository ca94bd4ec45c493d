//! Does the framework that is installed know a flag? Read from its own filed help output (FB-8).

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::flags::same;
use super::keys;

/// The flags that a help output mentions, without their dashes.
fn mentioned(help: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let starts = help.match_indices("--").filter(|(at, _)| {
        // A dash before them is part of a rule or of a longer word.
        !help.get(..*at).is_some_and(|it| it.ends_with(|c: char| c == '-' || part(c)))
    });
    let flags = starts.filter_map(|(at, dashes)| {
        let rest = help.get(at + dashes.len()..)?;
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let name = rest.get(..end)?.trim_end_matches('-');
        name.starts_with(|c: char| c.is_ascii_alphanumeric()).then(|| name.to_string())
    });
    flags.collect()
}

/// Whether the help output offers a flag; else the nearest one that it does, when one is near.
///
/// # Errors
///
/// The nearest flag, when the output does not mention this one.
pub fn offers(help: &str, flag: &str) -> Result<(), Option<String>> {
    let flag = flag.trim_start_matches('-');
    let known = mentioned(help);
    // `--[no-]x` and `--no-x` switch the same thing.
    let plain = flag.strip_prefix("no-").unwrap_or(flag);
    if known.iter().any(|it| same(it, flag) || same(it, plain)) {
        return Ok(());
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(keys::nearest(flag, &known).map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_offered_where_the_help_mentions_it() {
        let help = "usage: x [-h] [--max-num-seqs N]\n  --trust_remote_code, --no-cache\n -----\n";
        for flag in ["--max-num-seqs", "max_num_seqs", "--trust-remote-code", "--no-max-num-seqs"] {
            assert_eq!(offers(help, flag), Ok(()), "{flag}");
        }
        assert_eq!(offers(help, "--max-num-seq"), Err(Some("max-num-seqs".to_string())));
        assert_eq!(offers(help, "--block-size"), Err(None));
    }
}
