//! `vsota inputs`: what the campaign is told.

group! {
    /// Record inputs, and close them when nothing is missing
    InputsArgs / InputsCommand {
        Set => set::SetArgs,
        Close => close::CloseArgs,
    }
}
