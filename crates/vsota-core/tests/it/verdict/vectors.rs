//! Every vector of the statistics, to 1e-9.

use serde_json::Value;
use vsota_core::verdict::evaluate;

const VECTORS: &str = include_str!("../../../../vsota-fixtures/vectors/gap.json");

/// Equal in shape, words and integers; floats to 1e-9.
fn close(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(f), Value::Object(e)) => {
            f.keys().eq(e.keys()) && f.iter().all(|(key, value)| close(value, &e[key]))
        }
        (Value::Array(f), Value::Array(e)) => {
            f.len() == e.len() && f.iter().zip(e).all(|(f, e)| close(f, e))
        }
        (Value::Number(f), Value::Number(e)) if e.is_f64() => {
            let (f, e) = (f.as_f64().unwrap(), e.as_f64().unwrap());
            // Relative above 1: one vector has an interval as wide as a thousand.
            (f - e).abs() <= 1e-9 * e.abs().max(1.0)
        }
        (found, expected) => found == expected,
    }
}

#[test]
fn every_vector_of_the_statistics_is_met() {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    let (pairs, others) = (all["pair"].as_array().unwrap(), all["aux"].as_array().unwrap());
    assert_eq!((pairs.len(), others.len()), (50, 45));
    let mut wrong = Vec::new();
    for vector in pairs.iter().chain(others) {
        let expected = &vector["expect"];
        let found = match evaluate(vector["kind"].as_str().unwrap(), &vector["input"]) {
            Ok(found) => found,
            Err(error) => serde_json::json!({ "error": error.code.as_str() }),
        };
        if !close(&found, expected) {
            wrong.push(format!("{}: found {found}, expected {expected}", vector["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_difference_of_two_billionths_is_noticed() {
    let one = serde_json::json!({ "mean": 0.5 });
    assert!(close(&one, &serde_json::json!({ "mean": 0.500_000_000_9 })));
    assert!(!close(&one, &serde_json::json!({ "mean": 0.500_000_002 })));
    assert!(!close(&one, &serde_json::json!({ "mean": 0.5, "sd": null })));
}
