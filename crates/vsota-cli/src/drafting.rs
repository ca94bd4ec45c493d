//! How does a draft come in, and how does its skeleton go out?

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::evidence::EvidenceError;
use vsota_core::evidence::draft::{DraftKind, Known, template};
use vsota_core::facts::{HotKernel, ProfileRow};
use vsota_core::phase::{InLoop as _, Triage};
use vsota_core::text::{Name, RelPath};
use vsota_core::{Artifact, Campaign, Digest, State};

use crate::chronicle;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::gather::bad;
use crate::given;
use crate::journal::Reading;
use crate::output::{Outcome, Text};
use crate::rundir::RunDir;
use crate::rundir::intake::Staged;

/// A draft, or the wish for its skeleton.
#[derive(Args, Clone, Debug)]
pub struct DraftArgs {
    /// The draft; `-` is standard input
    #[arg(value_name = "DRAFT", required_unless_present = "template", conflicts_with = "template")]
    draft: Option<Utf8PathBuf>,

    /// Print the skeleton of the draft with this round's rows, and record nothing
    #[arg(long)]
    template: bool,
}

/// A draft as it was read.
#[derive(Clone, Debug)]
pub struct Sheet {
    from: Utf8PathBuf,
    text: String,
}

impl DraftArgs {
    /// What a command of other arguments takes for the same.
    pub fn of(draft: Option<Utf8PathBuf>, template: bool) -> Self {
        Self { draft, template }
    }

    /// Reads the draft; `None` when its skeleton is wanted.
    ///
    /// # Errors
    ///
    /// Bad evidence when it is not UTF-8 or too large; secret when it holds one.
    pub fn read(&self, context: &Context) -> Result<Option<Sheet>, Failure> {
        let Some(from) = self.draft.as_ref().filter(|_| !self.template) else { return Ok(None) };
        Sheet::read(context, from).map(Some)
    }
}

impl Sheet {
    /// Reads a draft.
    ///
    /// # Errors
    ///
    /// As [`DraftArgs::read`].
    pub fn read(context: &Context, from: &Utf8Path) -> Result<Self, Failure> {
        let text = given::text(context, from)?;
        Ok(Self { from: from.to_owned(), text })
    }

    /// What the draft says.
    ///
    /// # Errors
    ///
    /// Bad evidence with file, line and field.
    pub fn says<T>(
        &self,
        decode: impl FnOnce(&str) -> Result<T, EvidenceError>,
    ) -> Result<T, Failure> {
        decode(&self.text).map_err(|error| bad(&error, &self.from))
    }

    /// Where it was read from.
    pub fn from(&self) -> &Utf8Path {
        &self.from
    }

    /// A short name of its own for each content.
    pub fn short(&self) -> String {
        crate::short(self.text.as_bytes())
    }

    /// The artefact that the draft becomes at that place.
    pub fn artifact(&self, at: &RelPath) -> Artifact {
        let bytes = self.text.len() as u64;
        Artifact { path: at.clone(), sha256: Digest::of(self.text.as_bytes()), bytes }
    }

    /// Puts the draft there, without giving it its name yet.
    ///
    /// # Errors
    ///
    /// When the place has a name that is refused, or cannot be written.
    pub fn stage<'a>(
        &self,
        context: &Context,
        run: &'a RunDir,
        at: &RelPath,
    ) -> Result<Staged<'a>, Failure> {
        run.stage_bytes(self.text.as_bytes(), self.from.as_str(), at, &context.secrets)
    }
}

/// Where the campaign stands before the lock is taken, for the places of artefacts.
///
/// # Errors
///
/// When the journal cannot be read or believed.
pub fn standing(run: &RunDir) -> Result<(Campaign, u32), Failure> {
    let (campaign, _) = chronicle::campaign(&Reading::of(run)?)?;
    let round = chronicle::round(&campaign);
    Ok((campaign, round))
}

/// Prints the skeleton of a draft; without a campaign nothing is filled in.
///
/// # Errors
///
/// When there is a campaign that cannot be read or believed.
pub fn skeleton(context: &Context, kind: DraftKind) -> Result<Outcome, Failure> {
    let campaign = match context.run_dir() {
        Ok(run) => Some(standing(&run)?.0),
        Err(failure) if failure.kind() == Some(Kind::NoCampaign) => None,
        Err(failure) => return Err(failure),
    };
    let found = campaign.as_ref().map(|it| Found::of(it, kind)).unwrap_or_default();
    let known = Known {
        rows: &found.rows,
        layer_rows: &found.layer_rows,
        history: &found.history,
        scenario: found.scenario.as_ref(),
    };
    let skeleton = template(kind, &known);
    let mut text = Text::new();
    text.block(&skeleton);
    Outcome::new(text, &serde_json::json!({ "template": skeleton }))
}

/// What the campaign knows of the round.
#[derive(Default)]
struct Found {
    rows: Vec<ProfileRow>,
    layer_rows: Vec<HotKernel>,
    history: Vec<Name>,
    scenario: Option<Name>,
}

impl Found {
    fn of(campaign: &Campaign, kind: DraftKind) -> Self {
        let (case, triage) = match campaign.state() {
            State::RlcrActive(it) => (it.case(), None),
            State::GapDecision(it) => (it.case(), None),
            State::Profiling(it) => (it.case(), Some(it.triage())),
            State::LayerPipeline(it) => (it.case(), Some(it.triage())),
            State::KernelAssist(it) => (it.case(), Some(it.triage())),
            State::Revalidate(it) => (it.case(), it.trialled().triage()),
            _ => return Self::default(),
        };
        let profiles = triage.into_iter().flat_map(|it| &it.profiles);
        let rows = match kind {
            // An idea is owed to what nobody has looked into.
            DraftKind::Idea => case.uninvestigated().cloned().collect(),
            DraftKind::Patch => cited(triage),
            _ => profiles.flat_map(|it| it.rows.iter().cloned()).collect(),
        };
        let pipeline = triage.and_then(|it| it.pipeline.as_ref());
        Self {
            rows,
            layer_rows: pipeline.map(|it| it.hot.clone()).unwrap_or_default(),
            history: case.base.history.items().map(|it| it.id.clone()).collect(),
            scenario: triage.and_then(|it| it.verdict.slow.clone()),
        }
    }
}

/// The rows that the root cause cites.
fn cited(triage: Option<&Triage>) -> Vec<ProfileRow> {
    let Some((triage, root)) = triage.and_then(|it| Some((it, it.root.as_ref()?))) else {
        return Vec::new();
    };
    root.rows.iter().filter_map(|it| triage.row(*it).cloned()).collect()
}
