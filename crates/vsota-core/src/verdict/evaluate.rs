//! The pure functions on JSON, as `vsota gap evaluate` offers them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{
    Action, LengthError, Order, Reason, ScenarioFold, SessionKind, Standing, Verdict, decide,
    fold_campaign, fold_competitors, improvement, log_ratios, ncu, order_effect, outliers, sla,
    slope_t, welch,
};
use crate::measure::{Measured, Real};

/// The kinds that [`evaluate`] knows, the default first.
pub const KINDS: [&str; 10] = [
    "pair",
    "welch",
    "improvement",
    "sla",
    "ncu",
    "fold_competitors",
    "fold_campaign",
    "order_effect",
    "outliers",
    "slope_t",
];

/// What is wrong with an input.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorCode {
    /// A field is missing, unknown, of the wrong type, or not a number that can be.
    Value,
    /// Lists that belong together differ in length.
    Length,
}

/// An input that cannot be evaluated.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{field}: {message}")]
pub struct EvaluateError {
    /// What is wrong with it.
    pub code: ErrorCode,
    /// Where, such as `v[2]` or `scenarios[0].reason`.
    pub field: String,
    /// What was expected and what was found.
    pub message: String,
}

type Evaluated<T> = Result<T, EvaluateError>;

/// One JSON object whose fields are read by name.
struct Input<'a> {
    fields: &'a Map<String, Value>,
    prefix: String,
}

/// Applies one of the verdict's functions to an input as `vectors/gap.json` has them.
///
/// Competitors' names are free labels. Absent numbers are printed as null.
///
/// # Errors
///
/// When the kind is unknown, or the input is not what the kind takes.
pub fn evaluate(kind: &str, input: &Value) -> Evaluated<Value> {
    match kind {
        "pair" => pair(input),
        "welch" => {
            let input = Input::new("", input, &["v", "c"])?;
            print(&welch(&input.measured("v")?, &input.measured("c")?))
        }
        "improvement" => {
            let input = Input::new("", input, &["new", "base"])?;
            print(&improvement(&input.table("new")?, &input.table("base")?)?)
        }
        "sla" => {
            let input = Input::new("", input, &["values", "limit"])?;
            let limit = number("limit", input.get("limit")?)?;
            print(&sla(&input.measured("values")?, limit))
        }
        "ncu" => {
            let input = Input::new("", input, &["base_us", "cand_us"])?;
            input.same_length("base_us", "cand_us")?;
            print(&ncu(&input.measured("base_us")?, &input.measured("cand_us")?)?)
        }
        "fold_competitors" => print(&fold_competitors(&standings(input)?)),
        "fold_campaign" => campaign(input),
        "order_effect" => {
            let input = Input::new("", input, &["v", "c", "order"])?;
            print(&order_effect(&input.ratios()?, &input.order()?)?)
        }
        "outliers" => print(&outliers(&Input::new("", input, &["v", "c"])?.ratios()?)),
        "slope_t" => print(&slope_t(&Input::new("", input, &["y"])?.reals("y")?)),
        _ => Err(value("kind", format!("`{kind}` is none of {}", KINDS.join(" ")))),
    }
}

fn pair(input: &Value) -> Evaluated<Value> {
    let input = Input::new("", input, &["v", "c", "order"])?;
    input.same_length("v", "c")?;
    print(&decide(&input.measured("v")?, &input.measured("c")?, &input.order()?)?)
}

fn standings(input: &Value) -> Evaluated<BTreeMap<String, Standing>> {
    let fields = object("input", input)?;
    fields.iter().map(|(label, value)| Ok((label.clone(), standing(label, value)?))).collect()
}

/// One competitor, written `["Inconclusive", 2, "NeedMore", false]`.
fn standing(label: &str, input: &Value) -> Evaluated<Standing> {
    let (verdict, k, reason, lean) = typed(label, input)?;
    if matches!(verdict, Verdict::Unopposed | Verdict::NoCompetitor) {
        return Err(value(label, format!("{verdict} is no verdict on one competitor")));
    }
    check_reason(label, verdict, reason)?;
    Ok(Standing { verdict, k, reason, lean })
}

fn campaign(input: &Value) -> Evaluated<Value> {
    let input = Input::new("", input, &["scenarios", "sla_fail_while_other_passes", "session"])?;
    let scenarios = list("scenarios", input.get("scenarios")?)?;
    let scenarios = scenarios
        .iter()
        .enumerate()
        .map(|(at, scenario)| self::scenario(&format!("scenarios[{at}]"), scenario))
        .collect::<Evaluated<Vec<_>>>()?;
    let fail = input.typed("sla_fail_while_other_passes")?;
    let session: SessionKind = input.typed("session")?;
    let fold = fold_campaign(&scenarios, fail, session);
    let mut output = Map::new();
    output.insert("action".to_string(), json!(fold.action));
    if let Some(label) = fold.label {
        output.insert("label".to_string(), json!(label));
    }
    if fold.action == Action::MoreRuns {
        output.insert("k".to_string(), json!(fold.more_blocks));
    }
    Ok(Value::Object(output))
}

fn scenario(at: &str, input: &Value) -> Evaluated<ScenarioFold<String>> {
    let input = Input::new(at, input, &["verdict", "reason", "leaders", "k"])?;
    let verdict = input.typed("verdict")?;
    let reason = match input.fields.get("reason") {
        Some(reason) => typed(&input.path("reason"), reason)?,
        None => None,
    };
    check_reason(&input.path("reason"), verdict, reason)?;
    let (leaders, k) = (input.typed("leaders")?, input.typed("k")?);
    Ok(ScenarioFold { verdict, reason, leaders, k })
}

/// What is inconclusive says why.
fn check_reason(field: &str, verdict: Verdict, reason: Option<Reason>) -> Evaluated<()> {
    if verdict == Verdict::Inconclusive && reason.is_none() {
        return Err(value(field, "Inconclusive without a reason"));
    }
    Ok(())
}

impl<'a> Input<'a> {
    /// Reads an object that may have these fields and no others.
    fn new(at: &str, input: &'a Value, known: &[&str]) -> Evaluated<Self> {
        let fields = object(if at.is_empty() { "input" } else { at }, input)?;
        let prefix = if at.is_empty() { String::new() } else { format!("{at}.") };
        let input = Self { fields, prefix };
        match fields.keys().find(|field| !known.contains(&field.as_str())) {
            Some(field) => Err(value(input.path(field), "unknown field")),
            None => Ok(input),
        }
    }

    fn path(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    fn get(&self, field: &str) -> Evaluated<&'a Value> {
        self.fields.get(field).ok_or_else(|| value(self.path(field), "missing"))
    }

    fn typed<T: DeserializeOwned>(&self, field: &str) -> Evaluated<T> {
        typed(&self.path(field), self.get(field)?)
    }

    fn measured(&self, field: &str) -> Evaluated<Vec<Measured>> {
        numbers(field, self.get(field)?)
    }

    fn reals(&self, field: &str) -> Evaluated<Vec<Real>> {
        numbers(field, self.get(field)?)
    }

    fn table(&self, field: &str) -> Evaluated<Vec<Vec<Measured>>> {
        let rows = list(field, self.get(field)?)?.iter().enumerate();
        rows.map(|(at, row)| numbers(&format!("{field}[{at}]"), row)).collect()
    }

    /// The order inside the blocks, written `VCVC`.
    fn order(&self) -> Evaluated<Vec<Order>> {
        let text: String = self.typed("order")?;
        let slot = |(at, letter)| match letter {
            'V' => Ok(Order::VllmFirst),
            'C' => Ok(Order::CompetitorFirst),
            _ => Err(value(format!("order[{at}]"), format!("`{letter}` is neither V nor C"))),
        };
        text.chars().enumerate().map(slot).collect()
    }

    fn ratios(&self) -> Evaluated<Vec<Real>> {
        self.same_length("v", "c")?;
        Ok(log_ratios(&self.measured("v")?, &self.measured("c")?)?)
    }

    /// Lists of different lengths are that, whatever else is wrong with what they hold.
    fn same_length(&self, left: &str, right: &'static str) -> Evaluated<()> {
        let (expected, found) = (list(left, self.get(left)?)?, list(right, self.get(right)?)?);
        Ok(LengthError::check(right, found.len(), expected.len())?)
    }
}

impl ErrorCode {
    /// The word for it: `value` or `length`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Length => "length",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<LengthError> for EvaluateError {
    fn from(error: LengthError) -> Self {
        Self {
            code: ErrorCode::Length,
            field: error.list.to_string(),
            message: format!("{} entries where {} belong", error.found, error.expected),
        }
    }
}

fn value(field: impl Into<String>, message: impl Into<String>) -> EvaluateError {
    EvaluateError { code: ErrorCode::Value, field: field.into(), message: message.into() }
}

fn object<'a>(field: &str, input: &'a Value) -> Evaluated<&'a Map<String, Value>> {
    input.as_object().ok_or_else(|| value(field, "not an object"))
}

fn list<'a>(field: &str, input: &'a Value) -> Evaluated<&'a Vec<Value>> {
    input.as_array().ok_or_else(|| value(field, "not a list"))
}

fn typed<T: DeserializeOwned>(field: &str, input: &Value) -> Evaluated<T> {
    T::deserialize(input).map_err(|error| value(field, error.to_string()))
}

fn numbers<T>(field: &str, input: &Value) -> Evaluated<Vec<T>>
where
    T: TryFrom<f64, Error: fmt::Display>,
{
    let entries = list(field, input)?.iter().enumerate();
    entries.map(|(at, entry)| number(&format!("{field}[{at}]"), entry)).collect()
}

fn number<T: TryFrom<f64, Error: fmt::Display>>(field: &str, input: &Value) -> Evaluated<T> {
    let number = input.as_f64().ok_or_else(|| value(field, "not a number"))?;
    T::try_from(number).map_err(|error| value(field, error.to_string()))
}

fn print<T: Serialize>(output: &T) -> Evaluated<Value> {
    serde_json::to_value(output).map_err(|error| value("input", error.to_string()))
}
