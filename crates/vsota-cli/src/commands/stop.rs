//! `vsota stop`: claim that the campaign is done, and confirm it.

group! {
    /// Claim that the campaign is done, and confirm it
    StopArgs / StopCommand {
        Claim => claim::ClaimArgs,
        Confirm => confirm::ConfirmArgs,
        External => external::ExternalArgs,
    }
}

/// The evidence of a claim, staged under `benchmark/logs/`, and the first failure that it shows: without
/// one it is prose.
fn evidence<'a>(
    context: &crate::context::Context,
    run: &'a crate::rundir::RunDir,
    files: &[camino::Utf8PathBuf],
) -> Result<
    (Vec<crate::rundir::intake::Staged<'a>>, Option<vsota_core::text::Line>),
    crate::failure::Failure,
> {
    use vsota_core::evidence::failing::Failing;
    let stage = |path: &camino::Utf8PathBuf| {
        let bytes = context.evidence(path, crate::rundir::intake::LIMIT)?;
        let name = path.file_name().and_then(crate::rundir::names::slug);
        let name = name.unwrap_or_else(|| "evidence".to_owned());
        let at = format!("benchmark/logs/stop-{}-{name}", crate::short(&bytes));
        let at = crate::journal::rel(&at)?;
        crate::failing::Seen::of(context, run, path, &at, Failing::Server)
    };
    let (mut staged, mut shown) = (Vec::new(), None);
    for path in files {
        let seen = stage(path)?;
        shown = shown.or(seen.shown.failure());
        staged.push(seen.staged);
    }
    Ok((staged, shown))
}

/// Stops the campaign, and takes its word back from the checkout.
fn stop(
    context: &crate::context::Context,
    command: vsota_core::command::StopCampaign,
) -> Result<crate::output::Outcome, crate::failure::Failure> {
    let run = context.run_dir()?;
    let taken = crate::transition::take(context, &run, command)?;
    let (campaign, _) = crate::chronicle::campaign(&crate::journal::Reading::of(&run)?)?;
    if let vsota_core::State::Stopped(it) = campaign.state() {
        crate::gather::forget(&it.base().brief, &run);
    }
    taken.outcome()
}
