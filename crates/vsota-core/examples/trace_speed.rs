//! How fast are reader and tables? `cargo run --release -p vsota-core --example trace_speed -- TRACE.json`
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it measures and prints"
)]

use std::fs::File;
use std::io::Read;
use std::time::Instant;

use vsota_core::Digest;
use vsota_core::evidence::tables::{Catalogue, Device, Role, Source, analyze};
use vsota_core::evidence::trace::{Limits, read};
use vsota_core::facts::Framework;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("a trace is needed")?;
    let runs = std::env::args().nth(2).map_or(Ok(3), |it| it.parse::<u32>())?;
    for _ in 0..runs {
        let start = Instant::now();
        let trace = read(&mut File::open(&path)?, &Limits::default())?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "read    {seconds:.3} s, {:.0} MB/s, {:.1} M events/s: {} events, {} of work, {} launches, {} \
             operators, {} of {} frames kept, {} names",
            trace.bytes as f64 / 1e6 / seconds,
            trace.events as f64 / 1e6 / seconds,
            trace.events,
            trace.gpu.len(),
            trace.launches.len(),
            trace.ops.len(),
            trace.frames_kept(),
            trace.frames_seen,
            trace.names.len(),
        );
        let (file, sha256, bytes) = (path.clone(), Digest::from_bytes([0; 32]), trace.bytes);
        let sources = [Source {
            file,
            sha256,
            bytes,
            rank: None,
            role: Role::Formal,
            named_stage: None,
            trace,
        }];
        let report = analyze(Framework::Vllm, &sources, Device::Gpu, &Catalogue::own()?);
        let whole = start.elapsed().as_secs_f64();
        println!(
            "tables  {whole:.3} s, {:.0} MB/s in all, {} stages",
            bytes as f64 / 1e6 / whole,
            report.map_or(0, |it| it.stages.len()),
        );
    }
    let start = Instant::now();
    let (mut file, mut buffer, mut quotes, mut bytes) =
        (File::open(&path)?, vec![0; 256 << 10], 0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        bytes += read;
        quotes += memchr::memchr_iter(b'"', &buffer[..read]).count();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("memchr  {seconds:.3} s, {:.0} MB/s, {quotes} quotes", bytes as f64 / 1e6 / seconds);
    Ok(())
}
