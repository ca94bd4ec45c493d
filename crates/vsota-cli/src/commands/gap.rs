//! `vsota gap`: is vLLM behind, and is that certain?

group! {
    /// Is vLLM behind, and is that certain?
    GapArgs / GapCommand {
        BlockCompetitor => block_competitor::BlockArgs,
        Decide => decide::DecideArgs,
        Evaluate => evaluate::EvaluateArgs,
        Ingest => ingest::IngestArgs,
        Pilot => pilot::PilotArgs,
        Rig => rig::RigArgs,
        Run => run::RunArgs,
    }
}
