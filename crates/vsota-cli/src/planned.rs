//! Which plan holds for a campaign? A plan file, read beside what the campaign recorded, and checked
//! against it (FB-3, FB-14).

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use vsota_core::evidence::search::{Known, Plan};
use vsota_core::facts::{Framework, Input};
use vsota_core::{Brief, Campaign, Clause, State};

use crate::failure::{Failure, Reason, Refused, Why};
use crate::gather::bad;
use crate::journal::rel;
use crate::rundir::RunDir;
use crate::rundir::intake::LIMIT;

/// Reads a plan as the campaign takes it: with the campaign's inputs for what the file leaves out,
/// its flags held to the filed help, its searches those of the frameworks that are compared.
///
/// # Errors
///
/// Bad evidence with line and field; refused when it says something else than the campaign recorded.
pub fn of_campaign(
    campaign: &Campaign,
    run: &RunDir,
    text: &str,
    path: &Utf8Path,
) -> Result<Plan, Failure> {
    let brief = campaign.state().brief();
    let filed = helps(campaign, run)?;
    let help = filed.iter().map(|(framework, text)| (*framework, text.as_str())).collect();
    let known = Known { brief: Some(brief), help };
    let mut plan = Plan::read(text, &known).map_err(|error| bad(&error, path))?;
    as_recorded(brief, &plan)?;
    let compared = compared(campaign);
    let left_out: Vec<_> =
        plan.searches.iter().map(|it| it.framework).filter(|it| !compared.contains(it)).collect();
    for framework in left_out {
        plan.notes.push(format!("{framework} is not in the comparison (IN-4); it is left out"));
    }
    plan.searches.retain(|it| compared.contains(&it.framework));
    Ok(plan)
}

/// The frameworks that are still compared.
fn compared(campaign: &Campaign) -> BTreeSet<Framework> {
    match campaign.state() {
        State::FixedBenchmark(bench) => bench.compared(),
        other => other.brief().frameworks(),
    }
}

/// The help output of each framework that filed one.
fn helps(campaign: &Campaign, run: &RunDir) -> Result<BTreeMap<Framework, String>, Failure> {
    let State::FixedBenchmark(bench) = campaign.state() else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for framework in bench.helped() {
        if let Some(bytes) = run.read(&rel(&format!("help/{framework}.txt"))?, LIMIT)? {
            all.insert(framework, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(all)
}

/// FB-3, FB-14: what the plan says of model, hardware, workload, limits and load is what the campaign
/// recorded.
fn as_recorded(brief: &Brief, plan: &Plan) -> Result<(), Failure> {
    let reason = |clause: Clause, it: &Input| Reason {
        clause,
        found: format!("the plan's {} is not what the campaign recorded", it.key()),
        help: "vsota status".to_owned(),
    };
    let fixed = plan.inputs.iter().filter(|it| brief.get(&it.key()) != Some(*it));
    let same = |it: &&Input| brief.get(&it.key()).is_none_or(|recorded| recorded == *it);
    let other = plan.identity.iter().filter(|it| !same(it));
    let reasons: Vec<Reason> = fixed
        .map(|it| reason(Clause::Fb14, it))
        .chain(other.map(|it| reason(Clause::Fb3, it)))
        .collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Failure { why: Why::Refused(Refused { reasons }), recorded: None })
}
