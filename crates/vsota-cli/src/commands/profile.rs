//! `vsota profile`: profiles and the root cause drawn from them.

group! {
    /// Profiles, and the root cause drawn from them
    ProfileArgs / ProfileCommand {
        Capture => capture::CaptureArgs,
        Analyze => analyze::AnalyzeArgs,
        File => file::FileArgs,
        Waive => waive::WaiveArgs,
        RootCause => root_cause::RootCauseArgs,
    }
}
