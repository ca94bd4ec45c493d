//! `vsota bench plan`: FB-2, FB-12.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::Args;
use serde::{Deserialize, Serialize};
use vsota_core::command::DeclareSearch;
use vsota_core::facts::{Framework, SearchPlan, SearchSpace};
use vsota_core::text::{Line, Name};

use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::journal::rel;
use crate::output::{Outcome, Style, Text};
use crate::transition;

/// Declare the bounded search: the candidates of each framework, baseline first
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The plan: `{"schema":"vsota-search/1","frameworks":{"vllm":{"whole":false,"candidates":[{"id":…,"server_command":[…]}]}}}`
    #[arg(value_name = "FILE")]
    file: Utf8PathBuf,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    schema: Schema,
    frameworks: BTreeMap<Framework, Space>,
}

#[derive(Deserialize, Serialize)]
enum Schema {
    #[serde(rename = "vsota-search/1")]
    One,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Space {
    #[serde(default)]
    whole: bool,
    candidates: Vec<Planned>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    id: Name,
    server_command: Vec<Line>,
}

/// Declares the search and prints its commands.
///
/// # Errors
///
/// Bad evidence when the file is not a plan; refused when a search is empty or too large.
pub fn run(context: &Context, args: PlanArgs) -> Result<Outcome, Failure> {
    let plan: PlanFile = given::json(context, &args.file)?;
    let run = context.run_dir()?;
    let bytes = given::text(context, &args.file)?;
    let to = rel(&format!("benchmark/plan-{}.json", crate::short(bytes.as_bytes())))?;
    let staged = run.stage_bytes(bytes.as_bytes(), args.file.as_str(), &to, &context.secrets)?;
    let space = |(framework, space): (&Framework, &Space)| SearchSpace {
        framework: *framework,
        candidates: space.candidates.iter().map(|it| it.id.clone()).collect(),
        whole: space.whole,
    };
    let spaces = plan.frameworks.iter().map(space).collect();
    let search = SearchPlan { plan: staged.artifact().clone(), spaces };
    let taken =
        transition::take_with(context, &run, vec![staged], |_| Ok(DeclareSearch(search).into()))?;
    let mut text = Text::new();
    for (framework, space) in &plan.frameworks {
        text.push(Style::Strong, framework.title()).end();
        for it in &space.candidates {
            let words: Vec<&str> = it.server_command.iter().map(Line::as_str).collect();
            text.plain(format!("  {}  ", it.id)).push(Style::Code, words.join(" ")).end();
        }
    }
    taken.outcome_with(text, &plan)
}
