//! Files that must not become numbers: each is named with its place, none panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;
use vsota_core::evidence::{EvidenceError, Item, Reader, companion_row, read, read_all};
use vsota_core::facts::{LatencyKind, Metric, Stat};
use vsota_core::measure::{Measured, geometric_mean};
use vsota_fixtures::builders::{
    MODEL, RunNumbers, Spread, VllmShape, VllmVersion, sglang_bench, sweep_run, trtllm_bench,
    vllm_bench, vllm_of,
};

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

/// Cases 38 and 40 of the catalogue.
#[test]
fn a_metric_that_is_no_measurement_is_an_error_with_its_field() {
    for value in ["NaN", "Infinity", "-Infinity", "-1.5", "\"7.2\"", "true", "[7.2]"] {
        let error = refused(with("request_throughput", value));
        assert_eq!(error.field.as_deref(), Some("request_throughput"), "{value}");
        assert_eq!(error.line, Some(1));
    }
}

/// Case 38: a bare literal is read; only a metric that is one is refused.
#[test]
fn a_bare_literal_beside_the_metrics_is_read() {
    for value in ["NaN", "Infinity", "-Infinity"] {
        let (items, errors) = read(with("request_goodput", value).as_bytes());
        assert_eq!((items.len(), errors.len()), (1, 0), "{value}");
    }
    let (items, errors) = read(with("request_rate", "Infinity").as_bytes());
    assert_eq!((items.len(), errors.len()), (1, 0));
}

/// Case 41: requests completed, yet none a second.
#[test]
fn a_throughput_of_zero_is_an_error_where_requests_completed() {
    let error = refused(with("request_throughput", "0.0"));
    assert_eq!(error.field.as_deref(), Some("request_throughput"));
    assert!(error.message.contains("80 requests completed"), "{error}");
}

/// Case 49: a latency in another unit than its key says.
#[test]
fn a_latency_that_cannot_be_in_its_unit_is_an_error() {
    for value in ["0.0001", "10000000.0"] {
        let error = refused(with("mean_ttft_ms", value));
        assert_eq!(error.field.as_deref(), Some("mean_ttft_ms"), "{value}");
        assert!(error.message.contains("is it in ms?"), "{error}");
    }
    // The end-to-end latency in seconds lies below the time to first token.
    let error = refused(with("mean_e2el_ms", "8.9"));
    assert_eq!(error.field.as_deref(), Some("mean_ttft_ms"));
}

/// Case 50: percentiles never fall.
#[test]
fn percentiles_that_fall_are_an_error() {
    let crossed = Spread { mean: 9.0, p50: 10.0, p99: 9.5 };
    let error = refused(vllm_bench(&RunNumbers { ttft: crossed, ..numbers() }));
    assert_eq!(error.field.as_deref(), Some("p99_ttft_ms"));
}

/// Case 51: a count that no integer holds.
#[test]
fn a_count_beyond_any_integer_is_an_error() {
    for key in ["completed", "num_prompts", "total_output_tokens", "max_concurrency"] {
        for value in ["18446744073709551616", "-1", "1e300"] {
            assert_eq!(refused(with(key, value)).field.as_deref(), Some(key), "{value}");
        }
    }
}

/// Case 53.
#[test]
fn an_empty_list_of_candidates_is_an_error() {
    for text in ["", "\n", "\u{FEFF}", "[]", " [ ]\n"] {
        assert!(refused(text).message.contains("empty"), "{text:?}");
    }
}

/// Case 57: a zero never reaches a geometric mean, for no measurement holds one.
#[test]
fn no_measurement_is_zero() {
    assert!(Measured::new(0.0).is_err() && Measured::new(-0.0).is_err());
    assert_eq!(geometric_mean(&[]), None);
    let none = Spread { mean: 0.0, p50: 0.0, p99: 0.0 };
    let (runs, errors) = read_all(vllm_bench(&RunNumbers { tpot: none, ..numbers() }).as_bytes());
    assert_eq!(errors, []);
    assert!(runs[0].1.metrics.values().all(|value| value.get() > 0.0));
}

#[test]
fn a_burst_is_no_step() {
    // Many tokens came in one piece: the whole latency is the first token's.
    let burst = Spread { mean: 0.0041, p50: 0.003, p99: 0.02 };
    let (runs, errors) = read_all(vllm_bench(&RunNumbers { tpot: burst, ..numbers() }).as_bytes());
    assert_eq!(errors, []);
    let run = &runs[0].1;
    let p50 = Metric::latency(Stat::P50, LatencyKind::Tpot);
    assert_eq!(run.metric(p50), None);
    assert_eq!(run.bursts.get(&p50).map(|it| it.get()), Some(0.003));
    assert_eq!(run.bursts.len(), 3);
    assert!(run.metric(Metric::latency(Stat::P50, LatencyKind::E2e)).is_some());
    assert!(run.metric(Metric::OutputTokenThroughput).is_some());
    assert_eq!(companion_row(run)["metrics"].get("p50_tpot_ms"), None);
}

#[test]
fn a_run_that_a_dying_server_held_up_has_the_success_rate_that_it_earned() {
    // 6 of 30 answered; the duration holds the minutes in which nobody did.
    let from =
        RunNumbers { num_prompts: 30, failed: 24, request_throughput: 6.0 / 613.284, ..numbers() };
    let (runs, errors) = read_all(vllm_bench(&from).as_bytes());
    assert_eq!(errors, []);
    let row = companion_row(&runs[0].1);
    assert_eq!(row["metrics"]["success_rate"], 0.2);
    assert_eq!(row["metrics"]["request_throughput"], 6.0 / 613.284);
}

#[test]
fn details_that_contradict_the_counts_are_an_error() {
    let shape = VllmShape { detailed: true, ..VllmShape::default() };
    let text = vllm_of(VllmVersion::V0_32, &RunNumbers { failed: 2, ..numbers() }, &shape);
    assert_eq!(read_all(text.as_bytes()).0.len(), 1);
    let error = refused(text.replacen("\"Bad Request\"", "\"\"", 1));
    assert_eq!(error.field.as_deref(), Some("errors"));
}

#[test]
fn a_value_has_a_limit_beside_its_bulk_data() {
    let bulk = format!("\"generated_texts\": [\"{}\"]", "x".repeat(17 << 20));
    let text = format!("{}, {bulk}}}", vllm_bench(&numbers()).trim_end_matches('}'));
    assert_eq!(read_all(text.as_bytes()).0.len(), 1);
    let error = refused(text.replace("generated_texts", "texts"));
    assert_eq!(error.line, Some(1));
    assert!(error.message.contains("more than 16777216 bytes"), "{error}");
}

/// Case 39.
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

/// Case 42.
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
        ("index,name,clocks.sm,power\n0,x,1,2\n", "nvidia-smi"),
        ("model,rate,p50,p99\nx,1,2,3\n", "comma-separated"),
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
        Just(sweep_run(&numbers(), 0, &[])),
        Just(vllm_of(
            VllmVersion::V0_32,
            &RunNumbers { num_prompts: 4, output_len: 12, failed: 1, ..numbers() },
            &VllmShape { detailed: true, ..VllmShape::default() }
        )),
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
    fn pieces_say_what_the_whole_says(
        texts in proptest::collection::vec(native(), 1..4),
        cut in any::<prop::sample::Index>(),
        piece in 1_usize..600,
    ) {
        let mut bytes = texts.join("\n").into_bytes();
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        let mut reader = Reader::new();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            found.extend(reader.feed(piece));
        }
        found.extend(reader.end());
        let items: Vec<_> = found.iter().filter_map(|it| it.clone().ok()).collect();
        let mut errors: Vec<_> = found.into_iter().filter_map(Result::err).collect();
        errors.sort_by_key(|it| it.line);
        prop_assert_eq!((items, errors), read(&bytes));
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
