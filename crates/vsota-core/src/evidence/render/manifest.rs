//! `manifest.md`: what is asked for, of which model, on which machine (IN-1, IN-5, RT-4).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::{Book, figures, workload};
use crate::facts::*;

/// The keys that a campaign would like to know; one that was not given is named as unknown.
const WANTED: [&str; 21] = [
    "model",
    "tokenizer",
    "precision",
    "quantization",
    "trust_remote_code",
    "max_model_len",
    "config",
    "vllm_checkout",
    "base_branch",
    "gpu_model",
    "gpu_count",
    "gpu_ids",
    "host",
    "container",
    "cuda",
    "nccl",
    "multi_node",
    "history_slug",
    "artifact_root",
    "workload",
    "endpoint",
];

pub(super) fn render(book: &Book<'_>) -> String {
    let brief = &book.story.brief;
    let mut page = Page::new(book.demo(), Md::own("Campaign manifest"));
    let opening = book.campaign.opening();
    let by = Md::text(&opening.version);
    page.say(md!(
        "Opened {} by {}, journal format {}.",
        Md::time(book.opened_at),
        by,
        opening.format.0
    ));
    page.section(Md::own("Inputs"));
    let mut grid = Grid::new(&["Input", "Value", "Source"]);
    for (key, sourced) in brief.iter() {
        grid.row([Md::code(key), value(&sourced.input), Md::text(&sourced.source)]);
    }
    page.table(grid);
    let unknown: Vec<_> = WANTED.iter().filter(|it| brief.get(it).is_none()).collect();
    if !unknown.is_empty() {
        page.say(md!("Unknown: {}.", Md::codes(unknown)));
    }
    page.section(Md::own("Frameworks"));
    frameworks(&mut page, book);
    page.section(Md::own("Workload"));
    match brief.workload() {
        Some(it) => workload::scenarios(&mut page, it),
        None => page.say(Md::own("Not recorded yet.")),
    }
    page.say(md!("SLA: {}.", workload::sla(book)));
    page.say(md!("Sampling: {}.", Md::code(brief.sampling())));
    page.section(Md::own("Companions"));
    companions(&mut page, book);
    page.finish()
}

fn frameworks(page: &mut Page, book: &Book<'_>) {
    let given = book.story.brief.get("frameworks").is_some();
    let names = Md::list(book.story.brief.frameworks().iter().map(|it| Md::own(it.title())), ", ");
    let why = if given { "as asked for" } else { "the default, since nobody chose" };
    page.say(md!("Compared: {} ({}).", names, Md::own(why)));
    page.list(Framework::ALL.iter().map(|it| standing(book, *it)));
}

/// Whether a framework is to be had: available, unsupported with its reason, left out by the user, or
/// unknown (IN-1, IN-4).
fn standing(book: &Book<'_>, framework: Framework) -> Md {
    let brief = &book.story.brief;
    let name = Md::own(framework.title());
    if let Some(it) = book.story.exclusions.iter().find(|it| it.framework == framework) {
        return excluded(it);
    }
    if !brief.frameworks().contains(&framework) {
        return md!("{}: left out by the user", name);
    }
    match brief.installed(framework) {
        Some((Some(version), source)) => {
            md!("{}: available, version {} ({})", name, Md::code(version), Md::text(source))
        }
        Some((None, source)) => md!("{}: not installed there ({})", name, Md::text(source)),
        None => md!("{}: nobody asked whether it is installed", name),
    }
}

/// A framework that left the comparison, and why.
pub(super) fn excluded(it: &Exclusion) -> Md {
    let (name, reason) = (Md::own(it.framework.title()), Md::text(&it.reason));
    match &it.cause {
        ExclusionCause::ByUser => md!("{} was left out by the user: {}", name, reason),
        ExclusionCause::Unsupported { evidence } => {
            md!("{} is unsupported here: {} ({})", name, reason, Md::code(&evidence.path))
        }
    }
}

fn companions(page: &mut Page, book: &Book<'_>) {
    page.list(CompanionName::ALL.iter().map(|name| {
        let title = Md::code(name.as_str());
        match book.story.companions.get(name) {
            None => md!("{}: not noted yet", title),
            Some(Noted::Blocked { reason }) => md!("{}: blocked: {}", title, Md::text(reason)),
            Some(Noted::Read { path, sha256 }) => {
                let short: String = sha256.to_string().chars().take(12).collect();
                md!("{}: read {} (sha256 `{}…`)", title, Md::code(path), Md::figure(short))
            }
        }
    }));
}

/// The value of an input.
pub(super) fn value(input: &Input) -> Md {
    let yes = |it: &bool| Md::own(if *it { "yes" } else { "no" });
    match input {
        Input::Model(it)
        | Input::Tokenizer(it)
        | Input::Precision(it)
        | Input::Quantization(it)
        | Input::VllmCheckout(it)
        | Input::BaseBranch(it)
        | Input::GpuModel(it)
        | Input::GpuIds(it)
        | Input::Host(it)
        | Input::Container(it)
        | Input::Cuda(it)
        | Input::Nccl(it)
        | Input::ArtifactRoot(it)
        | Input::Endpoint(it)
        | Input::Sampling { value: it, .. } => Md::code(it),
        Input::TrustRemoteCode(it) | Input::MultiNode(it) => yes(it),
        Input::MaxModelLen(it) => md!("{} tokens", it.get()),
        Input::GpuCount(it) => md!("{}", it.get()),
        Input::Frameworks(it) => Md::list(it.iter().map(|it| Md::own(it.title())), ", "),
        Input::HistorySlug(it) => Md::code(it),
        Input::Workload(it) => Md::codes(it.scenarios.iter().map(|it| &it.name)),
        Input::SlaLimit { limit, .. } => md!("{} ms", Md::figure(figures::one(limit.get()))),
        Input::SlaSuccessRate(it) => Md::figure(figures::share(it.get())),
        Input::Installed { version: Some(it), .. } => Md::code(it),
        Input::Installed { version: None, .. } => Md::own("not installed"),
        Input::ModelConfig(it) => {
            let name = it.architecture.as_ref().map_or(Md::own("unnamed"), Md::code);
            md!("{}, {} layers", name, it.num_layers.get())
        }
    }
}
