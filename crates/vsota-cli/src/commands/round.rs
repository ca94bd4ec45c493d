//! `vsota round`: open one, or give one up.

group! {
    /// Open a round, or give one up
    RoundArgs / RoundCommand {
        Open => open::OpenArgs,
    }
}
