//! `vsota idea`: source ideas and what became of them.

group! {
    /// Note source ideas and their verdicts
    IdeaArgs / IdeaCommand {
        Note => note::NoteArgs,
    }
}
