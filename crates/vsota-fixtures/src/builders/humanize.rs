//! Humanize's loop as a stand-in: directories in every state of its life, and a runtime whose set-up
//! behaves like the real one as far as anybody here looks.

use std::collections::BTreeMap;

use vsota_core::facts::Duty;

/// The files of a directory, by name.
pub type LoopFiles = BTreeMap<String, String>;

/// What a made-up loop is.
#[derive(Clone, Debug)]
pub struct LoopParts {
    /// The round that it is in.
    pub round: u32,
    /// The commit that it reviews from.
    pub base_commit: String,
    /// The branch that it was started on, and that it reviews against.
    pub branch: String,
    /// The plan that it runs.
    pub plan: String,
    /// `strict_success`, which only some runtimes write.
    pub strict: Option<bool>,
}

impl LoopParts {
    /// A loop on a commit, in round 0, as a public release would start it.
    pub fn on(base_commit: &str, plan: &str) -> Self {
        Self {
            round: 0,
            base_commit: base_commit.into(),
            branch: "main".into(),
            plan: plan.into(),
            strict: None,
        }
    }

    /// The state file.
    pub fn state(&self, review_started: bool) -> String {
        let Self { round, base_commit, branch, strict, .. } = self;
        let strict = strict.map_or_else(String::new, |it| format!("strict_success: {it}\n"));
        format!(
            "---\ncurrent_round: {round}\nmax_iterations: 42\ncodex_model: stand-in\ncodex_effort: high\n\
             codex_timeout: 5400\npush_every_round: false\nfull_review_round: 5\n\
             plan_file: .humanize/vllm-sota-agent/refined-plan.md\nplan_tracked: false\n\
             start_branch: {branch}\nbase_branch: {branch}\nbase_commit: {base_commit}\n\
             review_started: {review_started}\nask_codex_question: false\nsession_id:\n\
             agent_teams: false\nprivacy_mode: true\n{strict}bitlesson_required: true\n\
             mainline_stall_count: 0\nlast_mainline_verdict: unknown\ndrift_status: normal\n\
             started_at: 2026-01-01T00:00:00Z\n---\n"
        )
    }

    /// A loop directory whose state lies under this name, such as `finalize-state.md`.
    pub fn named(&self, state: &str) -> LoopFiles {
        let round = self.round;
        let reviewed = state != "state.md";
        let files = [
            (state.to_owned(), self.state(reviewed)),
            ("plan.md".into(), self.plan.clone()),
            ("goal-tracker.md".into(), "# Goal Tracker\n".into()),
            ("round-0-prompt.md".into(), PROMPT.into()),
            (format!("round-{round}-prompt.md"), PROMPT.into()),
            (format!("round-{round}-summary.md"), SCAFFOLD.into()),
        ];
        files.into_iter().collect()
    }

    /// A loop whose code review has begun.
    pub fn in_review(&self) -> LoopFiles {
        let mut files = self.named("state.md");
        files.insert("state.md".into(), self.state(true));
        files
            .insert(".review-phase-started".into(), format!("build_finish_round={}\n", self.round));
        files
    }
}

/// Whatever else stands in it, this heading is what the handshake of public releases looks for.
const PROMPT: &str =
    "Stand-in prompt.\n\n## Round Contract Setup (REQUIRED BEFORE CODING)\n\nWrite it.\n";

/// A summary that nobody has written yet.
const SCAFFOLD: &str = "# Round 0 Summary\n\n## What Was Implemented\n\n[Describe what was done]\n";

/// A review of the implementation phase with that verdict, in capitals, and that last line.
pub fn review_result(verdict: &str, last: &str) -> String {
    format!("Stand-in review.\n\nMainline Progress Verdict: {verdict}\n\n{last}\n")
}

/// A plan that meets every rule.
pub fn refined_plan() -> String {
    let mut plan =
        String::from("# Stand-in plan\n\n## Goal\n\nBe as fast.\n\n## Acceptance Criteria\n\n");
    for duty in Duty::ALL {
        plan.push_str(&format!(
            "- **{duty}**: kept.\n  - positive test: yes.\n  - negative test: no.\n"
        ));
    }
    plan.push_str(
        "\n## Path Boundaries\n\n- vllm/\n\n## Dependencies and Sequence\n\n- one by one\n",
    );
    plan.push_str("\n## Implementation Notes\n\n- none\n");
    plan
}

/// A runtime, by path below its root. Its set-up takes `--strict-success` when it is strict.
///
/// With `STAND_IN_RAN` it leaves a line in that file, so that a test sees whether it was run at all.
pub fn runtime(strict: bool) -> BTreeMap<&'static str, String> {
    let flag = if strict { "    --strict-success) strict='strict_success: true' ;;\n" } else { "" };
    BTreeMap::from([
        ("scripts/setup-rlcr-loop.sh", SETUP.replace("    @STRICT@\n", flag)),
        ("scripts/lib/config-loader.sh", "# stand-in\n".into()),
        ("hooks/lib/loop-common.sh", "# stand-in\n".into()),
        ("config/default_config.json", "{}\n".into()),
        ("prompt-template/none.md", "none\n".into()),
        ("templates/bitlesson.md", "none\n".into()),
    ])
}

/// The checks that matter, in Humanize's order and with its words; then the files that it writes.
const SETUP: &str = r###"#!/bin/sh
# A stand-in for the set-up of a review loop, for tests.
set -e
[ -z "$STAND_IN_RAN" ] || echo "$*" >> "$STAND_IN_RAN"
die() { echo "$1" >&2; exit 1; }
plan= base= strict= yolo=true
while [ $# -gt 0 ]; do
  case "$1" in
    --yolo) yolo=false ;;
    --base-branch) base=$2; shift ;;
    @STRICT@
    -*) die "Unknown option: $1" ;;
    *) plan=$1 ;;
  esac
  shift
done
root=${CLAUDE_PROJECT_DIR:-$(git rev-parse --show-toplevel)}
for tool in codex jq git; do
  command -v "$tool" > /dev/null || die "Error: Missing required dependencies for RLCR loop"
done
[ -z "$STAND_IN_FAIL" ] || die "Error: $STAND_IN_FAIL"
newest=$(ls -d "$root"/.humanize/rlcr/*/ 2> /dev/null | tail -1)
[ -z "$newest" ] || [ ! -e "$newest/state.md" ] || die "Error: An RLCR loop is already active"
[ -f "$root/$plan" ] || die "Error: Plan file not found: $plan"
git show-ref --verify --quiet "refs/heads/$base" || die "Error: Specified base branch does not exist: $base"
[ -z "$(git status --porcelain -uall | grep -vE '^\?\? \.humanize[-/]')" ] || die "Error: Git working tree is not clean"
dir=$root/.humanize/rlcr/$(date +%Y-%m-%d_%H-%M-%S)
mkdir -p "$dir"
cp "$root/$plan" "$dir/plan.md"
printf 'Stand-in.\n\n## Round Contract Setup (REQUIRED BEFORE CODING)\n' > "$dir/round-0-prompt.md"
printf '# Round 0 Summary\n\n[Describe what was done]\n' > "$dir/round-0-summary.md"
{
  printf -- '---\ncurrent_round: 0\nmax_iterations: 42\n'
  printf 'plan_file: %s\nstart_branch: %s\nbase_branch: %s\n' "$plan" "$(git rev-parse --abbrev-ref HEAD)" "$base"
  printf 'base_commit: %s\nreview_started: false\n' "$(git rev-parse "$base")"
  printf 'ask_codex_question: %s\nsession_id:\n' "$yolo"
  [ -z "$strict" ] || echo "$strict"
  printf 'mainline_stall_count: 0\nlast_mainline_verdict: unknown\n'
  printf 'started_at: %s\n---\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
} > "$dir/state.md"
echo "=== start-rlcr-loop activated ==="
"###;
