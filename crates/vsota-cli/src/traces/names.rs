//! What the name of a trace's file tells: its rank, its stage.

use vsota_core::facts::Stage;

/// Files beside traces that are none.
const BESIDE: &[&str] =
    &["server_args.json", "metadata.json", "config.json", "tokenizer_config.json"];

/// Whether a file of this name in a searched directory may be a trace.
pub fn may_be_trace(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (lower.ends_with(".json") || lower.ends_with(".json.gz")) && !BESIDE.contains(&&*lower)
}

/// The rank: `rank0`, `rank-34`, `TP-3`, `tp1`, `worker2`; the first of these words that has a number.
pub fn rank(name: &str) -> Option<u32> {
    let lower = name.to_ascii_lowercase();
    ["rank", "tp", "worker"].iter().find_map(|word| {
        lower.match_indices(word).find_map(|(at, _)| {
            let before = lower.get(..at)?.chars().next_back();
            if before.is_some_and(|it| it.is_ascii_alphabetic()) {
                return None;
            }
            let rest = lower.get(at + word.len()..)?;
            let rest = rest.trim_start_matches(['-', '_']);
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.get(..end)?.parse().ok()
        })
    })
}

/// The stage that SGLang's profiler writes into the name of a file of one stage.
pub fn stage(name: &str) -> Option<Stage> {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let ends = |words: [&str; 2]| words.iter().any(|it| stem.ends_with(it));
    match () {
        () if ends(["-extend", "-prefill"]) => Some(Stage::Prefill),
        () if ends(["-decode", "_decode"]) => Some(Stage::Decode),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_ranks_and_stages() {
        let cases = [
            ("dp0_pp0_tp0_dcp0_ep0_rank3.17.pt.trace.json.gz", Some(3), None),
            ("rank-34.Jul_15.1074.pt.trace.json.gz", Some(34), None),
            ("17-TP-2-DECODE.trace.json.gz", Some(2), Some(Stage::Decode)),
            ("17-TP-0-EXTEND.trace.json.gz", Some(0), Some(Stage::Prefill)),
            ("http7.trace.json", None, None),
            ("vllm_decode_full__graph_execution.json.gz", None, None),
        ];
        for (name, r, s) in cases {
            assert_eq!((rank(name), stage(name)), (r, s), "{name}");
        }
        assert!(may_be_trace("a.pt.trace.json.gz") && !may_be_trace("server_args.json"));
    }
}
