//! A whole campaign on a real checkout: commits, a loop of the stand-in runtime, and what `verify --strict`
//! says of it all.

use std::fs;

use camino::Utf8PathBuf;
use serde_json::Value;
use vsota_fixtures::builders::humanize::{review_result, runtime};
use vsota_fixtures::builders::{MODEL, RunNumbers, vllm_bench};
use vsota_fixtures::demo::{Demo, Step, build};

use super::field::Field;

const KERNEL: &str = "csrc/moe/topk_softmax_kernels.cu";
const TEST: &str = "tests/kernels/moe/test_topk_softmax.py";
/// What the root cause cites beside the kernel.
const SOURCE: &str = "vllm/model_executor/layers/fused_moe/fused_moe.py";
/// What the idea that was put aside is about.
const ASIDE: &str = "vllm/v1/attention/backends/flash_attn.py";
/// The day before the first row was measured: blocks count from when their round was opened.
const CLOCK: &str = "1767500000";
const KNOWLEDGE: &str = "/knowledge/model-pr-optimization-history";

/// The commits of the campaign, by what they hold; each follows on the one before.
const COMMITS: [(&str, &str, &str); 5] = [
    ("baseline", "two passes", "no ties"),
    ("a try", "one pass, unsorted", "no ties"),
    ("the try is taken back", "two passes", "no ties"),
    ("routing", "one pass, sorted by expert", "ties keep their order"),
    ("the empty batch", "one pass, sorted by expert, none for nothing", "ties keep their order"),
];

/// The demonstration's evidence as a real campaign would have it: of the checkout's own commits.
struct Campaign {
    field: Field,
    evidence: Utf8PathBuf,
    commits: Vec<String>,
}

/// Made-up ids and places, and what stands for them.
type Swaps = Vec<(String, String)>;

fn swapped(bytes: &[u8], swaps: &Swaps) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    swaps.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

/// One scenario is enough.
fn is_left_out(line: &str) -> bool {
    line.contains("name: chat") || line.contains(r#""scenario":"chat""#)
}

/// What makes runs of the demonstration's two days runs of later ones.
fn days_later(days: u32) -> Swaps {
    let swap = |day: u32| {
        let (from, to) = (format!("{day:02}"), format!("{:02}", day + days));
        let iso = (format!("2026-01-{from}T"), format!("2026-01-{to}T"));
        [iso, (format!("202601{from}-"), format!("202601{to}-"))]
    };
    [6, 5].into_iter().flat_map(swap).collect()
}

/// The same run, with numbers of its own.
fn measured_anew(text: &str) -> String {
    let old: Value = serde_json::from_str(text).unwrap();
    let each = |key: &str| old[key].as_u64().unwrap() / old["completed"].as_u64().unwrap();
    let lengths = (each("total_input_tokens"), each("total_output_tokens"));
    let speed = old["request_throughput"].as_f64().unwrap() * 1.000_7;
    let text = vllm_bench(&RunNumbers::plausible(MODEL, lengths, speed, 0));
    let new: Value = serde_json::from_str(&text).unwrap();
    text.replace(new["date"].as_str().unwrap(), old["date"].as_str().unwrap())
}

impl Campaign {
    fn new(demo: &Demo) -> Self {
        let mut field = Field::bare();
        field.env.insert("SOURCE_DATE_EPOCH", CLOCK.to_owned());
        for (path, text) in runtime(true) {
            field.script(&format!("humanize/{path}"), &text);
        }
        for framework in ["vllm", "sglang"] {
            let card = format!("knowledge/{framework}/demo-moe/README.md");
            field.script(&card, "# demo-moe\n\n- #4242: routing in one pass\n");
        }
        let commit = |(message, kernel, test): (&str, &str, &str)| {
            field.put(KERNEL, &format!("// demonstration: {kernel}\n"));
            field.put(SOURCE, "# demonstration\n");
            field.put(ASIDE, "# demonstration\n");
            field.put(TEST, &format!("# demonstration: {test}\n"));
            field.commit(message);
            field.id("HEAD")
        };
        let commits: Vec<String> = COMMITS.into_iter().map(commit).collect();
        field.git(&["reset", "-q", "--hard", &commits[0]]);
        let evidence = field.world.root.join("evidence");
        let campaign = Self { field, evidence, commits };
        let first = campaign.swaps(0, 3);
        // The fixup is measured against the patch, after it and from launches of its own.
        let mut fixup = campaign.swaps(3, 4);
        fixup.push(("demo launch".to_owned(), "demo fixup launch".to_owned()));
        fixup.extend(days_later(2));
        let mut later = campaign.swaps(0, 4);
        later.extend(days_later(4));
        for (path, bytes) in &demo.files {
            let swaps = if path.starts_with("gap/round-2") { &later } else { &first };
            let text = swapped(bytes, swaps);
            let lines = text.split_inclusive('\n');
            campaign.file(path, &lines.filter(|it| !is_left_out(it)).collect::<String>());
            if let Some(path) = path.strip_prefix("trial/") {
                let text = swapped(bytes, &fixup);
                let anew = if path.starts_with("raw/") { measured_anew(&text) } else { text };
                campaign.file(&format!("fixup/{path}"), &anew);
            }
        }
        let story = swapped(&demo.files["drafts/patch.md"], &first);
        campaign.file("drafts/try.md", &story.replace("sort-in-topk", "unsorted"));
        campaign
    }

    /// What stands for the demonstration's two builds.
    fn swaps(&self, baseline: usize, patched: usize) -> Swaps {
        let ids = |name: &str, at: usize| {
            let ((commit, tree), real) = (build(name), &self.commits[at]);
            [(commit, real.clone()), (tree, self.field.id(&format!("{real}^{{tree}}")))]
        };
        let knowledge = self.field.world.root.join("knowledge").into_string();
        let all = ids("baseline", baseline).into_iter().chain(ids("moe-routing", patched));
        // A demonstration says so in its versions; this campaign is none.
        let earnest = ("+demo".to_owned(), String::new());
        all.chain([(KNOWLEDGE.to_owned(), knowledge), earnest]).collect()
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.evidence.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a person would type: nothing is told of checkout and loop, which are there.
    fn typed(&self, step: &Step) -> Vec<String> {
        let swaps = self.swaps(0, 3);
        let mut typed = Vec::new();
        let mut args = step.args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--demo" => {}
                "--stand" | "--git" | "--diff" | "--facts" | "--review" => {
                    args.next();
                }
                // The plan is written from the journal.
                "--file" if typed[..] == ["loop", "plan"] => {
                    args.next();
                }
                it if it.contains("/chat-") => {}
                it => typed.push(match it.strip_prefix('@') {
                    Some(path) => self.evidence.join(path).into_string(),
                    None => swapped(it.as_bytes(), &swaps),
                }),
            }
        }
        if typed[0] == "init" {
            typed.push(format!("vllm_checkout={}", self.field.vllm));
        }
        typed
    }

    #[track_caller]
    fn run(&self, words: &[&str]) {
        let ended = self.field.vsota(words);
        assert_eq!(ended.exit, 0, "{words:?}\n{}", ended.told);
        // A block that does not count leads nowhere.
        let idle = ended.json["report_only"].as_array().is_some_and(|it| !it.is_empty());
        assert!(!idle, "{words:?}\n{}", ended.told);
    }

    /// Commits what was made beforehand.
    fn commit(&self, at: usize) {
        self.field.git(&["merge", "-q", "--ff-only", &self.commits[at]]);
    }

    /// The only loop.
    fn dir(&self) -> Utf8PathBuf {
        let mut loops = self.field.vllm.join(".humanize/rlcr").read_dir_utf8().unwrap();
        loops.next().unwrap().unwrap().path().to_owned()
    }

    fn tell(&self, name: &str, text: &str) {
        fs::write(self.dir().join(name), text).unwrap();
    }

    /// What Humanize writes into its state.
    fn turn(&self, from: &str, to: &str) {
        let state = fs::read_to_string(self.dir().join("state.md")).unwrap();
        assert!(state.contains(from), "{from}: {state}");
        self.tell("state.md", &state.replace(from, to));
    }

    /// What the agent writes.
    fn written(&self, round: u32) {
        self.tell(&format!("round-{round}-contract.md"), "the contract\n");
        self.tell(&format!("round-{round}-summary.md"), "# Round\n\nthe routing in one pass\n");
    }

    /// A patch that is tried and taken back.
    fn tries(&self) {
        self.commit(1);
        self.run(&["patch", "record", self.evidence.join("drafts/try.md").as_str()]);
        self.commit(2);
        self.run(&["revalidate", "retry", "--reason", "the order of ties changed"]);
    }

    /// Humanize's review of the accepted patch, and the commit that it demands.
    fn reviewed(&self) {
        self.tell("round-0-review-result.md", &review_result("ADVANCED", "COMPLETE"));
        self.turn("verdict: unknown", "verdict: advanced");
        self.turn("review_started: false", "review_started: true");
        self.tell(".review-phase-started", "build_finish_round=0\n");
        let finding = "the empty batch is not handled";
        self.tell("round-1-review-result.md", &format!("- [P1] {finding}\n"));
        self.turn("current_round: 0", "current_round: 1");
        self.commit(4);
        self.run(&["patch", "fixup", "--finding", finding]);
        let tests = self.evidence.join("tests/junit.xml");
        let tests = ["--junit", tests.as_str()];
        self.run(&[&["revalidate", "test", "--commit", &self.commits[4]], &tests[..]].concat());
        let mut blocks: Vec<String> = self
            .evidence
            .join("fixup")
            .read_dir_utf8()
            .unwrap()
            .map(|it| it.unwrap().path().to_string())
            .filter(|it| it.ends_with(".json") && !it.contains("/chat-"))
            .collect();
        blocks.sort_by_key(|it| it.rsplit('-').next().map(str::to_owned));
        let blocks = blocks.iter().map(String::as_str);
        self.run(&["revalidate", "ingest"].into_iter().chain(blocks).collect::<Vec<_>>());
        self.written(1);
        self.run(&["revalidate", "accept"]);
        self.tell("round-2-review-result.md", "- [P3] a comment says less than it could\n");
        self.turn("current_round: 1", "current_round: 2");
    }

    fn walk(&self, demo: &Demo) {
        // What the demonstration is refused for, and shows, is its own.
        let idle = |it: &Step| {
            let last = it.args.last().unwrap();
            let of_chat = last.ends_with("again.jsonl") || last.ends_with("oom.jsonl");
            it.refused || it.args[..2] == ["bench", "table"] || of_chat
        };
        for step in demo.steps.iter().filter(|it| !idle(it)) {
            let typed = self.typed(step);
            let words: Vec<&str> = typed.iter().map(String::as_str).collect();
            match words[..2] {
                ["patch", "record"] => {
                    self.tries();
                    self.commit(3);
                }
                ["revalidate", "accept"] => self.written(0),
                ["stop", "confirm"] => {
                    let dir = self.dir();
                    fs::rename(dir.join("state.md"), dir.join("complete-state.md")).unwrap();
                }
                _ => {}
            }
            self.run(&words);
            if words[..2] == ["revalidate", "accept"] {
                self.reviewed();
            }
        }
    }
}

#[test]
fn a_campaign_on_a_real_checkout_is_proved_whole() {
    let demo = Demo::new();
    let campaign = Campaign::new(&demo);
    campaign.walk(&demo);
    let ended = campaign.field.vsota(&["verify", "--strict"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert_eq!(ended.json["not_checked"].as_array().unwrap().len(), 0, "{}", ended.told);
    assert_eq!(ended.json["waivers"].as_array().unwrap().len(), 0, "{}", ended.told);
    let checks = ended.json["checks"].as_array().unwrap();
    let walked = checks.iter().find(|it| it["check"] == "checkout").unwrap();
    let found = walked["found"].as_str().unwrap();
    assert!(
        found.starts_with("4 commits from ") && found.ends_with("each with its gate"),
        "{found}"
    );
}
