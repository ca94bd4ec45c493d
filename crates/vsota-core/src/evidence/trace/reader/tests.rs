//! The reader against an independent, slow and obvious one, and against what is no trace.

use alloc::string::ToString;
use alloc::vec;
use alloc::{format, string::String, vec::Vec};
use std::io::{Cursor, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read_text(text: &[u8]) -> Result<Trace, TraceError> {
    read(&mut Cursor::new(text), &Limits::default())
}

/// Gives so many bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.1.min(to.len()).min(self.0.len());
        to[..bytes].copy_from_slice(&self.0[..bytes]);
        self.0 = &self.0[bytes..];
        Ok(bytes)
    }
}

fn event(n: u64, kind: u64, long: bool) -> Value {
    let ts = (n * 7919 + kind) as f64 / 8.0;
    let name = format!("k{}\\\"{{[é{}", n % 5, if long { "x".repeat(3000) } else { String::new() });
    let mut event = match kind % 6 {
        0 => {
            json!({"ph":"X","cat":"kernel","name":name,"pid":0,"tid":7,"ts":ts,"dur":n as f64 / 4.0,
            "args":{"External id":n,"device":0,"stream":n % 3,"correlation":n + 1,"grid":[1,2,3],"x":{"y":[{}]}}})
        }
        1 => {
            json!({"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":9,"tid":9,"ts":ts,"dur":1,
            "args":{"cbid":1,"correlation":n + 1,"External id":n}})
        }
        2 => json!({"ph":"X","cat":"cpu_op","name":"aten::mm","pid":9,"tid":"t","ts":ts,"dur":2.5,
            "args":{"External id":n,"note":"a } b"}}),
        3 => {
            json!({"ph":"X","cat":"python_function","name":"vllm/a.py(3): f","pid":9,"tid":9,"ts":ts,"dur":3,
            "args":{"Python id":n,"deep":[[[]]]}})
        }
        4 => json!({"ph":"s","cat":"ac2g","name":"ac2g","id":n,"pid":9,"tid":9,"ts":ts}),
        _ => {
            json!({"ph":"X","cat":"gpu_memcpy","name":"Memcpy","pid":1,"tid":2,"ts":ts,"dur":1.125,"args":{}})
        }
    };
    if n.is_multiple_of(4) {
        // The same keys in another order.
        let object = event.as_object().unwrap().clone();
        event = object.into_iter().rev().collect::<serde_json::Map<_, _>>().into();
    }
    event
}

/// Sums over the raw events: device work by name, and counts of the rest.
fn slowly(events: &[Value]) -> (Vec<(String, u64, u64)>, usize, usize) {
    let of = |it: &Value, cat: &str| it["cat"] == cat && it["ph"] == "X";
    let mut sums: alloc::collections::BTreeMap<String, (u64, u64)> = Default::default();
    for it in events {
        let gpu = ["kernel", "gpu_memcpy", "gpu_memset"].iter().any(|cat| of(it, cat));
        let ns = (it["dur"].as_f64().unwrap_or(0.0) * 1000.0).round() as u64;
        if gpu && ns > 0 {
            let sum = sums.entry(it["name"].as_str().unwrap().to_string()).or_default();
            *sum = (sum.0 + ns, sum.1 + 1);
        }
    }
    let count = |cat| events.iter().filter(|it| of(it, cat)).count();
    let sums = sums.into_iter().map(|(name, (ns, n))| (name, ns, n)).collect();
    (sums, count("cuda_runtime"), count("cpu_op"))
}

fn found(trace: &Trace) -> (Vec<(String, u64, u64)>, usize, usize) {
    let mut sums: alloc::collections::BTreeMap<String, (u64, u64)> = Default::default();
    for it in &trace.gpu {
        let sum = sums.entry(trace.names.get(it.name)).or_default();
        *sum = (sum.0 + it.duration, sum.1 + 1);
    }
    let sums = sums.into_iter().map(|(name, (ns, n))| (name, ns, n)).collect();
    (sums, trace.launches.len(), trace.ops.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn sums_and_counts_are_those_of_a_parser_that_holds_the_whole_file(
        kinds in prop::collection::vec((0_u64..6, prop::bool::weighted(0.1)), 0..400),
        pretty: bool,
        bare: bool,
        drip in prop::sample::select(vec![1_usize, 63, 4096, 1 << 20]),
    ) {
        let events: Vec<Value> =
            (0..).zip(&kinds).map(|(n, (kind, long))| event(n, *kind, *long)).collect();
        let whole = if bare {
            json!(events)
        } else {
            json!({"deviceProperties":[{"name":"}"}],"distributedInfo":{"rank":3},"a":1.5e3,
                "traceEvents":events,"z":{"q":[]},"traceName":"x"})
        };
        let text = if pretty { serde_json::to_vec_pretty(&whole) } else { serde_json::to_vec(&whole) };
        let text = text.unwrap();
        let trace = read(&mut Drip(&text, drip), &Limits::default()).unwrap();
        prop_assert_eq!(trace.events, events.len() as u64);
        prop_assert_eq!(trace.bytes, text.len() as u64);
        prop_assert_eq!(trace.header.rank, (!bare).then_some(3));
        prop_assert_eq!(found(&trace), slowly(&events));
    }

    #[test]
    fn no_bytes_make_it_panic(text in r#"[\[\]{}",:a0-9.e\\ -]{0,200}"#, cut in 0_usize..200) {
        let _ = read_text(text.as_bytes());
        let whole = serde_json::to_vec(&json!({"traceEvents":[event(3, 0, false), event(4, 3, false)]}));
        let mut whole = whole.unwrap();
        whole.truncate(cut.min(whole.len()));
        whole.extend_from_slice(text.as_bytes());
        let _ = read_text(&whole);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases: &[(&[u8], u64, &str)] = &[
        (b"", 0, "the file is empty"),
        (b"   ", 3, "the file is empty"),
        (b"<!DOCTYPE html><html>", 0, "this is HTML"),
        (b"{\"a\":1}", 0, "`traceEvents`"),
        (b"{\"schema\":\"1\",\"nodes\":[]}", 0, "an execution trace"),
        (b"[{\"frame\":{},\"metrics\":{}}]", 0, "Proton"),
        (b"{\"traceEvents\":[{\"ph\":\"X\"", 25, "inside the events: the file was cut"),
        (b"{\"traceEvents\":[{\"ph\":\"X", 24, "inside a string"),
        (b"{\"traceEvents\":[]", 17, "the file was cut"),
        (b"{\"traceEvents\":[]} x", 19, "nothing after the end"),
        (b"{\"traceEvents\":[7]}", 16, "an event or `]`"),
        (
            b"{\"traceEvents\":[{\"name\":\"a \"b\" c\",\"ph\":\"X\"}]}",
            28,
            "`,` or `}` after a value",
        ),
        (b"{\"traceEvents\":[{\"ph\" \"X\"}]}", 22, "`:` after a key"),
        (
            b"[{\"ph\":\"X\",\"cat\":\"kernel\",\"ts\":1,\"dur\":-2,\"name\":\"k\"}]",
            1,
            "took -2000 ns",
        ),
        (b"[{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"k\"}]", 1, "needs `ts` and `dur`"),
        (b"[{\"ph\":\"X\",\"cat\":\"kernel\",\"ts\":1e30,\"dur\":1}]", 1, "needs `ts` and `dur`"),
    ];
    for (text, offset, message) in cases {
        let error = read_text(text).unwrap_err();
        let shown = text.escape_ascii();
        assert!(error.message.contains(message), "{shown}: {error}");
        assert_eq!(error.offset, *offset, "{shown}: {error}");
    }
}

#[test]
fn odd_files_are_read_right() {
    let deep =
        format!("{{\"x\":{}{},\"traceEvents\":[]}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read_text(deep.as_bytes()).unwrap().events, 0);
    let deep = format!(
        "[{{\"ph\":\"i\",\"ts\":2,\"args\":{{\"a\":{}{}}}}}]",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(read_text(deep.as_bytes()).unwrap().first, Some(2_000));
    let long = format!(
        "[{{\"ph\":\"X\",\"cat\":\"Kernel\",\"name\":\"{}\",\"ts\":5.001,\"dur\":0.002}}]",
        "k".repeat(1 << 20)
    );
    let trace = read_text(long.as_bytes()).unwrap();
    assert_eq!((trace.gpu[0].start, trace.gpu[0].duration), (5_001, 2));
    let surrogate =
        br#"{"traceEvents":[{"ph":"X","cat":"kernel","name":"\ud800","ts":1,"dur":1}]}"#;
    let trace = read_text(surrogate).unwrap();
    assert_eq!(trace.names.get(trace.gpu[0].name), "\u{FFFD}");
    let invalid =
        b"\xEF\xBB\xBF [{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"\xFF\",\"ts\":1,\"dur\":1},]\n";
    assert_eq!(read_text(invalid).unwrap().gpu.len(), 1);
    let idle = br#"[{"ph":"X","cat":"kernel","name":"k","ts":1,"dur":0}]"#;
    let trace = read_text(idle).unwrap();
    assert_eq!((trace.gpu.len(), trace.odd.no_duration), (0, 1));
}

#[test]
fn a_limit_is_told_with_its_place() {
    let text = format!("[{{\"ph\":\"X\",\"name\":\"{}\"}}]", "k".repeat(1 << 20));
    let limits = Limits { event: 1 << 10, ..Limits::default() };
    let error = read(&mut Cursor::new(text.as_bytes()), &limits).unwrap_err();
    assert_eq!((error.offset, error.message.contains("more than 1024 bytes")), (1, true));
    let limits = Limits { text: 1 << 10, ..Limits::default() };
    let error = read(&mut Cursor::new(text.as_bytes()), &limits).unwrap_err();
    assert!(error.message.contains("the text has more than 1024 bytes"), "{error}");
}

/// FB-5: the mark of a mock, and a version that says it.
#[test]
fn a_trace_tells_that_a_mock_made_it_up() {
    let told = |head: &str| {
        let text = format!("{{{head}\"traceEvents\":[],\"traceName\":\"a\"}}");
        read_text(text.as_bytes()).unwrap().header.mock
    };
    assert!(!told(""));
    assert!(!told("\"vllm_version\":\"0.33.0\","));
    assert!(told("\"mock\":true,"));
    assert!(told("\"vllm_version\":\"0.0.0+mock\","));
}
