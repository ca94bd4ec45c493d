//! How long will it take? A rough count before anything starts; what it assumes is said with it.

use super::{Plan, Search};
use crate::facts::{LatencyKind, Rate, Scenario, Sla, Stat};

/// A launch without a measurement, ms.
const LAUNCH: u64 = 120_000;

/// A generated token without a limit on it, ms.
const TOKEN: f64 = 30.0;

/// Requests that a server without a cap is taken to answer at once.
const AT_ONCE: u32 = 64;

/// What a plan comes to when each candidate is launched once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Estimate {
    /// Server launches.
    pub launches: u64,
    /// Benchmark runs, without the warm-ups.
    pub runs: u64,
    /// The time that all of them take, ms.
    pub total_ms: u64,
    /// What a launch is taken for, ms.
    pub launch_ms: u64,
    /// What a generated token is taken for, microseconds.
    pub token_us: u64,
}

impl Estimate {
    /// Counts the plan through. The limit on p50 TPOT stands for a token where there is one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time above zero, far below 2^52 microseconds"
    )]
    pub fn of(plan: &Plan, sla: &Sla) -> Self {
        let limit = sla.limits.iter().find(|(it, _)| {
            it.kind == LatencyKind::Tpot && matches!(it.stat, Stat::P50 | Stat::Mean)
        });
        let token = limit.map_or(TOKEN, |(_, limit)| limit.get());
        let candidates = |it: &Search| it.candidates.len() as u64;
        let launches = plan.searches.iter().map(candidates).sum::<u64>();
        let scenarios = plan.scenarios();
        let runs = launches.saturating_mul(scenarios.len() as u64);
        let all = |it: &Search| {
            let one = |scenario| {
                run(scenario, scenario.num_prompts, token)
                    + run(scenario, it.client.warmup_prompts, token)
            };
            candidates(it) as f64 * (LAUNCH as f64 + scenarios.iter().map(one).sum::<f64>())
        };
        let total_ms = plan.searches.iter().map(all).sum::<f64>();
        Self {
            launches,
            runs,
            total_ms: total_ms as u64,
            launch_ms: LAUNCH,
            token_us: (token * 1_000.0) as u64,
        }
    }
}

/// The longer of what the load takes to arrive and what its waves take to be answered, ms.
fn run(scenario: &Scenario, prompts: u32, token: f64) -> f64 {
    let arrival = match scenario.request_rate {
        Rate::Unbounded => 0.0,
        Rate::PerSecond(rate) => f64::from(prompts) * 1_000.0 / rate.get(),
    };
    let at_once = scenario.max_concurrency.unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
    let waves = prompts.div_ceil(at_once);
    arrival.max(f64::from(waves) * f64::from(scenario.output_len) * token)
}
