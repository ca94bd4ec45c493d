//! The clauses of the campaign contract: the ids that guards, tests, messages and documents share.

use core::fmt;

/// Declares [`Clause`] from one line per clause.
macro_rules! clauses {
    ($( $Variant:ident $id:literal $text:literal )+) => {
        /// One clause of the contract. `rg GD-3` finds its guard, test, message and document.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Clause { $( #[doc = $text] $Variant, )+ }

        impl Clause {
            /// Every clause, in the order of the contract.
            pub const ALL: &[Self] = &[ $( Self::$Variant, )+ ];

            /// The id as people write it: `GD-3`.
            pub fn id(self) -> &'static str {
                match self { $( Self::$Variant => $id, )+ }
            }

            /// What the clause asks, in one line.
            pub fn text(self) -> &'static str {
                match self { $( Self::$Variant => $text, )+ }
            }
        }
    };
}

clauses! {
    Rt1 "RT-1" "Companion roots resolve flag, then installed skills of the runtime, then checkouts."
    Rt2 "RT-2" "The Humanize runtime is a directory that holds scripts/setup-rlcr-loop.sh."
    Rt3 "RT-3" "A missing ncu-report-skill is recorded as a blocker when a kernel change needs NCU evidence."
    Rt4 "RT-4" "Every companion is noted as read, or as blocked, before the first candidate is filed."
    In1 "IN-1" "Inputs are collected or inferred, each with its source."
    In2 "IN-2" "Only a missing model, GPU environment or precision/quantization policy stops a campaign."
    In3 "IN-3" "One run directory holds everything that the campaign writes."
    In4 "IN-4" "The framework set is the caller's: user-excluded and unsupported are never confused."
    In5 "IN-5" "The user is never asked to run set-up steps; other missing values are recorded as unknown."
    Se1 "SE-1" "No secret is ever written to an artefact or to the journal."
    Hi1 "HI-1" "The PR history of the model family is queried before benchmark and patch planning."
    Hi2 "HI-2" "vLLM history is read whenever it exists; SGLang's when SGLang is compared, leads or is suspected."
    Hi3 "HI-3" "History notes name paths, PRs, source files, symbols, risks and the decision they influence."
    Hi4 "HI-4" "History notes help to choose; they are never measured proof."
    Hi5 "HI-5" "An unavailable knowledge root is recorded as a blocker and the campaign goes on."
    Fb1 "FB-1" "The benchmark is mandatory, happens once, and is frozen for ever."
    Fb2 "FB-2" "Every supported framework gets its own bounded search: a baseline and three other commands."
    Fb3 "FB-3" "Model, precision, hardware, endpoint, sampling, load and SLA are the same across frameworks."
    Fb4 "FB-4" "The default scenarios are chat 1000/1000 and summarization 8000/1000 with 80 prompts."
    Fb5 "FB-5" "Smoke runs are labelled, never ranked and never part of a gap decision."
    Fb6 "FB-6" "TensorRT-LLM runs trtllm-serve serve --backend pytorch and no other backend."
    Fb7 "FB-7" "Failed, skipped, OOM, timed-out and SLA-failing candidates stay on record."
    Fb8 "FB-8" "Candidates, summary, winning commands and help output are written."
    Fb9 "FB-9" "Rows rank by status, SLA, request throughput, output throughput, TTFT, TPOT, GPUs."
    Fb10 "FB-10" "Every candidate's context length covers the largest input plus output."
    Fb11 "FB-11" "No patch is chosen or made outside the RLCR loop."
    Fb12 "FB-12" "Candidate generation is the companion's: baseline first, bounded, at most ten a framework."
    Fb13 "FB-13" "vLLM rows are measured on the checkout's recorded tree, which HEAD still has at loop entry."
    Fb14 "FB-14" "Workload, scenarios, SLA, endpoint and sampling are recorded first and never change."
    Pl1 "PL-1" "The refined plan lies in the vLLM checkout and holds no placeholder."
    Pl2 "PL-2" "The plan requires every duty of every round."
    Pl3 "PL-3" "The plan meets the Humanize plan rules."
    Rl1 "RL-1" "The checkout is a git repository with a commit and a clean tree."
    Rl2 "RL-2" ".humanize* is ignored by git and nothing under it is tracked."
    Rl3 "RL-3" "The review base branch exists locally and is passed where detection is ambiguous."
    Rl4 "RL-4" "No other loop is active in any worktree; after a crash the campaign's own is adopted."
    Rl5 "RL-5" "setup-rlcr-loop.sh is run with the plan, --yolo and --strict-success, and exits 0."
    Rl6 "RL-6" "The handshake holds: an active state file with strict_success and a round-0 prompt."
    Rl7 "RL-7" "One active loop at a time; a successor only after the old one is terminal or gone."
    Rl8 "RL-8" "While no loop is active nothing is profiled, patched or accepted."
    Rl9 "RL-9" "A fixup cites its finding, touches accepted files only, and is revalidated."
    Gd1 "GD-1" "Every scenario is compared with every SLA-passing competitor in every round."
    Gd2 "GD-2" "Stable means decided by interleaved blocks at 1 %; a single run decides nothing."
    Gd3 "GD-3" "A patch needs a scenario behind, a failed SLA, or a profiled bottleneck."
    Gd4 "GD-4" "A stop is claimed first and confirmed only after a completed review of the claimed build."
    Gd5 "GD-5" "A gap decision belongs to its round and is made before profiling and patching."
    Gd6 "GD-6" "The metric is request throughput at unbounded rate; a rate-limited scenario names a latency."
    Gd7 "GD-7" "No re-rolling: blocks on one build and rig are pooled and bind later stops."
    Gd8 "GD-8" "A competitor that can no longer run is blocked with evidence; its frozen row stays."
    Pr1 "PR-1" "When behind, vLLM and the best framework are profiled in this round."
    Pr2 "PR-2" "Every framework that leads by more than 1 % in the slow scenario is profiled."
    Pr3 "PR-3" "Profile lengths come from the slow scenario."
    Pr4 "PR-4" "Prefill and decode evidence are separate."
    Pr5 "PR-5" "Each profile holds the kernel, overlap-opportunity and fuse-pattern tables."
    Pr6 "PR-6" "The root cause names stage, table rows and source paths before any patch."
    Pr7 "PR-7" "A patch that changed the profiled path asks for a new profile."
    Pr8 "PR-8" "Evidence counts only in its own round, from a launch of that round on the current build."
    Lp1 "LP-1" "The layer pipeline runs in every round that reached profiler triage."
    Lp2 "LP-2" "The layer report is made from the profiled vLLM trace and the served model's config."
    Ka1 "KA-1" "Kernel assist opens only for a concrete kernel when profiler evidence is not enough."
    Ka2 "KA-2" "Kernel assist needs a 1 % gap, a 1 % kernel share, the layer report, a reference and wiring."
    Ka3 "KA-3" "A digest compares baseline with candidate and ends in exactly one next edit."
    Ka4 "KA-4" "When NCU cannot run the blocker stands in the digest path."
    Ka5 "KA-5" "A microbenchmark or NCU win alone is never success."
    Ka6 "KA-6" "No standalone loop for a kernel."
    Ka7 "KA-7" "ncu-report-skill is read and followed, or its blocker is filed."
    Ka8 "KA-8" "Without a focused harness the smallest faithful one is built and recorded."
    Ka9 "KA-9" "A kernel patch is accepted only when the new kernel is wired and its test is named."
    Pa1 "PA-1" "A patch is a clean range from the accepted tree that changes vLLM code."
    Pa2 "PA-2" "A patch cites symptom, profiler row, layer row, source path and expected effect."
    Pa3 "PA-3" "Copied code carries provenance, licence and local delta."
    Pa4 "PA-4" "A kernel patch cites a row or family of at least 1 %."
    Pa5 "PA-5" "A patch names the history items that influenced it, or why none applies."
    Pa6 "PA-6" "The diff and base tree of every recorded patch are kept."
    Rv1 "RV-1" "Every patch is revalidated by interleaved blocks on every scenario and a new profile."
    Rv2 "RV-2" "Acceptance needs passing tests, nothing behind, no new SLA failure and a measured gain."
    Rv3 "RV-3" "A partial gain leads to the next patch, not to a stop."
    Ck1 "CK-1" "The checkpoint is written after every event."
    Ck2 "CK-2" "A campaign resumes from its run directory alone."
    Le1 "LE-1" "Every attempt has an attempt row; only measured improvements have optimization rows."
    Le2 "LE-2" "A source idea carries its rows, layer evidence and provenance, and is looked up by path."
    Le3 "LE-3" "After two weak outcomes code-first research is recorded before the next edit."
    St1 "ST-1" "vLLM beats the best SLA-passing competitor on every scenario."
    St2 "ST-2" "vLLM is tied within the stable 1 % after repeat runs."
    St3 "ST-3" "The remaining gap is proven external, with named cause and evidence."
    St4 "ST-4" "The hot path is near its limit and no low-risk patch is left."
    St5 "ST-5" "No external or limit stop while a profiler row with vLLM impact is uninvestigated."
    Re1 "RE-1" "The final report holds every table, command, path, waiver and the SOTA verdict."
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl serde::Serialize for Clause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
