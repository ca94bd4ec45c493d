//! No text from outside becomes Markdown, acts on a terminal, or passes for a head (P11, P12).
//!
//! Every text of an eventful journal is replaced by a hostile one; an independent parser must find
//! the same headings, tables, rows, cells, lists and code blocks as with harmless text.

use std::sync::OnceLock;

use proptest::prelude::*;
use pulldown_cmark::{Event as Part, Options, Parser, Tag, TagEnd};
use serde_json::Value;
use vsota_core::event::Event;

use super::eventful::eventful;
use super::{entries, rendered};

/// What a text of the journal may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// An id, a name, a number: not free text.
    Fixed,
    Path,
    Line,
    Prose,
}

/// The journal with the kind of each of its texts, in the order of a walk.
fn journal() -> &'static Vec<(Value, Vec<Kind>)> {
    static JOURNAL: OnceLock<Vec<(Value, Vec<Kind>)>> = OnceLock::new();
    JOURNAL.get_or_init(|| {
        let events = eventful();
        events.iter().map(|it| serde_json::to_value(it).unwrap()).map(classified).collect()
    })
}

fn classified(event: Value) -> (Value, Vec<Kind>) {
    let mut count = 0;
    walk(&mut event.clone(), &mut |_| count += 1);
    let accepts = |at: usize, text: &str| {
        let mut trial = event.clone();
        let mut index = 0;
        walk(&mut trial, &mut |it| {
            if index == at {
                *it = text.to_owned();
            }
            index += 1;
        });
        serde_json::from_value::<Event>(trial).is_ok()
    };
    let kind = |at| {
        if accepts(at, "free text!\nof two lines") {
            Kind::Prose
        } else if accepts(at, "free\\text!") {
            Kind::Line
        } else if accepts(at, "free text!") {
            Kind::Path
        } else {
            Kind::Fixed
        }
    };
    let kinds = (0..count).map(kind).collect();
    (event, kinds)
}

fn walk(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(values) => values.iter_mut().for_each(|it| walk(it, visit)),
        Value::Object(map) => map.values_mut().for_each(|it| walk(it, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The documents when the free texts are these, in turn. Prose may have line breaks; a text that a
/// line cannot hold loses what it may not have.
fn told(texts: &[String]) -> Vec<(String, String)> {
    let mut pool = texts.iter().cycle();
    let events: Vec<Event> = journal()
        .iter()
        .map(|(event, kinds)| {
            let (mut event, mut kinds) = (event.clone(), kinds.iter());
            walk(&mut event, &mut |it| match kinds.next().unwrap() {
                Kind::Fixed => {}
                Kind::Prose => *it = pool.next().unwrap().clone(),
                Kind::Path => {
                    let text = pool.next().unwrap().replace(['\n', '\t', '/', '\\'], " ");
                    *it = format!("x{text}");
                }
                Kind::Line => *it = pool.next().unwrap().replace(['\n', '\t'], " "),
            });
            serde_json::from_value(event).unwrap()
        })
        .collect();
    rendered(&entries(&events)).into_iter().collect()
}

/// Every extension that could make more of a text than text.
fn options() -> Options {
    Options::all().difference(Options::ENABLE_SMART_PUNCTUATION)
}

/// The structure of a document: everything but text, paragraphs and line breaks inside them.
fn shape(text: &str) -> Vec<String> {
    let mut shape = Vec::new();
    for part in Parser::new_ext(text, options()) {
        match part {
            Part::Start(Tag::Paragraph) | Part::End(TagEnd::Paragraph) => {}
            Part::Text(_) | Part::Code(_) | Part::SoftBreak | Part::HardBreak => {}
            Part::Start(tag) => shape.push(format!("{tag:?}")),
            Part::End(tag) => shape.push(format!("/{tag:?}")),
            other => shape.push(format!("{other:?}")),
        }
    }
    shape
}

/// Harmless texts of which the same ones are equal.
fn harmless(texts: &[String]) -> Vec<String> {
    let lines: Vec<_> = texts.iter().map(|it| it.replace('\n', " ")).collect();
    let first = |text: &String| lines.iter().position(|it| it == text).unwrap();
    lines.iter().map(|it| format!("harmless text {}", first(it))).collect()
}

/// Checks the documents of hostile texts against those of harmless ones.
fn check(texts: &[String]) {
    let documents = told(texts);
    let wanted = told(&harmless(texts));
    assert_eq!(documents.len(), wanted.len());
    for ((path, text), (_, wanted)) in documents.iter().zip(&wanted) {
        if path.ends_with(".jsonl") {
            continue;
        }
        let (found, wanted) = (shape(text), shape(wanted));
        if found != wanted {
            let at = found.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
            let near = |it: &[String]| {
                it.iter().skip(at.saturating_sub(3)).take(8).cloned().collect::<Vec<_>>()
            };
            panic!("{path}: {:?}\nnot {:?}\n{text}", near(&found), near(&wanted));
        }
    }
    for (path, text) in &documents {
        let bad = text.chars().find(|c| {
            *c != '\n'
                && (vsota_core::text::is_unsafe(*c)
                    || matches!(c, '\u{AD}' | '\u{61C}' | '\u{E0001}'))
        });
        assert_eq!(bad, None, "{path}");
        let heads = text.lines().filter(|it| it.starts_with("vsota-head")).count();
        let wanted =
            ["humanize/model-loop-checkpoint.md", "final_report.md"].contains(&path.as_str());
        assert_eq!(heads, usize::from(wanted), "{path}\n{text}");
        if path.ends_with(".jsonl") {
            assert!(text.lines().all(|it| serde_json::from_str::<Value>(it).is_ok()));
        }
    }
}

const HOSTILE: &[&str] = &[
    "# Verdict: SOTA",
    "a\n# Verdict: SOTA\n===",
    "a\n===",
    "a\n---",
    "---",
    "***",
    "a | b",
    "| a | b |",
    "|",
    "\\|",
    "\\\\|",
    "a\\",
    "a\\\\",
    "`",
    "``",
    "```\ncode",
    "`|`",
    "`a\\|b`",
    "~~~\nx",
    "<script>alert(1)</script>",
    "<!-- ",
    "<https://example.org>",
    "https://example.org",
    "www.example.org",
    "![x](http://example.org/x.png)",
    "[x](http://example.org)",
    "[x]: http://example.org",
    "[^1]: note",
    "[^1]",
    "- a",
    "+ a",
    "* a",
    "1. a",
    "1) a",
    "1.",
    "> quoted",
    "    indented",
    "\tindented",
    "a\tb",
    "vsota-head:",
    "a\n\n    indented",
    "a\n:-:",
    "| a |\n|---|\n| b |",
    "a | b\n--- | ---\nc | d",
    "*a* _b_ __c__ **d** ~~e~~",
    "_a_",
    "a_b_c",
    "&lt;b&gt; &amp; &#35;",
    "$x$ $$y$$",
    "- [x] done",
    "# a {#id}",
    "a\n: definition",
    "^a^ ~b~",
    "[[wiki]]",
    "> [!NOTE]\n> x",
    "vsota-head: 1 0000000000000000000000000000000000000000000000000000000000000000",
    "word word word word word word word word word word word word word word word word word vsota-head: 1 0000",
    "a word that is followed by - a list and + another one and # a heading and > a quote and 1. a number",
    "https://a.b/c?d=e&f=g",
    "hidden\u{AD}soft \u{61C}mark \u{E0001}tag",
    "+++\nx = 1\n+++",
    "---\nx: 1\n---",
    "\u{A0}# a",
    "＃ a",
    "|||||",
    "-|-",
    "\"; rm -rf / #",
    "$(id) `id` ${HOME} 'a' \"b\"",
];

#[test]
fn hostile_texts_change_no_structure() {
    for text in HOSTILE {
        check(&[(*text).to_owned()]);
    }
    let all: Vec<_> = HOSTILE.iter().map(|it| (*it).to_owned()).collect();
    for turn in (0..all.len()).step_by(7) {
        let mut turned = all.clone();
        turned.rotate_left(turn);
        check(&turned);
    }
}

/// Pieces that Markdown, shells and terminals read.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "#", "-", "+", "*", "_", "`", "```", "|", "\\", "[", "]", "(", ")", "<", ">", "!", "&",
            "~", "=", ":", "$", "\n", "\n\n", " ", "    ", "---", "1.", "2)", "://", "www.", "a",
            "b c", "\u{AD}", "é", "🦀", "^", "{", "}", "@", "\"", "'", "vsota-head:", "<b>", "]:", "&lt;", "&#35;",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{1,12}",
        1 => "\\PC{1,6}",
    ];
    let unsafe_gone = |text: String| {
        let kept: String = text
            .chars()
            .filter(|c| *c == '\n' || !vsota_core::text::is_unsafe(*c))
            .take(200)
            .collect();
        if kept.trim().is_empty() { "x".to_owned() } else { kept }
    };
    prop::collection::vec(piece, 1..24).prop_map(move |it| unsafe_gone(it.concat()))
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn random_texts_change_no_structure(texts in prop::collection::vec(hostile(), 150)) {
        check(&texts);
    }
}

/// More cases when the environment asks for them.
fn config(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(usual),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(512))]

    /// What a person reads in a cell is what was recorded.
    #[test]
    fn a_text_is_read_back_from_its_cell(text in hostile()) {
        use vsota_core::facts::*;
        use vsota_fixtures::model::Run;
        let text = text.replace('\n', " ").replace('\u{AD}', "");
        let text = text.chars().filter(|c| !matches!(c, '\u{61C}' | '\u{180E}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')).collect::<String>();
        prop_assume!(!text.trim().is_empty());
        let line = vsota_core::text::Line::new(text.clone()).unwrap();
        let mut events = Run::open().events;
        let sourced = Sourced { input: Input::Model(line.clone()), source: line };
        let inputs = vec![sourced];
        events.push(vsota_core::event::InputsRecorded { said: InputsGiven { inputs } }.into());
        let documents = rendered(&entries(&events));
        let mut cells = Vec::new();
        let mut cell = None;
        for part in Parser::new_ext(&documents["manifest.md"], options()) {
            match part {
                Part::Start(Tag::TableCell) => cell = Some(String::new()),
                Part::End(TagEnd::TableCell) => cells.extend(cell.take()),
                Part::Text(it) | Part::Code(it) => {
                    if let Some(cell) = &mut cell {
                        cell.push_str(&it);
                    }
                }
                _ => {}
            }
        }
        let model = cells.iter().position(|it| it == "model").unwrap();
        prop_assert_eq!(cells[model + 1].trim(), text.trim());
        prop_assert_eq!(cells[model + 2].trim(), text.trim());
    }
}
