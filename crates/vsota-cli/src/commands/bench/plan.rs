//! `vsota bench plan`: FB-2, FB-12.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::Args;
use serde::{Deserialize, Serialize};
use vsota_core::command::DeclareSearch;
use vsota_core::evidence::cookbook::{Planned as Planning, is_cookbook, planned};
use vsota_core::facts::{Framework, Input, PlannedLaunch, SearchPlan, SearchSpace};
use vsota_core::text::{Line, Name};
use vsota_core::{Brief, Clause};

use crate::chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason, Refused, Why};
use crate::gather::{bad, workload_file};
use crate::given;
use crate::journal::{Reading, rel};
use crate::output::{Outcome, Style, Text};
use crate::rundir::RunDir;
use crate::transition;

/// Declare the bounded search: the candidates of each framework, baseline first
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// A plan or cookbook file of the companion, or `{"schema":"vsota-search/1","frameworks":{"vllm":{"whole":false,"candidates":[{"id":…,"server_command":[…]}]}}}`
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

impl Planned {
    fn launch(&self) -> PlannedLaunch {
        PlannedLaunch::new(self.id.clone(), &self.server_command.iter().collect())
    }
}

/// A search as our own file says it, or as the companion's plan or cookbook file does.
fn read(context: &Context, run: &RunDir, args: &PlanArgs, text: &str) -> Result<PlanFile, Failure> {
    let value: serde_json::Value = serde_yaml_ng::from_str(text)
        .map_err(|error| Failure::bad_evidence(error).in_file(&args.file))?;
    if !is_cookbook(&value) {
        return serde_json::from_str(text)
            .map_err(|error| given::misread(&error).in_file(&args.file));
    }
    let inputs = workload_file(context, &args.file)?;
    let campaign = chronicle::campaign(&Reading::of(run)?)?.0;
    as_recorded(campaign.state().brief(), &inputs)?;
    let planned = planned(&value, &inputs).map_err(|error| bad(&error, &args.file))?;
    let space = |it: Planning| {
        let candidates = it.candidates.into_iter();
        let candidates = candidates.map(|(id, server_command)| Planned { id, server_command });
        (it.framework, Space { whole: it.whole, candidates: candidates.collect() })
    };
    let compared = campaign.state().brief().frameworks();
    let spaces = planned.into_iter().filter(|it| compared.contains(&it.framework)).map(space);
    Ok(PlanFile { schema: Schema::One, frameworks: spaces.collect() })
}

/// FB-14: what the plan says of workload, limits and load is what the campaign recorded.
fn as_recorded(brief: &Brief, inputs: &[Input]) -> Result<(), Failure> {
    let differs = |it: &&Input| brief.get(&it.key()) != Some(*it);
    let reasons: Vec<Reason> = inputs
        .iter()
        .filter(differs)
        .map(|it| Reason {
            clause: Clause::Fb14,
            found: format!("the plan's {} is not what the campaign recorded", it.key()),
            help: "vsota status".to_owned(),
        })
        .collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Failure { why: Why::Refused(Refused { reasons }), recorded: None })
}

/// Declares the search and prints its commands.
///
/// # Errors
///
/// Bad evidence when the file is not a plan; refused when a search is empty or too large.
pub fn run(context: &Context, args: PlanArgs) -> Result<Outcome, Failure> {
    let bytes = given::text(context, &args.file)?;
    let run = context.run_dir()?;
    let plan = read(context, &run, &args, &bytes)?;
    let to = rel(&format!("benchmark/plan-{}.json", crate::short(bytes.as_bytes())))?;
    let staged = run.stage_bytes(bytes.as_bytes(), args.file.as_str(), &to, &context.secrets)?;
    let space = |(framework, space): (&Framework, &Space)| SearchSpace {
        framework: *framework,
        candidates: space.candidates.iter().map(Planned::launch).collect(),
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
