//! `vsota history query`: HI-1 and HI-2, natively.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use vsota_core::evidence::history::{self, Card, Choice};
use vsota_core::facts::{Framework, Input};
use vsota_core::text::Line;

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Outcome, Style, Text};
use crate::roots::{self, HISTORY};
use crate::rundir::intake;
use crate::table::Table;

/// The variable that names the knowledge root.
const VARIABLE: &str = "VSOTA_HISTORY_ROOT";

/// The most bytes of a page.
const PAGE: u64 = 16 << 20;

/// Look a model up in the PR history: its family, the pages to read, and their pull requests
#[derive(Args, Debug)]
pub struct QueryArgs {
    /// The model id, checkpoint path or family slug [default: the campaign's]
    model: Option<String>,

    /// The knowledge root [default: $VSOTA_HISTORY_ROOT, else among the installed skills]
    #[arg(long, value_name = "DIR")]
    root: Option<Utf8PathBuf>,

    /// Only this framework [default: vllm and sglang]
    #[arg(long)]
    framework: Option<Framework>,

    /// How many pull requests to show of a page, newest first
    #[arg(long, default_value_t = 10, value_name = "N")]
    limit: usize,
}

#[derive(Serialize)]
struct View {
    root: String,
    model: String,
    frameworks: Vec<Found>,
}

/// What the root holds of the family for one framework.
#[derive(Serialize)]
struct Found {
    framework: Framework,
    /// The family; null when the root has no page of it.
    slug: Option<String>,
    /// Other slugs that fit as well, best first.
    also: Vec<String>,
    /// The nearest that do not fit.
    passed: Vec<Passed>,
    pages: Vec<Page>,
}

#[derive(Serialize)]
struct Passed {
    slug: String,
    reason: String,
}

#[derive(Serialize)]
struct Page {
    /// Relative to the root.
    path: String,
    pull_requests: Vec<PullRequest>,
}

#[derive(Serialize)]
struct PullRequest {
    number: u64,
    line: u64,
    title: String,
    state: String,
    files: Vec<String>,
    symbols: Vec<String>,
    risk: String,
}

/// Looks the model up.
///
/// # Errors
///
/// Usage when no model is named and no campaign knows one; bad evidence when there is no knowledge
/// root (`vsota history block` records that, HI-5) or a page cannot be read.
pub fn run(context: &Context, args: QueryArgs) -> Result<Outcome, Failure> {
    let model = match args.model {
        Some(model) => model,
        None => of_campaign(context)?,
    };
    let root = match args.root {
        Some(root) if is_root(&root) => root,
        Some(root) => return Err(no_root(&[root])),
        None => {
            let looked = roots::look(VARIABLE, &HISTORY, is_root);
            looked.found.ok_or_else(|| no_root(&looked.places))?
        }
    };
    let frameworks = match args.framework {
        Some(it) => vec![it],
        None => vec![Framework::Vllm, Framework::Sglang],
    };
    let look = |framework| look_up(&root, framework, &model);
    let frameworks = frameworks.into_iter().map(look).collect::<Result<Vec<_>, _>>()?;
    let view = View { root: root.into_string(), model, frameworks };
    Outcome::new(shown(&view, args.limit), &view)
}

/// The slug that the campaign was told, else its model.
fn of_campaign(context: &Context) -> Result<String, Failure> {
    let unnamed = || Failure::usage("no model is named, and no campaign here knows one");
    let (_, reading) = context.reading().map_err(|_| unnamed())?;
    let (campaign, _) = chronicle::campaign(&reading)?;
    let brief = campaign.state().brief();
    let told = match brief.get("history_slug") {
        Some(Input::HistorySlug(slug)) => Some(slug.as_str()),
        _ => brief.model().map(Line::as_str),
    };
    told.map(str::to_owned).ok_or_else(unnamed)
}

/// Whether a directory has the layout of the knowledge root.
fn is_root(dir: &Utf8Path) -> bool {
    [Framework::Vllm, Framework::Sglang].iter().any(|it| dir.join(it.as_str()).is_dir())
}

fn no_root(places: &[Utf8PathBuf]) -> Failure {
    let places: Vec<&str> = places.iter().map(|it| it.as_str()).collect();
    Failure::bad_evidence(format_args!(
        "no knowledge root: none of {} holds vllm/ or sglang/ (HI-1). Name one with --root or \
         {VARIABLE}, or record the blocker: vsota history block --reason REASON",
        places.join(", ")
    ))
}

fn look_up(root: &Utf8Path, framework: Framework, model: &str) -> Result<Found, Failure> {
    let dir = root.join(framework.as_str());
    let slugs = names(&dir, |it| it.is_dir());
    let Choice { fitting, passed } = history::choose(model, slugs.iter().map(String::as_str));
    let passed = passed.into_iter().map(|it| Passed { slug: it.slug, reason: it.reason }).collect();
    let mut fitting = fitting.into_iter();
    let slug = fitting.next();
    let mut pages = Vec::new();
    if let Some(slug) = &slug {
        let all = names(&dir.join(slug), |it| it.extension() == Some("md"));
        // A page may stand there in several languages.
        let english = all.iter().any(|it| it.contains(".en."));
        for name in all.into_iter().filter(|it| !english || it.contains(".en.")) {
            let path = dir.join(slug).join(&name);
            let bytes = intake::read(&path, PAGE)?;
            let cards = history::cards(&String::from_utf8_lossy(&bytes));
            pages.push(Page {
                path: format!("{framework}/{slug}/{name}"),
                pull_requests: cards.into_iter().map(PullRequest::from).collect(),
            });
        }
    }
    Ok(Found { framework, slug, also: fitting.collect(), passed, pages })
}

/// The family of a model for one framework, and the knowledge root that says so; nothing without one.
pub fn family(model: &str, framework: Framework) -> Option<(String, Utf8PathBuf)> {
    let root = roots::look(VARIABLE, &HISTORY, is_root).found?;
    let slugs = families(&root, framework);
    let fitting = history::choose(model, slugs.iter().map(String::as_str)).fitting;
    fitting.into_iter().next().map(|slug| (slug, root))
}

/// How many pull requests the skeleton of a note holds, newest first.
const ITEMS: usize = 5;

/// The skeleton of a history note, filled with what the knowledge root holds of the campaign's model. What
/// each item decides is left to whoever reads it (HI-3).
///
/// # Errors
///
/// As [`run`].
pub fn filled(context: &Context, framework: Framework) -> Result<Outcome, Failure> {
    let model = of_campaign(context)?;
    let looked = roots::look(VARIABLE, &HISTORY, is_root);
    let root = looked.found.ok_or_else(|| no_root(&looked.places))?;
    let root = root.canonicalize_utf8().unwrap_or(root);
    let found = look_up(&root, framework, &model)?;
    let mut text = format!("# History note\n\n- framework: {framework}\n- root: {root}\n");
    match &found.slug {
        Some(slug) => {
            text.push_str(&format!("- slug: {slug}\n"));
            for page in &found.pages {
                for it in newest_of(page, ITEMS) {
                    text.push_str(&item(framework, page, it));
                }
            }
        }
        None => {
            let tried = crate::rundir::names::slug(&model).unwrap_or_default();
            text.push_str(&format!("\n## None for this family\n\n- tried: {tried}\n"));
            if let Some(nearest) = found.passed.first() {
                text.push_str(&format!("- nearest-rejected: {}\n", nearest.slug));
            }
        }
    }
    let shown = Text::new().block(&text).clone();
    Outcome::new(shown, &serde_json::json!({ "template": text }))
}

fn item(framework: Framework, page: &Page, it: &PullRequest) -> String {
    let number = it.number;
    let mut text =
        format!("\n## Item {framework}-pr-{number}\n\n- path: {}\n- pr: {number}\n", page.path);
    for (key, values) in [("file", &it.files), ("symbol", &it.symbols)] {
        if values.is_empty() {
            text.push_str(&format!("- {key}:\n"));
        }
        for value in values.iter().take(3) {
            text.push_str(&format!("- {key}: {}\n", value.trim_matches('`')));
        }
    }
    let risk = it.risk.lines().next().unwrap_or_default();
    let risk: String = risk.chars().take(300).collect();
    text.push_str(&format!("- risk: {risk}\n- decision:\n"));
    text
}

/// Every family that a knowledge root has of a framework.
pub fn families(root: &Utf8Path, framework: Framework) -> Vec<String> {
    names(&root.join(framework.as_str()), |it| it.is_dir())
}

/// The names in a directory that are wanted, sorted.
fn names(dir: &Utf8Path, wanted: impl Fn(&Utf8Path) -> bool) -> Vec<String> {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter(|it| wanted(it.path())).map(|it| it.file_name().to_owned()).collect();
    names.sort();
    names
}

impl From<Card> for PullRequest {
    fn from(card: Card) -> Self {
        let Card { line, number, title, state, files, symbols, risk } = card;
        Self { number, line, title, state, files, symbols, risk }
    }
}

fn shown(view: &View, limit: usize) -> Text {
    let mut text = Text::new();
    text.push(Style::Strong, "root  ").line(&view.root);
    for it in &view.frameworks {
        text.end().push(Style::Strong, it.framework.title()).plain("  ");
        match &it.slug {
            Some(slug) => text.push(Style::Good, slug).plain(" is the family of "),
            None => text.push(Style::Warn, "none").plain(" has the family of "),
        };
        text.line(&view.model);
        for slug in &it.also {
            text.push(Style::Dim, "  also    ").line(slug);
        }
        for Passed { slug, reason } in &it.passed {
            text.push(Style::Dim, "  passed  ").line(format!("{slug}: {reason}"));
        }
        for page in &it.pages {
            let count = page.pull_requests.len();
            text.line(format!("  read    {} ({count} pull requests)", page.path));
            text.block(newest(page, limit).render());
        }
    }
    text
}

fn newest_of(page: &Page, limit: usize) -> impl Iterator<Item = &PullRequest> {
    let mut newest: Vec<&PullRequest> = page.pull_requests.iter().collect();
    newest.sort_by_key(|it| std::cmp::Reverse(it.number));
    newest.into_iter().take(limit)
}

fn newest(page: &Page, limit: usize) -> Table {
    let mut table = Table::new(["PR", "state", "title", "first file"]);
    for it in newest_of(page, limit) {
        let file = it.files.first().map_or("-", String::as_str);
        table.row([format!("#{}", it.number), it.state.clone(), it.title.clone(), file.to_owned()]);
    }
    table
}
