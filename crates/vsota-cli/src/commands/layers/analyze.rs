//! `vsota layers analyze`: passes, layers and their types, from a trace (LP-2). No campaign is needed.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::Digest;
use vsota_core::evidence::pipeline::{self, Asked, ConfigFile, LayersReport, Model};
use vsota_core::evidence::tables::{Role, framework_of};
use vsota_core::facts::Framework;

use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::output::{Outcome, Style, Text};
use crate::rundir::intake;
use crate::table::Table;
use crate::traces::{self, LimitArgs};

/// Find forward passes, layers and their types in a trace
#[derive(Args, Debug)]
pub struct AnalyzeArgs {
    /// A Chrome trace, plain or gzip
    #[arg(value_name = "TRACE")]
    trace: Utf8PathBuf,

    #[command(flatten)]
    how: HowArgs,

    /// Show the kernels of this layer, or of two beside each other
    #[arg(long, value_name = "L[,M]", value_delimiter = ',', num_args = 1)]
    layer: Vec<u32>,
}

/// How a trace becomes layers.
#[derive(Args, Clone, Debug)]
pub struct HowArgs {
    /// The served model's Hugging Face config
    #[arg(long, value_name = "CONFIG.json")]
    config: Option<Utf8PathBuf>,

    /// Whose trace it is, where it does not tell it itself
    #[arg(long)]
    framework: Option<Framework>,

    /// A part of the name of a kernel that every layer runs
    #[arg(long, value_name = "KERNEL")]
    anchor: Option<String>,

    /// The forward pass to look at, by its index
    #[arg(long, value_name = "N")]
    pass: Option<u32>,

    #[command(flatten)]
    limits: LimitArgs,
}

/// Prints passes and layers.
///
/// # Errors
///
/// Bad evidence when the trace or the config cannot be read, or no layer can be found.
pub fn run(_: &Context, args: AnalyzeArgs) -> Result<Outcome, Failure> {
    let report = made(&args.trace, &args.how)?;
    let missing = args.layer.iter().find(|it| report.kernels.get(**it as usize).is_none());
    if let Some(layer) = missing {
        let message = format!("there is no layer {layer}; there are {}", report.layers.len());
        return Err(Failure::usage(message).at_field("--layer"));
    }
    Outcome::new(shown(&report, &args.layer), &report)
}

/// Makes the report of a trace.
///
/// # Errors
///
/// As [`run`].
pub fn made(trace: &Utf8Path, how: &HowArgs) -> Result<LayersReport, Failure> {
    let needed = || Failure::usage("a trace needs the model's config").at_field("--config");
    let path = how.config.as_ref().ok_or_else(needed)?;
    let bytes = intake::read(path, intake::LIMIT)?;
    let model = Model::read(&bytes).map_err(|error| bad(&error, path))?;
    let file = path.file_name().unwrap_or_default().to_owned();
    let config = ConfigFile { file, sha256: Digest::of(&bytes), model };
    let source = traces::read(trace, Role::Formal, how.limits)?;
    let framework = how.framework.or_else(|| framework_of(std::slice::from_ref(&source)));
    let framework = framework.ok_or_else(|| {
        let message = "nothing in the trace tells whose it is: name it with --framework";
        Failure::bad_evidence(message).in_file(trace)
    })?;
    let asked = Asked { anchor: how.anchor.clone(), pass: how.pass };
    pipeline::layers(framework, &source, &config, &asked).map_err(|error| bad(&error, trace))
}

fn ms(ns: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let ms = ns as f64 / 1e6;
    format!("{ms:.3}")
}

fn cut(name: &str, most: usize) -> String {
    let short: String = name.chars().take(most).collect();
    if short.len() < name.len() { format!("{short}…") } else { short }
}

fn shown(report: &LayersReport, layers: &[u32]) -> Text {
    let mut text = Text::new();
    let anchor = &report.anchor;
    text.push(Style::Strong, "anchor").line(format!(": {}", cut(&anchor.kernel, 80)));
    text.line(format!("  {}", anchor.evidence));
    if report.trace.mock {
        text.push(Style::Warn, "note").line(": a mock made the trace up");
    }
    let mut passes = Table::new(["pass", "stage", "start ms", "end ms", "ms"]);
    for it in report.passes.iter().take(30) {
        let length = it.end_ns.saturating_sub(it.start_ns);
        let stage = it.stage.to_string();
        passes.row([it.index.to_string(), stage, ms(it.start_ns), ms(it.end_ns), ms(length)]);
    }
    text.block(passes.render());
    if report.passes.len() > 30 {
        text.line(format!("  and {} more", report.passes.len() - 30));
    }
    let chosen = &report.chosen_pass;
    text.push(Style::Strong, format!("pass {}", chosen.index));
    text.line(format!(": {}", chosen.reason));
    let mut rows = Table::new(["layer", "type", "wall ms", "sum ms", "kernels", "most of it"]);
    for it in &report.layers {
        let mut parts: Vec<_> = it.categories.iter().collect();
        parts.sort_by_key(|it| std::cmp::Reverse(*it.1));
        let parts: Vec<String> =
            parts.iter().take(3).map(|(name, ns)| format!("{name} {}", ms(**ns))).collect();
        let kernels = it.kernels.to_string();
        let (wall, sum) = (ms(it.wall_ns), ms(it.sum_ns));
        rows.row([it.index.to_string(), it.kind.clone(), wall, sum, kernels, parts.join(", ")]);
    }
    text.block(rows.render());
    let mut clusters =
        Table::new(["type", "layers", "mean wall ms", "mean sum ms", "stands for it"]);
    for it in &report.clusters {
        let stand = report.representative.iter().find(|other| other.kind == it.kind);
        clusters.row([
            it.kind.clone(),
            it.layers.len().to_string(),
            format!("{:.3}", it.mean_wall_ns / 1e6),
            format!("{:.3}", it.mean_sum_ns / 1e6),
            stand.map_or(String::new(), |it| format!("layer {}", it.layer)),
        ]);
    }
    text.block(clusters.render());
    let mut hot = Table::new(["layer", "row", "kernel", "ms", "share of layer"]);
    for it in &report.hot_kernels {
        let share = format!("{:.1}%", it.share * 100.0);
        hot.row([it.layer.to_string(), it.row.clone(), cut(&it.name, 40), ms(it.total_ns), share]);
    }
    text.block(hot.render());
    for it in &report.perfetto {
        text.line(format!(
            "layer {}: in ui.perfetto.dev open the trace and look at {:.6} s to {:.6} s",
            it.layer, it.start_s, it.end_s
        ));
    }
    kernels(&mut text, report, layers);
    text
}

/// The kernels of one layer in their order, or of two beside each other with what only one has.
fn kernels(text: &mut Text, report: &LayersReport, layers: &[u32]) {
    let of = |layer: u32| report.kernels.get(layer as usize).map_or(&[][..], Vec::as_slice);
    for layer in layers {
        text.end().push(Style::Strong, format!("layer {layer}")).end();
        let mut rows = Table::new(["#", "kernel", "at ms", "us"]);
        for (n, (name, start, ns)) in of(*layer).iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
            let us = *ns as f64 / 1e3;
            rows.row([n.to_string(), cut(name, 64), ms(*start), format!("{us:.1}")]);
        }
        text.block(rows.render());
    }
    if let [one, other] = layers {
        let names = |layer| of(layer).iter().map(|it| it.0.as_str()).collect::<BTreeSet<_>>();
        for (a, b) in [(*one, *other), (*other, *one)] {
            let only: Vec<String> = names(a).difference(&names(b)).map(|it| cut(it, 60)).collect();
            if !only.is_empty() {
                text.line(format!("only in layer {a}: {}", only.join("; ")));
            }
        }
    }
}
