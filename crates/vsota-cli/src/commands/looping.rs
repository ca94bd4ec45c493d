//! `vsota loop`: the plan and the Humanize loop.

group! {
    /// The plan and the Humanize loop
    LoopArgs / LoopCommand {
        Plan => plan::PlanArgs,
        Start => start::StartArgs,
    }
}
