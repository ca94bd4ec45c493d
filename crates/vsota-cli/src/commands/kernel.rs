//! `vsota kernel`: kernel evidence, inside the model loop.

group! {
    /// Kernel evidence, inside the model loop
    KernelArgs / KernelCommand {
        Check => check::CheckArgs,
        Open => open::OpenArgs,
        Digest => digest::DigestArgs,
        Close => close::CloseArgs,
        Block => block::BlockArgs,
    }
}
