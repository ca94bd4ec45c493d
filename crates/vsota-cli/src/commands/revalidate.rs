//! `vsota revalidate`: is the patch right, and is it faster?

group! {
    /// Say whether the patch is right, and faster
    RevalidateArgs / RevalidateCommand {
        Run => run::RunArgs,
        Test => test::TestArgs,
        Ingest => ingest::IngestArgs,
        Accept => accept::AcceptArgs,
        Retry => retry::RetryArgs,
        Reject => reject::RejectArgs,
    }
}
