//! `vsota research`: code-first research.

group! {
    /// Note code-first research
    ResearchArgs / ResearchCommand {
        Note => note::NoteArgs,
    }
}
