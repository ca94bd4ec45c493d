//! `vsota round`: open one, or give one up.

group! {
    /// Open a round, or give one up
    RoundArgs / RoundCommand {
        Abandon => abandon::AbandonArgs,
        Open => open::OpenArgs,
    }
}
