//! The JSON of `gap evaluate`: what it refuses and where it points.

use serde_json::{Value, json};
use vsota_core::verdict::{ErrorCode, KINDS, evaluate};

/// The code and the field of the error.
fn refused(kind: &str, input: Value) -> (&'static str, String) {
    let error = evaluate(kind, &input).expect_err("should be refused");
    assert!(error.to_string().starts_with(&format!("{}: ", error.field)));
    assert!(!error.message.is_empty());
    (error.code.as_str(), error.field)
}

fn at(code: &'static str, field: &str) -> (&'static str, String) {
    (code, field.to_string())
}

#[test]
fn a_number_that_is_no_measurement_is_refused_where_it_stands() {
    for bad in [json!(0), json!(0.0), json!(-1), json!("1"), json!(null), json!([1])] {
        let input = json!({ "v": [1, bad], "c": [1, 1], "order": "VC" });
        assert_eq!(refused("pair", input), at("value", "v[1]"));
        let input = json!({ "values": [], "limit": bad });
        assert_eq!(refused("sla", input), at("value", "limit"));
        let input = json!({ "new": [[1]], "base": [[bad]] });
        assert_eq!(refused("improvement", input), at("value", "base[0][0]"));
    }
    assert_eq!(refused("slope_t", json!({ "y": [1, "x"] })), at("value", "y[1]"));
    assert!(evaluate("slope_t", &json!({ "y": [0, -1, 2.5] })).is_ok());
}

#[test]
fn different_lengths_are_refused_before_what_the_lists_hold() {
    let input = json!({ "v": [0, 0], "c": [1], "order": "VC" });
    assert_eq!(refused("pair", input), at("length", "c"));
    let input = json!({ "v": [1, 1], "c": [1, 1], "order": "V" });
    assert_eq!(refused("pair", input.clone()), at("length", "order"));
    assert_eq!(refused("order_effect", input), at("length", "order"));
    assert_eq!(refused("outliers", json!({ "v": [], "c": [0] })), at("length", "c"));
    assert_eq!(refused("ncu", json!({ "base_us": [0], "cand_us": [] })), at("length", "cand_us"));
    let input = json!({ "new": [[1], [1]], "base": [[1]] });
    assert_eq!(refused("improvement", input), at("length", "base"));
    let input = json!({ "new": [[1], [1, 2]], "base": [[1], [1, 2]] });
    assert_eq!(refused("improvement", input), at("length", "new"));
}

#[test]
fn fields_are_neither_missing_nor_unknown() {
    assert_eq!(refused("pair", json!({ "v": [], "c": [] })), at("value", "order"));
    assert_eq!(refused("pair", json!({ "v": [], "order": "" })), at("value", "c"));
    let input = json!({ "v": [], "c": [], "order": "", "extra": 1 });
    assert_eq!(refused("pair", input), at("value", "extra"));
    assert_eq!(refused("sla", json!({ "values": [] })), at("value", "limit"));
    for kind in KINDS {
        assert_eq!(refused(kind, json!([])), at("value", "input"), "{kind}");
        if kind != "fold_competitors" {
            assert_eq!(refused(kind, json!({})).0, "value", "{kind}");
        }
    }
}

#[test]
fn an_order_is_written_in_two_letters() {
    let with = |order: Value| json!({ "v": [1, 1], "c": [1, 1], "order": order });
    assert_eq!(refused("pair", with(json!("VX"))), at("value", "order[1]"));
    assert_eq!(refused("pair", with(json!(["V", "C"]))), at("value", "order"));
    assert!(evaluate("pair", &with(json!("CV"))).is_ok());
}

#[test]
fn an_unknown_kind_is_told_the_known_ones() {
    let error = evaluate("mean", &json!({})).unwrap_err();
    assert_eq!((error.code, error.field.as_str()), (ErrorCode::Value, "kind"));
    assert!(KINDS.iter().all(|kind| error.message.contains(kind)));
}

#[test]
fn a_competitor_is_four_values() {
    let one = |standing: Value| json!({ "a": ["Tied", 0, null, false], "b": standing });
    for bad in [
        json!("Tied"),
        json!(["Tied", 0, null]),
        json!(["Tied", 0, null, false, 1]),
        json!(["Better", 0, null, false]),
        json!(["Tied", -1, null, false]),
        json!(["Tied", 0, "Why", false]),
        json!(["Unopposed", 0, null, false]),
        json!(["NoCompetitor", 0, null, false]),
        json!(["Inconclusive", 0, null, false]),
    ] {
        assert_eq!(refused("fold_competitors", one(bad)), at("value", "b"));
    }
    assert!(evaluate("fold_competitors", &one(json!(["Tied", 0, "Noise", true]))).is_ok());
}

fn campaign(scenario: Value) -> Value {
    json!({ "scenarios": [scenario], "sla_fail_while_other_passes": false, "session": "gate" })
}

#[test]
fn a_scenario_is_read_field_by_field() {
    let inside = |field: &str| at("value", &format!("scenarios[0]{field}"));
    let refused = |scenario| refused("fold_campaign", campaign(scenario));
    assert_eq!(refused(json!(1)), inside(""));
    assert_eq!(refused(json!({ "leaders": [], "k": 0 })), inside(".verdict"));
    assert_eq!(refused(json!({ "verdict": "Tied", "k": 0 })), inside(".leaders"));
    assert_eq!(refused(json!({ "verdict": "Tied", "leaders": [] })), inside(".k"));
    let input = json!({ "verdict": "Tied", "leaders": [1], "k": 0 });
    assert_eq!(refused(input), inside(".leaders"));
    let input = json!({ "verdict": "Tied", "leaders": [], "k": 0, "lean": false });
    assert_eq!(refused(input), inside(".lean"));
    let input = json!({ "verdict": "Inconclusive", "leaders": [], "k": 0 });
    assert_eq!(refused(input), inside(".reason"));
    let input = json!({ "verdict": "Inconclusive", "reason": 1, "leaders": [], "k": 0 });
    assert_eq!(refused(input), inside(".reason"));
}

#[test]
fn a_campaign_prints_what_its_action_has() {
    let fold = |scenario| evaluate("fold_campaign", &campaign(scenario)).unwrap();
    let input = json!({ "verdict": "Unopposed", "reason": null, "leaders": [], "k": 0 });
    assert_eq!(fold(input), json!({ "action": "Confirm", "label": "Unopposed" }));
    let input = json!({ "verdict": "Inconclusive", "reason": "Unbalanced", "leaders": [], "k": 2 });
    assert_eq!(fold(input), json!({ "action": "MoreRuns", "k": 2 }));
    let input = json!({ "verdict": "Behind", "leaders": ["any name"], "k": 0 });
    assert_eq!(fold(input), json!({ "action": "Patch" }));
    let mut input = campaign(json!({ "verdict": "Tied", "leaders": [], "k": 0 }));
    input["session"] = json!("later");
    assert_eq!(refused("fold_campaign", input.clone()), at("value", "session"));
    input["sla_fail_while_other_passes"] = json!("no");
    assert_eq!(refused("fold_campaign", input).1, "sla_fail_while_other_passes");
}

#[test]
fn empty_lists_are_answered_with_nulls() {
    let none = json!({ "v": [], "c": [] });
    let found = evaluate("welch", &none).unwrap();
    assert_eq!(found, json!({ "mean": null, "nu": null, "lo": null, "hi": null }));
    assert_eq!(evaluate("outliers", &none).unwrap(), json!([]));
    let found = evaluate("slope_t", &json!({ "y": [] })).unwrap();
    assert_eq!(found, json!({ "slope": null, "t": null, "flag": false }));
    let found = evaluate("order_effect", &json!({ "v": [], "c": [], "order": "" })).unwrap();
    assert_eq!(found, json!({ "tau": null, "t": null, "flag": false }));
    let found = evaluate("improvement", &json!({ "new": [], "base": [] })).unwrap();
    assert_eq!(found["mean"], json!(null));
    let found = evaluate("ncu", &json!({ "base_us": [], "cand_us": [] })).unwrap();
    assert_eq!(found["state"], json!("Unclear"));
}

#[test]
fn the_codes_have_words() {
    assert_eq!(ErrorCode::Value.to_string(), "value");
    assert_eq!(json!(ErrorCode::Length), json!(ErrorCode::Length.as_str()));
}
