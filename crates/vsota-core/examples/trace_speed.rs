//! How fast is the reader? `cargo run --release -p vsota-core --example trace_speed -- TRACE.json`
use std::fs::File;
use std::time::Instant;

use vsota_core::evidence::trace::{Limits, read};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("a trace is needed")?;
    for _ in 0..3 {
        let start = Instant::now();
        let trace = read(&mut File::open(&path)?, &Limits::default())?;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{:.3} s, {:.0} MB/s, {} events, {} gpu, {} launches, {} ops, {} of {} frames, {} names",
            seconds,
            trace.bytes as f64 / 1e6 / seconds,
            trace.events,
            trace.gpu.len(),
            trace.launches.len(),
            trace.ops.len(),
            trace.frames_kept(),
            trace.frames_seen,
            trace.names.len(),
        );
    }
    Ok(())
}
