//! `analysis/root-cause.md` and `analysis/layer-pipeline.md`: this round first, the earlier below
//! (PR-6, LP-2).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::story::At;
use super::{Book, figures, standing};
use crate::facts::*;

pub(super) fn root_cause(book: &Book<'_>) -> Option<String> {
    let (current, earlier) = book.story.roots.split_last()?;
    let mut page = Page::new(book.demo(), md!("Root cause of the gap, round {}", current.round));
    cause(&mut page, book, current);
    for it in earlier.iter().rev() {
        page.section(md!("Earlier: round {}", it.round));
        cause(&mut page, book, it);
    }
    Some(page.finish())
}

fn cause(page: &mut Page, book: &Book<'_>, root: &At<'_, RootCause>) {
    let it = root.said;
    page.say(md!("The slower stage is **{}**.", it.slower_stage));
    if let Some(because) = &it.stage_because {
        page.say(md!(
            "It need not be the one in which vLLM loses the most GPU time against the leader, because: {}",
            Md::text(because)
        ));
    }
    page.quote(&it.explanation);
    page.list(it.rows.iter().map(|id| {
        let name = Md::code(id.to_string());
        let Some(row) = find(book, root.round, *id) else {
            return md!("{}: no profile of the round has this row", name);
        };
        let share = Md::figure(figures::share(row.share.get()));
        let at = row.location.as_ref().map_or(Md::own("an unknown place"), Md::code);
        md!("{}: {} of the stage in {} at {}", name, share, Md::code(&row.name), at)
    }));
    let explained = it.estimated_gap_pct.map_or(Md::own("not estimated"), |it| {
        md!("an estimated {} %", Md::figure(figures::two(it.get())))
    });
    page.list([
        md!("vLLM sources or kernel families that could change it: {}", Md::codes(&it.sources)),
        md!("part of the gap that the rows explain: {}", explained),
        md!("draft: {}", Md::artifact(&it.draft)),
    ]);
    let verdict = book.story.decided.iter().rfind(|it| it.round == root.round);
    if let Some(decided) = verdict {
        page.say(md!("The gap that it explains, as round {} measured it:", root.round));
        standing::verdict_table(page, decided.verdict);
    }
}

/// A row of a profile of that round.
fn find<'a>(book: &Book<'a>, round: u32, id: RowId) -> Option<&'a ProfileRow> {
    let profiles = book.story.profiles.iter().filter(|it| it.round == round);
    profiles.flat_map(|it| &it.said.rows).find(|it| it.row == id)
}

pub(super) fn layer_pipeline(book: &Book<'_>) -> Option<String> {
    let (current, earlier) = book.story.pipelines.split_last()?;
    let mut page = Page::new(book.demo(), md!("Layer pipeline, round {}", current.round));
    layers(&mut page, current.said);
    for it in earlier.iter().rev() {
        page.section(md!("Earlier: round {}", it.round));
        layers(&mut page, it.said);
    }
    Some(page.finish())
}

fn layers(page: &mut Page, it: &Pipeline) {
    let (found, known) = (it.layers_per_pass, it.num_layers.get());
    let why = Md::text(&it.reason);
    page.say(md!("Forward pass {}, chosen because: {}", it.chosen_pass, why));
    page.say(md!("It has {} layers; the model's config names {}.", found, known));
    page.say(Md::own("**Layer types**"));
    let mut grid = Grid::new(&["Type", ">Layers", ">Mean wall", ">Mean sum of kernels"]);
    for layer in &it.layer_types {
        grid.row([
            Md::code(&layer.name),
            md!("{}", layer.layers),
            Md::figure(figures::duration(layer.mean_wall_ns)),
            Md::figure(figures::duration(layer.mean_sum_ns)),
        ]);
    }
    page.table(grid);
    page.say(Md::own("**Representative layers**"));
    let mut grid = Grid::new(&[">Layer", "Type", "Why it stands for it"]);
    for layer in &it.representative {
        let name = Md::code(&layer.layer_type);
        grid.row([md!("{}", layer.layer), name, Md::text(&layer.reason)]);
    }
    page.table(grid);
    page.say(Md::own("**Hot kernels in them**"));
    let mut grid = Grid::new(&["Row", ">Layer", ">Share", "Kernel"]);
    for hot in &it.hot {
        let share = Md::figure(figures::share(hot.share.get()));
        grid.row([Md::code(&hot.row), md!("{}", hot.layer), share, Md::code(&hot.name)]);
    }
    page.table(grid);
    let ranges: Vec<_> = it.perfetto.iter().map(range).collect();
    let ranges = if ranges.is_empty() { Md::own("not used") } else { Md::list(ranges, "; ") };
    page.list([
        md!("Perfetto ranges: {}", ranges),
        md!("trace: sha256 {}", Md::code(it.trace.to_string())),
        md!("config: sha256 {}", Md::code(it.config.to_string())),
        md!("source: {}", Md::artifact(&it.source)),
    ]);
}

fn range(it: &PerfettoRange) -> Md {
    let seconds = |ns: u64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let (from, to) = (Md::figure(seconds(it.start_ns)), Md::figure(seconds(it.end_ns)));
    md!("layer {} from {} s to {} s", it.layer, from, to)
}
