//! `vsota profile`: profiles and the root cause drawn from them.

group! {
    /// Profiles, and the root cause drawn from them
    ProfileArgs / ProfileCommand {
        File => file::FileArgs,
        Waive => waive::WaiveArgs,
        RootCause => root_cause::RootCauseArgs,
    }
}
