//! `vsota layers`: the layer pipeline of the profiled forward pass.

group! {
    /// The layer pipeline of the profiled forward pass
    LayersArgs / LayersCommand {
        Analyze => analyze::AnalyzeArgs,
        File => file::FileArgs,
    }
}
