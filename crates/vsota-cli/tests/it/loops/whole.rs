//! A whole campaign on a real checkout: commits, a loop of the stand-in runtime, and what `verify --strict`
//! says of it all.

use std::fs;

use camino::Utf8PathBuf;
use vsota_fixtures::builders::humanize::{review_result, runtime};
use vsota_fixtures::demo::{Demo, Step, build};

use super::field::{Ended, Field};

const KERNEL: &str = "csrc/moe/topk_softmax_kernels.cu";
const TEST: &str = "tests/kernels/moe/test_topk_softmax.py";
const KNOWLEDGE: &str = "/knowledge/model-pr-optimization-history";

/// The demonstration's evidence as a real campaign would have it: of the checkout's own commits.
struct Campaign {
    field: Field,
    evidence: Utf8PathBuf,
    patch: String,
}

impl Campaign {
    fn new(demo: &Demo) -> Self {
        let field = Field::bare();
        for (path, text) in runtime(true) {
            field.script(&format!("humanize/{path}"), &text);
        }
        let swap = |name: &str, made_up: (String, String)| {
            field.commit(name);
            [(made_up.0, field.id("HEAD")), (made_up.1, field.id("HEAD^{tree}"))]
        };
        field.put(KERNEL, "// demonstration: two passes\n");
        field.put(TEST, "# demonstration: no ties\n");
        let baseline = swap("baseline", build("baseline"));
        field.put(KERNEL, "// demonstration: one pass, sorted by expert\n");
        field.put(TEST, "# demonstration: ties keep their order\n");
        let patched = swap("routing", build("moe-routing"));
        let patch = field.id("HEAD");
        field.git(&["reset", "-q", "--hard", "HEAD~1"]);
        let knowledge = field.world.root.join("knowledge");
        for framework in ["vllm", "sglang"] {
            let card = format!("knowledge/{framework}/demo-moe/README.md");
            field.script(&card, "# demo-moe\n\n- #4242: routing in one pass\n");
        }
        let swaps: Vec<(String, String)> = baseline
            .into_iter()
            .chain(patched)
            .chain([(KNOWLEDGE.to_owned(), knowledge.into_string())])
            .collect();
        let evidence = field.world.root.join("evidence");
        for (path, bytes) in &demo.files {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let text = swaps.iter().fold(text, |text, (from, to)| text.replace(from, to));
            let path = evidence.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { field, evidence, patch }
    }

    /// What a person would type: nothing is told of checkout and loop, which are there.
    fn typed(&self, step: &Step) -> Vec<String> {
        let (commit, tree) = build("moe-routing");
        let (old_commit, old_tree) = build("baseline");
        let id = |revision: &str| self.field.id(revision);
        let mut typed = Vec::new();
        let mut args = step.args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--demo" => {}
                "--stand" | "--git" | "--diff" | "--facts" | "--review" => {
                    args.next();
                }
                it if it == commit => typed.push(self.patch.clone()),
                it if it == tree => typed.push(id(&format!("{}^{{tree}}", self.patch))),
                it if it == old_commit => typed.push(id("HEAD")),
                it if it == old_tree => typed.push(id("HEAD^{tree}")),
                it => typed.push(match it.strip_prefix('@') {
                    Some(path) => self.evidence.join(path).into_string(),
                    None => it.to_owned(),
                }),
            }
        }
        if typed[0] == "init" {
            typed.push(format!("vllm_checkout={}", self.field.vllm));
        }
        typed
    }

    /// What happens outside before a step is typed: the commit, and what Humanize and the agent write.
    fn before(&self, step: &Step, opened: usize) {
        let named = |words: &[&str]| step.args.iter().zip(words).all(|(it, word)| it == word);
        let field = &self.field;
        if named(&["patch", "record"]) && !step.refused {
            field.git(&["merge", "-q", "--ff-only", &self.patch]);
        } else if named(&["revalidate", "accept"]) {
            self.tell("round-0-contract.md", "the contract\n");
            self.tell("round-0-summary.md", "# Round 0\n\nthe routing in one pass\n");
        } else if named(&["round", "open"]) && opened > 0 {
            self.tell("round-0-review-result.md", &review_result("ADVANCED", "- more"));
            let state = self.state();
            let state = state.replace("current_round: 0", "current_round: 1");
            self.tell("state.md", &state.replace("verdict: unknown", "verdict: advanced"));
        } else if named(&["stop", "confirm"]) {
            let dir = self.dir();
            fs::rename(dir.join("state.md"), dir.join("complete-state.md")).unwrap();
        }
    }

    /// The only loop.
    fn dir(&self) -> Utf8PathBuf {
        let mut loops = self.field.vllm.join(".humanize/rlcr").read_dir_utf8().unwrap();
        loops.next().unwrap().unwrap().path().to_owned()
    }

    fn state(&self) -> String {
        fs::read_to_string(self.dir().join("state.md")).unwrap()
    }

    fn tell(&self, name: &str, text: &str) {
        fs::write(self.dir().join(name), text).unwrap();
    }

    fn walk(&self, demo: &Demo) {
        let mut opened = 0;
        for step in &demo.steps {
            self.before(step, opened);
            let typed = self.typed(step);
            let words: Vec<&str> = typed.iter().map(String::as_str).collect();
            let Ended { exit, told, .. } = self.field.vsota(&words);
            let wanted = if step.refused { 3 } else { 0 };
            assert_eq!(exit, wanted, "{}: {words:?}\n{told}", step.shows);
            opened += usize::from(words[..2] == ["round", "open"]);
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
    assert!(found.starts_with("1 commits from ") && found.ends_with("each with its gate"), "{found}");
}
