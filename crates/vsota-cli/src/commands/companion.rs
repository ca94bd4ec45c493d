//! `vsota companion`: the skills that the campaign leans on.

group! {
    /// Note a companion skill as read, or why it is not to be had
    CompanionArgs / CompanionCommand {
        Note => note::NoteArgs,
    }
}
