//! The plan, the way into the loop and into its successors, and where every gate must stand.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::event::LoopEntered;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::{Cases, after, but, forged};

pub(super) fn cases(all: &mut Cases) {
    plans(all);
    entering(all);
    reentering(all);
    opening(all);
    every_gate(all);
}

fn plans(all: &mut Cases) {
    let frozen = Run::frozen();
    let mut group = all.of(&frozen, FilePlan, plan());
    group
        .but("LoopObjection.PlanElsewhere", Pl1, "at docs/plan.md", |it| {
            it.path = line("docs/plan.md");
        })
        .but("LoopObjection.Placeholders", Pl1, "3 placeholders", |it| it.placeholders = 3);
    for duty in Duty::ALL {
        let name = format!("LoopObjection.DutyMissing/{duty}");
        group.but(&name, Pl2, duty.as_str(), |it| {
            it.duties.remove(duty);
        });
    }
    for section in Section::ALL {
        let name = format!("LoopObjection.SectionMissing/{section}");
        group.but(&name, Pl3, section.as_str(), |it| {
            it.sections.remove(section);
        });
    }
}

fn head_of(start: &mut LoopStart) -> &mut Head {
    start.checkout.head.as_mut().unwrap()
}

fn active(start: &mut LoopStart) -> &mut ActiveLoop {
    start.active.as_mut().unwrap()
}

fn no_flag(start: &mut LoopStart, flag: &str) {
    start.setup.argv.retain(|it| !it.as_str().ends_with(flag));
}

fn entering(all: &mut Cases) {
    let frozen = Run::frozen();
    let planned = after(&frozen, FilePlan(plan()));
    let dir = "2026-01-01_00-00-00";
    all.moved(
        "LoopObjection.NoPlan",
        Pl1,
        "no refined plan",
        &frozen,
        &planned,
        EnterLoop(loop_start()),
    );
    all.of(&planned, EnterLoop, loop_start())
        .but("LoopObjection.NotGit", Rl1, "not a git repository", |it| it.checkout.is_git = false)
        .but("LoopObjection.NoCommit", Rl1, "no commit", |it| it.checkout.head = None)
        .but("LoopObjection.Dirty", Rl1, "not clean", |it| head_of(it).clean = false)
        .but("LoopObjection.NotIgnored", Rl2, "not ignored", |it| {
            it.checkout.humanize_ignored = false;
        })
        .but("LoopObjection.Tracked", Rl2, "tracked", |it| it.checkout.humanize_tracked = true)
        .but("LoopObjection.NoBase", Rl3, "base branch", |it| it.checkout.base_exists = false)
        .but("LoopObjection.AmbiguousBase", Rl3, "ambiguous", |it| {
            it.checkout.base_ambiguous = true
        })
        .but("LoopObjection.OtherLoop", Rl4, "../other/.humanize", |it| {
            it.other_loops = lines(&["../other/.humanize/rlcr/2026-01-02_00-00-00"]);
        })
        .but("LoopObjection.OtherPlan", Rl4, dir, |it| active(it).plan_sha256 = digest("other"))
        .but("LoopObjection.FlagMissing/yolo", Rl5, "--yolo", |it| no_flag(it, "--yolo"))
        .but("LoopObjection.FlagMissing/strict", Rl5, "--strict-success", |it| {
            no_flag(it, "--strict-success");
        })
        .but("LoopObjection.PlanNotPassed", Rl5, "refined plan", |it| {
            no_flag(it, "refined-plan.md");
        })
        .but("LoopObjection.SetupFailed", Rl5, "with 2: no plan there", |it| {
            it.setup.exit = 2;
            it.setup.message = Some(line("no plan there"));
        })
        .but("LoopObjection.NotActive", Rl6, "no active state file", |it| it.active = None)
        .but("LoopObjection.NoPrompt", Rl6, dir, |it| active(it).round_prompt = false)
        .but("LoopObjection.NotStrict/unsaid", Rl6, dir, |it| active(it).strict_success = None)
        .but("LoopObjection.NotStrict/false", Rl6, dir, |it| {
            active(it).strict_success = Some(false);
        })
        .but("LoopObjection.NotFresh", Rl4, "in its round 3", |it| active(it).current_round = 3)
        .but("LoopObjection.OtherTree", Fb13, git("another build").as_str(), |it| {
            head_of(it).tree = git("another build");
        });
    let waived = but(&loop_start(), |it| {
        it.handshake = Handshake::RoundContract;
        no_flag(it, "--strict-success");
        active(it).strict_success = None;
    });
    all.of(&planned, EnterLoop, waived)
        .but("LoopObjection.NoContract/later round", Rl6, dir, |it| active(it).current_round = 1)
        .but("LoopObjection.NoContract/asks", Rl6, dir, |it| {
            active(it).ask_codex_question = Some(true);
        })
        .but("LoopObjection.NoContract/no set-up", Rl6, dir, |it| {
            active(it).round_contract = false;
        });
}

/// A successor of the recorded loop.
pub(super) fn reentry() -> LoopReentry {
    let start = but(&loop_start(), |it| active(it).dir = name("2026-01-09_00-00-00"));
    LoopReentry { old_state: LoopEnd::Gone, start }
}

fn reentering(all: &mut Cases) {
    let running = Run::in_loop();
    all.of(&running, ReenterLoop, reentry())
        .but("LoopObjection.StillActive", Rl7, "still active", |it| {
            it.old_state = LoopEnd::Active;
        })
        .but("LoopObjection.SameLoop", Rl7, "2026-01-01_00-00-00", |it| {
            active(&mut it.start).dir = name("2026-01-01_00-00-00");
        })
        .but("LoopObjection.PatchedOutside", Fb11, git("made outside").as_str(), |it| {
            head_of(&mut it.start).tree = git("made outside");
        })
        .but("LoopObjection.NotActive/successor", Rl6, "no active state file", |it| {
            it.start.active = None;
        });
    // No guard lets a campaign into the loop without a plan; a journal of other guards might.
    let unplanned = forged(&Run::frozen(), LoopEntered { said: loop_start() });
    let name = "LoopObjection.NoPlan/successor";
    all.moved(name, Pl1, "no refined plan", &unplanned, &running, ReenterLoop(reentry()));
}

fn opening(all: &mut Cases) {
    let accepted = Run::accepted_patch();
    let start = RoundStart { stand: accepted.stand(), review: Some(Review::Advanced) };
    all.of(&accepted, OpenRound, start)
        .but("LoopObjection.NoReview", Rl8, "not reviewed", |it| it.review = None);
}

/// A gate command: its name, its campaign, and the command as it stands.
type Gate = (&'static str, Run, fn(&Run, Standpoint) -> Command);

fn gates() -> Vec<Gate> {
    let mut open = Run::in_loop();
    open.open_round();
    let behind = but(&open, |it| {
        it.blocks(4, 1.0);
    });
    let profiled = but(&Run::behind(), |it| {
        it.profiles();
    });
    let closable = after(&Run::layered(), NoteIdea(idea("norm", 2)));
    let external = but(&closable, |it| {
        it.ask(NoteIdea(idea("routing", 1)));
    });
    vec![
        ("open-round", Run::in_loop(), |_, stand| {
            OpenRound(RoundStart { stand, review: None }).into()
        }),
        ("decide-gap", open.clone(), |_, stand| DecideGap(DecisionAsked { stand }).into()),
        ("open-profiling", behind, |_, stand| OpenProfiling(DecisionAsked { stand }).into()),
        ("claim-stop in gap-decision", Run::decided(), |run, stand| {
            ClaimStop(StopClaim { stand, ..claim(run, StopReason::Tied) }).into()
        }),
        ("name-root-cause", profiled, |run, stand| {
            NameRootCause(RootCause { stand, ..root_cause(run) }).into()
        }),
        ("file-pipeline", Run::triaged(), |run, stand| {
            FilePipeline(Pipeline { stand, ..pipeline(run) }).into()
        }),
        ("open-kernel-assist", Run::layered(), |run, stand| {
            OpenKernelAssist(KernelTarget { stand, ..kernel_target(run) }).into()
        }),
        ("claim-stop in layer-pipeline", external, |run, stand| {
            ClaimStop(StopClaim { stand, ..claim(run, StopReason::External) }).into()
        }),
    ]
}

/// Commands that may come from a tree of their own, or from a lost loop.
fn half_gates() -> (Vec<Gate>, Vec<Gate>) {
    let mut open = Run::in_loop();
    open.open_round();
    let closable = after(&Run::layered(), NoteIdea(idea("norm", 2)));
    let assisted = after(&Run::assisted(), NoteIdea(idea("norm", 2)));
    let measured = but(&Run::patched(), |it| {
        it.trial(1.05);
    });
    let of_a_patch: Vec<Gate> = vec![
        ("record-patch", blocked(&Run::layered()), |run, mut stand| {
            stand.head = head("patch-1");
            RecordPatch(Patch { stand, ..patch(run, "patch-1", true) }).into()
        }),
        ("record-fixup", Run::accepted_patch(), |run, mut stand| {
            stand.head = head("fixup-1");
            RecordFixup(Fixup { stand, ..fixup(run, "fixup-1") }).into()
        }),
        ("accept-patch", measured, |run, mut stand| {
            stand.head = run.acceptance().stand.head;
            AcceptPatch(Acceptance { stand, ..run.acceptance() }).into()
        }),
    ];
    let abandon: fn(&Run, Standpoint) -> Command =
        |_, stand| AbandonRound(Abandonment { reason: line("the loop is lost"), stand }).into();
    let reject: fn(&Run, Standpoint) -> Command =
        |_, stand| RejectPatch(Rejection { reason: line("wrong"), head: stand.head }).into();
    let retry: fn(&Run, Standpoint) -> Command =
        |_, stand| RetryPatch(Rejection { reason: line("wrong"), head: stand.head }).into();
    let on_accepted: Vec<Gate> = vec![
        ("abandon-round in gap-decision", open, abandon),
        ("abandon-round in profiling", Run::behind(), abandon),
        ("abandon-round in layer-pipeline", closable, abandon),
        ("abandon-round in kernel-assist", assisted, abandon),
        ("reject-patch", Run::patched(), reject),
        ("retry-patch", Run::patched(), retry),
    ];
    (of_a_patch, on_accepted)
}

/// The blocker that a kernel patch needs without a digest.
pub(super) fn blocked(run: &Run) -> Run {
    after(
        run,
        BlockNcu(NcuBlock {
            kernel: name("moe-routing"),
            reason: line("no permission for counters"),
            next_edit: line("load the weights through shared memory"),
        }),
    )
}

fn every_gate(all: &mut Cases) {
    let (of_a_patch, on_accepted) = half_gates();
    for (gate, run, ask) in gates().into_iter().chain(of_a_patch) {
        let stand = run.stand();
        let mut wrong = |code: &str, clause, found: &str, change: fn(&mut Standpoint)| {
            let name = format!("LoopObjection.{code}/{gate}");
            let bad = ask(&run, but(&stand, change));
            all.add(&name, clause, found, (&run, bad), (&run, ask(&run, stand.clone())));
        };
        wrong("LoopEnded", Rl8, "the loop is cancel", |it| it.loop_state = LoopEnd::Cancel);
        wrong("OtherDir", Rl7, "2026-02-02_02-02-02", |it| {
            it.loop_dir = name("2026-02-02_02-02-02");
        });
    }
    for (gate, run, ask) in gates().into_iter().chain(on_accepted) {
        let stand = run.stand();
        let mut wrong = |code: &str, found: &str, change: fn(&mut Standpoint)| {
            let name = format!("LoopObjection.{code}/{gate}");
            let bad = ask(&run, but(&stand, change));
            all.add(&name, Pa1, found, (&run, bad), (&run, ask(&run, stand.clone())));
        };
        wrong("LeftAccepted", git("edited").as_str(), |it| it.head.tree = git("edited"));
        wrong("DirtyGate", "work tree", |it| it.head.clean = false);
    }
}

/// The successor loop in which a campaign goes on after its own was lost.
pub(super) fn in_successor(run: &Run) -> Run {
    let mut it = reentry();
    head_of(&mut it.start).tree = run.accepted();
    after(run, ReenterLoop(it))
}

#[test]
fn a_successor_waits_for_no_review_of_the_lost_loop() {
    let successor = in_successor(&Run::accepted_patch());
    let start = RoundStart { stand: successor.stand(), review: None };
    assert!(successor.campaign.decide(OpenRound(start)).is_ok());
}
