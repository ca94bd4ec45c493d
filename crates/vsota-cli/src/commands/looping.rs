//! `vsota loop`: the plan and the Humanize loop.

mod tell;

group! {
    /// The plan and the Humanize loop
    LoopArgs / LoopCommand {
        Plan => plan::PlanArgs,
        Reenter => reenter::ReenterArgs,
        Start => start::StartArgs,
        Status => status::StatusArgs,
    }
}
