//! Files that must not become numbers: each is named with its place, none panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;
use vsota_core::evidence::{EvidenceError, Item, read, read_all};
use vsota_fixtures::builders::{MODEL, RunNumbers, sglang_bench, trtllm_bench, vllm_bench};

fn numbers() -> RunNumbers {
    RunNumbers::plausible(MODEL, (1_000, 1_000), 7.25, 1_795_507_650_000)
}

fn refused(bytes: impl AsRef<[u8]>) -> EvidenceError {
    let (items, mut errors) = read(bytes.as_ref());
    assert_eq!(items, [], "this was read");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn with(key: &str, value: &str) -> String {
    let text = vllm_bench(&numbers());
    let start = text.find(&format!("\"{key}\": ")).unwrap() + key.len() + 4;
    let end = text[start..].find([',', '}']).unwrap() + start;
    format!("{}{value}{}", &text[..start], &text[end..])
}

#[test]
fn a_truncated_file_is_named_as_truncated() {
    let text = vllm_bench(&numbers());
    let error = refused(&text[..text.len() / 2]);
    assert_eq!(error.line, Some(1));
    assert!(error.message.contains("truncated"), "{error}");
    let (items, errors) = read("[{\"a\": 1}".as_bytes());
    assert!(items.is_empty());
    assert!(errors.iter().any(|it| it.message.contains("truncated")), "{errors:?}");
}

#[test]
fn a_metric_that_is_no_measurement_is_an_error_with_its_field() {
    for value in ["NaN", "Infinity", "-Infinity", "-1.5", "\"7.2\"", "true", "[7.2]"] {
        let error = refused(with("request_throughput", value));
        assert_eq!(error.field.as_deref(), Some("request_throughput"), "{value}");
        assert_eq!(error.line, Some(1));
    }
}

#[test]
fn a_number_beyond_the_range_is_an_error() {
    for value in ["1e999", "-1e999"] {
        let error = refused(with("median_ttft_ms", value));
        assert!(error.message.contains("out of range"), "{error}");
    }
}

#[test]
fn a_rate_that_offers_nothing_is_an_error() {
    for value in ["NaN", "-Infinity", "0", "-2", "\"soon\"", "[]"] {
        assert_eq!(refused(with("request_rate", value)).field.as_deref(), Some("request_rate"));
    }
}

#[test]
fn a_key_that_occurs_twice_is_an_error() {
    let text = vllm_bench(&numbers());
    let twice = format!("{}, \"completed\": 80}}", text.trim_end_matches('}'));
    let error = refused(twice);
    assert!(error.message.contains("`completed` occurs twice"), "{error}");
    assert!(refused("{\"a\": {\"b\": 1, \"b\": 2}}").message.contains("`b` occurs twice"));
}

#[test]
fn deep_nesting_is_refused_without_a_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = format!("{{\"a\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
        assert!(refused(text).message.contains("recursion"));
    }
    let (items, errors) = read("[".repeat(100_000).as_bytes());
    assert!(items.is_empty() && !errors.is_empty());
}

#[test]
fn counts_that_contradict_each_other_are_an_error() {
    assert_eq!(refused(with("failed", "1")).field.as_deref(), Some("failed"));
    assert_eq!(refused(with("completed", "81")).field.as_deref(), Some("completed"));
    assert_eq!(refused(with("completed", "7.5")).field.as_deref(), Some("completed"));
    assert_eq!(refused(with("num_prompts", "\"80\"")).field.as_deref(), Some("num_prompts"));
    assert_eq!(refused(with("duration", "0.0")).field.as_deref(), Some("duration"));
}

#[test]
fn a_file_that_is_no_result_is_named_for_what_it_is() {
    for (text, what) in [
        ("", "empty"),
        (" \n\t", "empty"),
        ("[]", "list is empty"),
        ("null", "no JSON"),
        ("{}", "empty object"),
        ("[3]", "number"),
        ("{\"x\": 1, \"y\": 2}", "JSON of another kind (keys x, y"),
        ("# HELP vllm:num_requests x\n# TYPE vllm:num_requests gauge\n", "Prometheus"),
        ("usage: vllm bench serve [-h]\n", "help output"),
        ("vllm bench serve --model m\nrc=0\n", "command line"),
        ("(APIServer pid=1) INFO 11-24 07:12:31 [api_server.py:1] vLLM API server\n", "log"),
        ("{\"traceEvents\": [{\"ph\": \"X\"}], \"schemaVersion\": 1}", "trace"),
        ("{\"model\": \"m\", \"hardware\": \"h\", \"generated_at\": \"t\"}", "metadata"),
        ("{\"version\": \"0.32.0\"}", "server's version"),
        ("{\"object\": \"list\", \"data\": []}", "models"),
        ("{\"schema\": \"vsota-profile/1\"}", "vsota-profile/1"),
        ("{\"num_hidden_layers\": 8}", "configuration"),
        ("{\"completed\": 8, \"request_throughput\": 2.0}", "part of a benchmark result"),
        ("index,name,clocks.sm,power\n0,x,1,2\n", "comma-separated"),
        ("{\"signal\": 9, \"target\": \"engine\"}", "record of a server"),
        ("a note, with commas, and more, yes\nno", "text"),
    ] {
        let message = refused(text).message;
        assert!(message.contains(what), "{text:?}: {message}");
    }
    assert!(refused([0x1F, 0x8B, 8, 0]).message.contains("gzip"));
    assert!(refused([b'a', 0, b'b']).message.contains("binary"));
    assert!(refused([0xFF, 0xFE, b'{', 0]).message.contains("UTF-16"));
}

#[test]
fn a_message_never_carries_a_control_character() {
    let error = refused("{\"\\u001b[2Jx\\u202e\": 1, \"b\": 2}");
    assert!(!error.to_string().chars().any(vsota_core::text::is_unsafe), "{error:?}");
    let error = refused(with("date", "\"\\u001b[2J\""));
    assert_eq!(error.field.as_deref(), Some("date"));
}

#[test]
fn one_bad_line_does_not_hide_the_others() {
    let good = sglang_bench(&numbers()).unwrap();
    let text = format!("{good}{}\n{good}{{\"a\": \"cut\n{good}", &good[..200]);
    let (runs, errors) = read_all(text.as_bytes());
    assert_eq!(runs.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 5]);
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn bare_literals_inside_strings_stay_text() {
    let text =
        vllm_bench(&numbers()).replace("\"label\": null", "\"label\": \"a \\\"NaN\\\" Infinity\"");
    assert_eq!(read_all(text.as_bytes()).0.len(), 1);
}

#[test]
fn a_file_of_garbage_ends_after_a_few_errors() {
    let (items, errors) = read("{\n".repeat(10_000).as_bytes());
    assert!(items.is_empty());
    assert!(errors.len() < 100, "{}", errors.len());
}

#[test]
fn rows_of_the_companion_schema_are_checked() {
    let row = |metrics: &str| {
        format!(
            "{{\"framework\": \"vllm\", \"candidate_id\": \"a\", \"status\": \"ok\", \"metrics\": {metrics}}}"
        )
    };
    let (items, errors) = read(
        row("{\"request_throughput\": 9.5, \"p50_ttft_ms\": 0, \"p50_tpot_ms\": null}").as_bytes(),
    );
    assert_eq!(errors, []);
    let [(1, Item::Row(found))] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(found.value["metrics"], serde_json::json!({"request_throughput": 9.5}));
    assert_eq!(refused(row("{\"p50_ttft_ms\": NaN}")).field.as_deref(), Some("p50_ttft_ms"));
    assert_eq!(refused(row("{\"p50_ttft_ms\": \"5\"}")).field.as_deref(), Some("p50_ttft_ms"));
    let unknown = row("{}").replace("\"vllm\"", "\"other\"");
    assert_eq!(refused(unknown).field.as_deref(), Some("framework"));
}

fn native() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(vllm_bench(&numbers())),
        Just(sglang_bench(&numbers()).unwrap()),
        Just(trtllm_bench(&numbers())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (items, errors) = read(&bytes);
        prop_assert!(!items.is_empty() || !errors.is_empty());
    }

    #[test]
    fn no_changed_byte_panics(text in native(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let (items, errors) = read(&bytes);
        prop_assert!(!items.is_empty() || !errors.is_empty());
    }

    #[test]
    fn no_cut_file_is_a_result(text in native(), at in any::<prop::sample::Index>()) {
        let whole = text.trim_end().len();
        let (items, errors) = read(&text.as_bytes()[..at.index(whole)]);
        prop_assert!(items.is_empty());
        prop_assert!(!errors.is_empty());
    }
}

#[test]
fn bulk_data_is_passed_over_and_not_kept() {
    use vsota_core::evidence::json::{Json, values};
    let (found, errors) = values(b"{\"itls\": [[0.1, NaN]], \"errors\": [\"\"]}");
    assert_eq!(errors, []);
    let Json::Object(object) = &found[0].value else { panic!("{found:?}") };
    assert_eq!(object.get("itls"), Some(&Json::Skipped));
    assert_eq!(object.get("errors"), Some(&Json::List(vec![Json::Text(String::new())])));
}
