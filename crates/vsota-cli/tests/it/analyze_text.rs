//! What people read of a trace: tables as text, and where their locations come from.

use std::fs;

use vsota_fixtures::builders::traces::trace;

use crate::traces::placed;
use crate::world::vsota;

fn told(args: &[&str]) -> String {
    let ended = vsota().args(args).output().unwrap();
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

const STEPS: &[(u64, u64)] = &[(16, 0), (0, 2), (0, 2), (0, 2)];

#[test]
fn the_three_tables_as_text() {
    let (_dir, path) = placed("made.json", trace(2, STEPS).text.as_bytes());
    insta::assert_snapshot!(told(&["profile", "analyze", path.as_str()]));
}

#[test]
fn a_location_of_a_mapping_trace_is_marked() {
    let made = trace(2, STEPS).text;
    let (dir, path) = placed("formal.json", made.replace("python_function", "none").as_bytes());
    let mapping = dir.path().join("mapping.json");
    fs::write(&mapping, &made).unwrap();
    let args = ["profile", "analyze", path.as_str(), "--stage", "decode", "--min-share", "10"];
    let bare = told(&args);
    assert!(!bare.contains("layers/linear.py") && !bare.contains('~'), "{bare}");
    let mapped = told(&[&args[..], &["--mapping", mapping.to_str().unwrap()]].concat());
    insta::assert_snapshot!(mapped);
}

#[test]
fn passes_and_layers_as_text() {
    let (dir, path) = placed("made.json", trace(3, STEPS).text.as_bytes());
    let config = dir.path().join("config.json");
    let text = r#"{"num_hidden_layers":3,"n_routed_experts":8,"first_k_dense_replace":1}"#;
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let args = ["layers", "analyze", path.as_str(), "--config", config, "--layer", "0,1"];
    insta::assert_snapshot!(told(&args));
}
