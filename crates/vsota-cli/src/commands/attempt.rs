//! `vsota attempt`: tries that never became a patch.

group! {
    /// Note tries that never became a patch
    AttemptArgs / AttemptCommand {
        Note => note::NoteArgs,
    }
}
