//! `vsota loop`: the plan and the Humanize loop.

group! {
    /// The plan and the Humanize loop
    LoopArgs / LoopCommand {
        Plan => plan::PlanArgs,
        Reenter => reenter::ReenterArgs,
        Start => start::StartArgs,
    }
}
