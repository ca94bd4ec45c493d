//! Reading YAML with its lines: plans and workloads are written by hand, and a wrong key is named with
//! its place. JSON is read too, being YAML.
//!
//! Plain words are resolved as YAML 1.2 does: `yes` and `on` are words, `true` is a boolean.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::error::EvidenceError;

/// The most levels of a file.
const DEPTH: usize = 64;

/// The most values of a file, those that an alias repeats counted each time.
const VALUES: usize = 100_000;

/// A value and the line where it starts, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line where it starts.
    pub line: u64,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and its line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Its line.
    pub line: u64,
}

/// Reads one YAML document.
///
/// # Errors
///
/// With the line, when it is no YAML, has a key twice, or is too deep or too large.
pub fn read(text: &str) -> Result<Node, EvidenceError> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), left: VALUES };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::StreamEnd | Event::DocumentEnd, _) => {
                return Err(EvidenceError::new("the file is empty"));
            }
            (event, span) => {
                let node = reader.node(event, span, 0)?;
                reader.end()?;
                return Ok(node);
            }
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: BTreeMap<usize, Node>,
    left: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), EvidenceError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let line = error.marker().line();
                Err(EvidenceError::new(error.info()).at(line.max(1) as u64))
            }
            None => Err(EvidenceError::new("the file ends within a value")),
        }
    }

    /// Nothing follows the first document.
    fn end(&mut self) -> Result<(), EvidenceError> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (_, span) => {
                    return Err(EvidenceError::new("one document is expected").at(line(span)));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, EvidenceError> {
        let line = line(span);
        let wrong = |message: &str| Err(EvidenceError::new(message).at(line));
        if depth > DEPTH {
            return wrong("the file nests too deeply");
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return wrong("the file holds too many values"),
        };
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (Kind::Scalar(scalar(&text, style, tag.as_deref())), anchor)
            }
            Event::SequenceStart(anchor, _) => (Kind::List(self.list(depth)?), anchor),
            Event::MappingStart(anchor, _) => (Kind::Map(self.map(depth)?), anchor),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return wrong("an alias of nothing");
                };
                self.left = match self.left.checked_sub(node.size()) {
                    Some(left) => left,
                    None => return wrong("the file holds too many values"),
                };
                return Ok(node);
            }
            _ => return wrong("a value is expected"),
        };
        let node = Node { line, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, EvidenceError> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(list),
                (event, span) => list.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, EvidenceError> {
        let mut map: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(map);
            }
            let key = self.node(event, span, depth + 1)?;
            let name =
                key.plain().ok_or_else(|| EvidenceError::new("a key is a word").at(key.line))?;
            if map.iter().any(|(it, _)| it.name == name) {
                return Err(EvidenceError::new("the key occurs twice").at(key.line).of(&name));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            map.push((Key { name, line: key.line }, value));
        }
    }
}

fn line(span: Span) -> u64 {
    span.start.line().max(1) as u64
}

/// A scalar as YAML 1.2 resolves it; what is quoted or tagged as a string is text.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let tagged = tag.is_some_and(|it| it.suffix == "str");
    if style != ScalarStyle::Plain || tagged {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        number => plain_number(number).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

/// What YAML 1.2 and Python both take for a number; `1e3`, which only one of them does, is one too.
fn plain_number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(hex) = digits.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Value::from);
    }
    let first = digits.bytes().next()?;
    let second = digits.as_bytes().get(1).copied();
    let starts =
        first.is_ascii_digit() || (first == b'.' && second.is_some_and(|it| it.is_ascii_digit()));
    if !starts {
        return None;
    }
    let whole = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = whole.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = whole.parse::<i64>() {
        return Some(number.into());
    }
    let number: f64 = whole.parse().ok()?;
    serde_json::Number::from_f64(number).map(Value::Number)
}

impl Node {
    /// Whether it is null or empty.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Scalar(Value::Null))
    }

    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        self.scalar().and_then(Value::as_str)
    }

    /// The scalar, when it is one.
    pub fn scalar(&self) -> Option<&Value> {
        match &self.kind {
            Kind::Scalar(value) => Some(value),
            _ => None,
        }
    }

    /// The scalar as it is written on a command line; `None` for a list, a mapping or null.
    pub fn plain(&self) -> Option<String> {
        match self.scalar()? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        }
    }

    /// The elements, when it is a list.
    pub fn list(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    /// The keys and values, when it is a mapping.
    pub fn map(&self) -> Option<&[(Key, Self)]> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(name, _)| name.name == key).map(|(_, value)| value)
    }

    /// The same value in serde_json's words, without lines.
    pub fn json(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(list) => Value::Array(list.iter().map(Self::json).collect()),
            Kind::Map(map) => {
                let entries = map.iter().map(|(key, value)| (key.name.clone(), value.json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// The line of a field such as `scenarios.name` or `sla`, as far down as its keys are there.
    pub fn line_of(&self, field: &str) -> u64 {
        self.walk(field).0
    }

    /// The line of a field whose every key is there.
    pub fn line_at(&self, field: &str) -> Option<u64> {
        let (line, whole) = self.walk(field);
        whole.then_some(line)
    }

    /// The line of the last key of the field that is there, and whether all of them are.
    fn walk(&self, field: &str) -> (u64, bool) {
        let mut at = self;
        let mut line = self.line;
        for part in field.split('.') {
            let keys = at.map().unwrap_or_default();
            let Some((key, value)) = keys.iter().find(|(key, _)| key.name == part) else {
                return (line, false);
            };
            (line, at) = (key.line, value);
        }
        (line, true)
    }

    fn size(&self) -> usize {
        let inside: usize = match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(list) => list.iter().map(Self::size).sum(),
            Kind::Map(map) => map.iter().map(|(_, value)| value.size() + 1).sum(),
        };
        inside + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use serde_json::json;

    #[test]
    fn a_file_is_read_with_its_lines_and_its_order() {
        let node = read("# a plan\nb: [1, 2.5]\na:\n  c: 'x y'\n  d: null\n").unwrap();
        assert_eq!(node.json(), json!({"b": [1, 2.5], "a": {"c": "x y", "d": null}}));
        let keys: Vec<_> = node.map().unwrap().iter().map(|(it, _)| it.name.as_str()).collect();
        assert_eq!(keys, ["b", "a"]);
        assert_eq!((node.line_of("a"), node.line_of("a.d"), node.line_of("a.e")), (3, 5, 3));
    }

    #[test]
    fn words_numbers_and_booleans_are_what_the_field_takes_them_for() {
        for (text, value) in [
            ("on", json!("on")),
            ("true", json!(true)),
            ("0.90", json!(0.9)),
            ("-1", json!(-1)),
            ("1e3", json!(1000.0)),
            ("'12'", json!("12")),
            ("12k", json!("12k")),
            (".inf", json!(".inf")),
            ("~", json!(null)),
            ("{\"a\": [true]}", json!({"a": [true]})),
        ] {
            assert_eq!(read(text).unwrap().json(), value, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line) in [("a: 1\nb: [1\n", 3), ("a: 1\na: 2\n", 2), ("a: 1\n---\nb: 2\n", 2)] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, Some(line), "{text:?}: {error}");
        }
        assert!(read("").is_err() && read(&"[".repeat(5_000)).is_err());
    }

    #[test]
    fn aliases_repeat_what_they_name_and_no_more_than_fits() {
        let node = read("a: &x {b: 1}\nc: *x\n").unwrap();
        assert_eq!(node.json()["c"], json!({"b": 1}));
        let mut bomb = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
        for n in 1..9 {
            let one = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [one.as_str(); 10].join(", ")));
        }
        assert!(read(&bomb).unwrap_err().message.contains("too many"));
    }
}
