//! Nsight Compute's exports as CSV: the pages `details` and `raw` in the shapes of version 2025.

/// One launch as NCU measured it.
#[derive(Clone, Debug)]
pub struct NcuLaunch {
    /// The kernel, as NCU spells it.
    pub kernel: String,
    /// How long it took, in µs.
    pub duration_us: f64,
    /// The busiest part of the multiprocessors, in percent of its peak.
    pub compute: f64,
    /// The busiest part of the memory system, in percent of its peak.
    pub memory: f64,
    /// Registers of a thread.
    pub registers: u32,
}

const HEAD: &[&str] = &[
    "ID",
    "Process ID",
    "Process Name",
    "Host Name",
    "Kernel Name",
    "Context",
    "Stream",
    "Block Size",
    "Grid Size",
    "Device",
    "CC",
];

fn line(cells: &[&str]) -> String {
    let cells: Vec<String> =
        cells.iter().map(|it| format!("\"{}\"", it.replace('"', "\"\""))).collect();
    cells.join(",")
}

fn identity(id: usize, it: &NcuLaunch) -> String {
    let (id, kernel) = (id.to_string(), it.kernel.as_str());
    let cells = [&id, "4711", "python3", "127.0.0.1", kernel];
    line(&[&cells[..], &["1", "7", "(256, 1, 1)", "(1024, 1, 1)", "0", "9.0"]].concat())
}

/// The page `details` with its default sections: units as NCU chooses them, a rule for each launch.
pub fn ncu_details(launches: &[NcuLaunch]) -> String {
    let metric = ["Section Name", "Metric Name", "Metric Unit", "Metric Value"];
    let rule = ["Rule Name", "Rule Type", "Rule Description"];
    let speedup = ["Estimated Speedup Type", "Estimated Speedup"];
    let mut text = String::from("==PROF== Connected to process 4711\n");
    text += &line(&[HEAD, &metric, &rule, &speedup].concat());
    text.push('\n');
    for (id, it) in launches.iter().enumerate() {
        let identity = identity(id, it);
        let (unit, duration) = match it.duration_us {
            us if us < 1_000.0 => ("us", us),
            us => ("ms", us / 1_000.0),
        };
        let rows: &[[&str; 4]] = &[
            ["GPU Speed Of Light Throughput", "DRAM Frequency", "Ghz", "2.61"],
            ["GPU Speed Of Light Throughput", "Duration", unit, &format!("{duration:.2}")],
            ["GPU Speed Of Light Throughput", "Memory Throughput", "%", &two(it.memory)],
            ["GPU Speed Of Light Throughput", "Compute (SM) Throughput", "%", &two(it.compute)],
            ["Memory Workload Analysis", "Memory Throughput", "Gbyte/s", "1,204.51"],
            ["Launch Statistics", "Function Cache Configuration", "", "CachePreferNone"],
            [
                "Launch Statistics",
                "Registers Per Thread",
                "register/thread",
                &it.registers.to_string(),
            ],
        ];
        for row in rows {
            text += &format!("{identity},{},\n", line(row));
        }
        let cells = [
            "SpeedOfLight",
            "",
            "",
            "",
            "SOLBottleneck",
            "OPT",
            "Memory is more heavily utilized than Compute.",
            "global",
            "38.16",
        ];
        text += &format!("{identity},{}\n", line(&cells));
    }
    text + "==PROF== Disconnected from process 4711\n"
}

/// The page `raw` with base units: units in the row below the head, a row a launch.
pub fn ncu_raw(launches: &[NcuLaunch]) -> String {
    let metrics = [
        ("gpu__time_duration.sum", "ns"),
        ("gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed", "%"),
        ("sm__throughput.avg.pct_of_peak_sustained_elapsed", "%"),
        ("launch__registers_per_thread", "register/thread"),
        ("smsp__average_warps_issue_stalled_long_scoreboard_per_issue_active.ratio", ""),
        ("smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio", ""),
        ("sm__ops_path_tensor_src_bf16_dst_fp32.sum", ""),
    ];
    let names: Vec<&str> = metrics.iter().map(|it| it.0).collect();
    let units: Vec<&str> = metrics.iter().map(|it| it.1).collect();
    let mut text = line(&[HEAD, &names].concat());
    text.push('\n');
    text += &line(&[&[""; 11][..], &units].concat());
    text.push('\n');
    for (id, it) in launches.iter().enumerate() {
        let ns = format!("{:.0}", it.duration_us * 1_000.0);
        let registers = it.registers.to_string();
        let stall = two(it.memory / 5.0);
        let cells = [&ns, &two(it.memory), &two(it.compute), &registers, &stall, "0.75", "n/a"];
        text += &format!("{},{}\n", identity(id, it), line(&cells));
    }
    text
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}
