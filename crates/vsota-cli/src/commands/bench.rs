//! `vsota bench`: the fixed fair benchmark.

group! {
    /// The fixed fair benchmark: file rows, compare them, freeze them once
    BenchArgs / BenchCommand {
        Exclude => exclude::ExcludeArgs,
        Freeze => freeze::FreezeArgs,
        Help => help::HelpArgs,
        Ingest => ingest::IngestArgs,
        Plan => plan::PlanArgs,
        Rank => rank::RankArgs,
        Read => read::ReadArgs,
        Run => run::RunArgs,
        Table => table::TableArgs,
    }
}
