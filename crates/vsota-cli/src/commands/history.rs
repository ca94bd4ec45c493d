//! `vsota history`: the PR history of the model family.

mod check;

group! {
    /// The PR history of the model family
    HistoryArgs / HistoryCommand {
        Query => query::QueryArgs,
        Note => note::NoteArgs,
        Block => block::BlockArgs,
        Close => close::CloseArgs,
    }
}
