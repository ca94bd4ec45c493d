//! How fast do traces become tables? Beside it, what bounds it in the same run: inflating alone, a search
//! for one byte, and what a script would do first, Python's `json.load`.
//!
//! `VSOTA_TRACE=TRACE.json cargo bench -p vsota-cli --bench traces`; without a trace a made one is taken.
//! Wall times are the fastest of five; on a busy machine the ratios of CPU time mean more.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it measures, prints and must fail loudly"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Command;
use std::time::Instant;

use camino::Utf8Path;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use vsota_cli::traces::{self, LimitArgs};
use vsota_core::evidence::tables::{Catalogue, Device, Role, analyze};
use vsota_core::facts::Framework;
use vsota_fixtures::builders::traces::trace;

const RUNS: u32 = 5;

/// The fastest of some runs, in seconds.
fn fastest(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(once).fold(f64::INFINITY, f64::min)
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let steps = if std::env::args().any(|it| it == "--bench") { 2_000 } else { 2 };
    let text = match std::env::var_os("VSOTA_TRACE") {
        Some(path) => fs::read(path).unwrap(),
        None => trace(32, &vec![(0, 8); steps]).text.into_bytes(),
    };
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let (plain, packed) = (dir.join("rank0.json"), dir.join("rank0.json.gz"));
    fs::write(&plain, &text).unwrap();
    let mut to = GzEncoder::new(Vec::new(), Compression::default());
    to.write_all(&text).unwrap();
    fs::write(&packed, to.finish().unwrap()).unwrap();

    let mut events = 0;
    let mut tables = |path: &Utf8Path| {
        fastest(|| {
            let source = traces::read(path, Role::Formal, LimitArgs::generous()).unwrap();
            events = source.trace.events;
            let catalogue = Catalogue::own().unwrap();
            analyze(Framework::Vllm, &[source], Device::Gpu, &catalogue).unwrap();
        })
    };
    let (whole, inflated) = (tables(&plain), tables(&packed));
    let inflating = fastest(|| {
        let mut from = MultiGzDecoder::new(fs::File::open(&packed).unwrap());
        let mut buffer = vec![0; 256 << 10];
        while from.read(&mut buffer).unwrap() > 0 {}
    });
    let search = fastest(|| {
        let mut from = fs::File::open(&plain).unwrap();
        let (mut buffer, mut quotes) = (vec![0; 256 << 10], 0);
        loop {
            match from.read(&mut buffer).unwrap() {
                0 => break,
                bytes => quotes += memchr::memchr_iter(b'"', buffer.get(..bytes).unwrap()).count(),
            }
        }
        assert!(quotes > 0);
    });
    let bytes = text.len() as f64;
    let told = |what: &str, seconds: f64| {
        println!("{what:<28} {seconds:>8.3} s {:>8.0} MB/s", bytes / 1e6 / seconds);
    };
    println!("{:.1} MB, {events} events", bytes / 1e6);
    told("tables of plain text", whole);
    told("tables of gzip", inflated);
    told("inflating alone", inflating);
    told("search for one byte", search);
    println!("events                       {:>8.2} M/s", events as f64 / 1e6 / whole);
    println!("gzip to inflating alone      {:>8.2} times", inflated / inflating);
    println!("tables to a search           {:>8.2} times", whole / search);
    let load = "import json,sys,time\nt=time.perf_counter()\njson.load(open(sys.argv[1]))\n\
                print(time.perf_counter()-t)";
    match Command::new("python3").args(["-c", load]).arg(&plain).output() {
        Ok(ended) if ended.status.success() => {
            let python: f64 = String::from_utf8(ended.stdout).unwrap().trim().parse().unwrap();
            told("Python's json.load", python);
            println!("json.load to tables          {:>8.1} times", python / whole);
        }
        _ => println!("python3 is not here: json.load is not measured"),
    }
}
