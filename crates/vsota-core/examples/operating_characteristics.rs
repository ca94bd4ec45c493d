//! How often the verdict stops, patches and stays undecided, by simulation.
//!
//! `cargo run --release -p vsota-core --example operating_characteristics -- [REPS]`
//!
//! Each cell of the table has a true gap and a noise (CV of a run). Blocks are drawn two at a time
//! and judged until the verdict is decided, or no more blocks can help. The shares are compared
//! with a table made by an independent implementation with 40 000 repetitions; the exit status is 1
//! when one lies further away than chance explains.
#![expect(clippy::print_stdout, reason = "the table is the purpose of the program")]
#![expect(
    clippy::expect_used,
    reason = "a simulation that draws impossible numbers must not go on"
)]

use std::process::ExitCode;

use vsota_core::measure::{DELTA, Measured};
use vsota_core::verdict::{LOOKS, Order, Pair, Reason, Verdict, decide};

const DEFAULT_REPS: u32 = 4_000;
const EXPECTED_REPS: f64 = 40_000.0;
const SEED: u64 = 20_260_117;

/// The noise of the columns: the coefficient of variation of a run.
const CVS: [f64; 5] = [0.003, 0.005, 0.01, 0.02, 0.03];

/// Percent stopped, behind, undecided and leaning; mean and 95th percentile of the blocks.
type Cell = (f64, f64, f64, f64, f64, u32);

/// Percent Tied, Ahead and AtLeastTied.
type Labels = (f64, f64, f64);

struct Row {
    /// The true gap in percent; -1 stands for exactly the threshold.
    percent: f64,
    cells: [Cell; 5],
}

const TABLE: [Row; 11] = [
    Row {
        percent: -5.0,
        cells: [
            (0.00, 100.00, 0.00, 0.00, 4.00, 4),
            (0.00, 100.00, 0.00, 0.00, 4.00, 4),
            (0.00, 100.00, 0.00, 0.00, 4.34, 6),
            (0.00, 100.00, 0.00, 0.00, 6.58, 12),
            (0.01, 98.79, 1.19, 0.02, 10.11, 24),
        ],
    },
    Row {
        percent: -3.0,
        cells: [
            (0.00, 100.00, 0.00, 0.00, 4.01, 4),
            (0.00, 100.00, 0.00, 0.00, 4.35, 6),
            (0.00, 100.00, 0.00, 0.00, 6.63, 12),
            (0.06, 90.41, 9.53, 1.78, 13.78, 32),
            (0.21, 61.08, 38.71, 7.22, 16.48, 32),
        ],
    },
    Row {
        percent: -2.0,
        cells: [
            (0.00, 100.00, 0.00, 0.00, 4.68, 6),
            (0.00, 100.00, 0.00, 0.00, 6.64, 12),
            (0.06, 90.40, 9.54, 7.38, 13.79, 32),
            (0.45, 40.12, 59.44, 14.79, 16.49, 32),
            (0.96, 22.05, 76.99, 9.32, 15.69, 32),
        ],
    },
    Row {
        percent: -1.5,
        cells: [
            (0.00, 99.89, 0.11, 0.11, 7.93, 16),
            (0.06, 90.75, 9.19, 8.59, 13.71, 32),
            (0.44, 40.54, 59.02, 41.34, 16.51, 32),
            (1.44, 15.39, 83.17, 14.28, 15.22, 32),
            (2.07, 10.37, 87.56, 6.09, 14.75, 32),
        ],
    },
    Row {
        percent: -1.0,
        cells: [
            (4.65, 4.45, 90.91, 45.04, 14.40, 32),
            (4.72, 4.53, 90.75, 44.98, 14.38, 32),
            (4.73, 4.55, 90.72, 34.71, 14.37, 32),
            (4.73, 4.55, 90.72, 6.98, 14.37, 32),
            (4.73, 4.58, 90.69, 2.83, 14.37, 32),
        ],
    },
    Row {
        percent: -0.5,
        cells: [
            (99.80, 0.00, 0.20, 0.00, 8.30, 16),
            (88.36, 0.07, 11.57, 0.81, 14.03, 32),
            (38.23, 0.50, 61.27, 7.41, 16.45, 32),
            (15.17, 1.49, 83.33, 2.20, 15.18, 32),
            (10.55, 2.07, 87.38, 1.01, 14.77, 32),
        ],
    },
    Row {
        percent: 0.0,
        cells: [
            (100.00, 0.00, 0.00, 0.00, 4.74, 6),
            (99.99, 0.00, 0.01, 0.00, 6.80, 12),
            (88.75, 0.07, 11.18, 0.46, 13.95, 32),
            (38.73, 0.50, 60.77, 0.50, 16.46, 32),
            (21.52, 1.04, 77.43, 0.27, 15.67, 32),
        ],
    },
    Row {
        percent: 0.5,
        cells: [
            (100.00, 0.00, 0.00, 0.00, 4.13, 6),
            (100.00, 0.00, 0.00, 0.00, 5.00, 8),
            (99.41, 0.01, 0.59, 0.01, 9.26, 16),
            (68.66, 0.20, 31.14, 0.10, 16.18, 32),
            (38.77, 0.50, 60.72, 0.06, 16.46, 32),
        ],
    },
    Row {
        percent: 1.0,
        cells: [
            (100.00, 0.00, 0.00, 0.00, 4.01, 4),
            (100.00, 0.00, 0.00, 0.00, 4.39, 6),
            (99.99, 0.00, 0.01, 0.00, 6.80, 12),
            (88.76, 0.07, 11.17, 0.02, 13.95, 32),
            (58.81, 0.27, 40.92, 0.01, 16.52, 32),
        ],
    },
    Row {
        percent: 2.0,
        cells: [
            (100.00, 0.00, 0.00, 0.00, 4.00, 4),
            (100.00, 0.00, 0.00, 0.00, 4.03, 4),
            (100.00, 0.00, 0.00, 0.00, 5.01, 8),
            (99.39, 0.01, 0.61, 0.00, 9.30, 16),
            (88.60, 0.07, 11.32, 0.00, 13.98, 32),
        ],
    },
    Row {
        percent: 5.0,
        cells: [
            (100.00, 0.00, 0.00, 0.00, 4.00, 4),
            (100.00, 0.00, 0.00, 0.00, 4.00, 4),
            (100.00, 0.00, 0.00, 0.00, 4.04, 4),
            (100.00, 0.00, 0.00, 0.00, 5.05, 8),
            (99.99, 0.00, 0.01, 0.00, 6.91, 12),
        ],
    },
];

/// The labels of the stops at two gaps, in whole percent.
const LABELS: [(f64, [Labels; 5]); 2] = [
    (
        0.0,
        [
            (84.0, 0.0, 16.0),
            (65.0, 1.0, 34.0),
            (38.0, 1.0, 49.0),
            (0.5, 2.0, 36.0),
            (0.0, 2.0, 19.0),
        ],
    ),
    (
        2.0,
        [
            (0.0, 100.0, 0.0),
            (0.0, 82.0, 18.0),
            (0.0, 43.0, 57.0),
            (0.0, 23.0, 76.0),
            (0.0, 20.0, 69.0),
        ],
    ),
];

/// What the repetitions of one cell came to.
#[derive(Default)]
struct Tally {
    tied: u32,
    ahead: u32,
    at_least_tied: u32,
    behind: u32,
    undecided: u32,
    lean: u32,
    blocks: Vec<u32>,
}

/// SplitMix64, with normal numbers by the polar method.
struct Random {
    state: u64,
    spare: Option<f64>,
}

fn main() -> ExitCode {
    let reps = match std::env::args().nth(1).map(|text| text.parse::<u32>()) {
        None => DEFAULT_REPS,
        Some(Ok(reps)) if reps > 0 => reps,
        Some(_) => {
            println!("usage: operating_characteristics [REPS]   (a number above 0)");
            return ExitCode::from(2);
        }
    };
    println!("{reps} repetitions a cell; stop% behind% undecided% lean% mean-n/p95\n");
    println!("| gap % | CV .3 % | CV .5 % | CV 1 % | CV 2 % | CV 3 % |\n|---|---|---|---|---|---|");
    let mut random = Random { state: SEED, spare: None };
    let mut mismatches = Vec::new();
    for row in &TABLE {
        let mut line = format!("| {:+} |", row.percent);
        for (cv, expected) in CVS.into_iter().zip(row.cells) {
            let tally = simulate(row.percent, cv, reps, &mut random);
            let (stop, behind, undecided, lean, mean, p95) = tally.cell(reps);
            line += &format!(" {stop:.2} {behind:.2} {undecided:.2} {lean:.2} {mean:.2}/{p95} |");
            let cell = format!("gap {:+} %, CV {cv}", row.percent);
            mismatches.extend(compare(&cell, &tally, expected, reps));
            mismatches.extend(compare_labels(&cell, row.percent, cv, &tally, reps));
        }
        println!("{line}");
    }
    if mismatches.is_empty() {
        println!("\nevery share, mean and percentile is within its tolerance");
        return ExitCode::SUCCESS;
    }
    println!("\n{} mismatches:\n{}", mismatches.len(), mismatches.join("\n"));
    ExitCode::FAILURE
}

/// Draws one cell.
fn simulate(percent: f64, cv: f64, reps: u32, random: &mut Random) -> Tally {
    let gap = if percent == -1.0 { -DELTA } else { (percent / 100.0).ln_1p() };
    let sigma = (cv * cv).ln_1p().sqrt();
    let mut tally = Tally::default();
    for _ in 0..reps {
        let (pair, blocks) = campaign(gap, sigma, random);
        match pair.verdict {
            Verdict::Behind => tally.behind += 1,
            Verdict::Tied => tally.tied += 1,
            Verdict::Ahead => tally.ahead += 1,
            Verdict::AtLeastTied => tally.at_least_tied += 1,
            Verdict::Inconclusive | Verdict::Unopposed | Verdict::NoCompetitor => {
                tally.undecided += 1;
            }
        }
        tally.lean += u32::from(pair.lean);
        tally.blocks.push(blocks);
    }
    tally.blocks.sort_unstable();
    tally
}

/// Adds two blocks at a time until there is an answer, or none to come; says how many it took.
fn campaign(gap: f64, sigma: f64, random: &mut Random) -> (Pair, u32) {
    let (mut v, mut c, mut order) = (Vec::new(), Vec::new(), Vec::new());
    let mut blocks = 0;
    loop {
        for slot in [Order::VllmFirst, Order::CompetitorFirst] {
            v.push(measured((gap + sigma * random.normal()).exp()));
            c.push(measured((sigma * random.normal()).exp()));
            order.push(slot);
            blocks += 1;
        }
        let pair = decide(&v, &c, &order).expect("the lists grow together");
        let waits = matches!(pair.reason, Some(Reason::NeedMore | Reason::Unbalanced));
        if !waits {
            return (pair, blocks);
        }
    }
}

fn measured(value: f64) -> Measured {
    Measured::new(value).expect("exp of a small number is finite and above zero")
}

/// What of a cell lies outside the tolerance.
fn compare(cell: &str, tally: &Tally, expected: Cell, reps: u32) -> Vec<String> {
    let found = tally.cell(reps);
    let shares = [
        ("stop", found.0, expected.0),
        ("behind", found.1, expected.1),
        ("undecided", found.2, expected.2),
        ("lean", found.3, expected.3),
    ];
    let mut wrong: Vec<String> = shares
        .into_iter()
        .filter(|&(_, found, expected)| !near(found, expected, 0.0, reps))
        .map(|(what, found, expected)| format!("{cell}: {what} {found:.2} %, not {expected:.2} %"))
        .collect();
    // With the table's own repetitions four standard errors of the most scattered cell are 0.3.
    let tolerance = (4.0 * tally.scatter() * both(reps)).max(0.3);
    if (found.4 - expected.4).abs() > tolerance {
        wrong.push(format!("{cell}: mean of {:.2} blocks, not {:.2}", found.4, expected.4));
    }
    if look(found.5).abs_diff(look(expected.5)) > 1 {
        wrong.push(format!("{cell}: 95th percentile {} blocks, not {}", found.5, expected.5));
    }
    wrong
}

/// What of a cell's labels lies outside the tolerance and the rounding to whole percent.
fn compare_labels(cell: &str, percent: f64, cv: f64, tally: &Tally, reps: u32) -> Vec<String> {
    let expected = LABELS
        .iter()
        .filter(|labels| labels.0 == percent)
        .flat_map(|labels| CVS.into_iter().zip(labels.1))
        .find(|&(column, _)| column == cv);
    let Some((_, expected)) = expected else { return Vec::new() };
    let shares = [
        ("Tied", tally.tied, expected.0),
        ("Ahead", tally.ahead, expected.1),
        ("AtLeastTied", tally.at_least_tied, expected.2),
    ];
    shares
        .into_iter()
        .map(|(what, count, expected)| (what, percentage(count, reps), expected))
        .filter(|&(_, found, expected)| !near(found, expected, 0.5, reps))
        .map(|(what, found, expected)| format!("{cell}: {what} {found:.1} %, not {expected} %"))
        .collect()
}

/// Whether two percentages differ by no more than chance, a tenth of a percent and `rounding`.
fn near(found: f64, expected: f64, rounding: f64, reps: u32) -> bool {
    // The most variable share that rounds to the expected one.
    let p = 50_f64.clamp(expected - rounding, expected + rounding) / 100.0;
    let chance = 4.0 * (p * (1.0 - p)).sqrt() * both(reps);
    (found - expected).abs() / 100.0 <= chance + 0.001 + rounding / 100.0
}

/// The standard error of a difference between the table and these repetitions, for a deviation of 1.
fn both(reps: u32) -> f64 {
    (1.0 / f64::from(reps) + 1.0 / EXPECTED_REPS).sqrt()
}

/// The position of a number of blocks among the looks; two blocks are before the first.
fn look(blocks: u32) -> usize {
    LOOKS.iter().filter(|&&look| look <= blocks).count()
}

fn percentage(count: u32, reps: u32) -> f64 {
    100.0 * f64::from(count) / f64::from(reps)
}

impl Tally {
    fn cell(&self, reps: u32) -> Cell {
        let stop = self.tied + self.ahead + self.at_least_tied;
        let [stop, behind, undecided, lean] =
            [stop, self.behind, self.undecided, self.lean].map(|count| percentage(count, reps));
        let total: f64 = self.blocks.iter().map(|&blocks| f64::from(blocks)).sum();
        let at = (self.blocks.len() * 95).div_ceil(100).saturating_sub(1);
        let p95 = self.blocks.get(at).copied().unwrap_or(0);
        (stop, behind, undecided, lean, total / f64::from(reps), p95)
    }

    /// The standard deviation of the blocks.
    fn scatter(&self) -> f64 {
        let sum = |f: fn(f64) -> f64| self.blocks.iter().map(|&b| f(f64::from(b))).sum::<f64>();
        let n = sum(|_| 1.0);
        let mean = sum(|b| b) / n;
        (sum(|b| b * b) / n - mean * mean).max(0.0).sqrt()
    }
}

impl Random {
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform over -1 to 1.
    fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 52) as f64;
        (self.bits() >> 11) as f64 * STEP - 1.0
    }

    /// Standard normal.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (self.uniform(), self.uniform());
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }
}
