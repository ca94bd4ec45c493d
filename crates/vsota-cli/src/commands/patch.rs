//! `vsota patch`: patches of vLLM code.

group! {
    /// Patches of vLLM code
    PatchArgs / PatchCommand {
        Record => record::RecordArgs,
        Amend => amend::AmendArgs,
        Fixup => fixup::FixupArgs,
    }
}
