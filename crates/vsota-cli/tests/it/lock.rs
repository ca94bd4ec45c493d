//! One writer at a time; readers never wait.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use vsota_cli::journal::Journal;
use vsota_cli::rundir::RunDir;
use vsota_core::event::HistoryBlocked;
use vsota_core::facts::{Framework, HistoryBlock};
use vsota_core::text::Line;

use crate::world::{World, step};

const RUN: &str = "VSOTA_TEST_RUN";

/// A writer in a process of its own; says with which code a call would end.
fn another_process(world: &World) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lock::writes_in_another_process", "--ignored", "--nocapture"]);
    command.env(RUN, &world.run).stdin(Stdio::null());
    command
}

#[test]
#[ignore = "the other process of the tests here"]
fn writes_in_another_process() {
    let run = Utf8PathBuf::from(std::env::var(RUN).unwrap());
    let code = step(&run).map_or_else(|it| it.exit().code(), |_| 0);
    println!("ended with {code}");
}

fn code(command: &mut Command) -> u8 {
    let ended = command.output().unwrap();
    let text = String::from_utf8(ended.stdout).unwrap();
    let code = text.lines().find_map(|it| it.split("ended with ").nth(1));
    code.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

#[test]
fn a_second_writer_is_told_within_a_second() {
    let world = World::with(2);
    let run = RunDir::open(&world.run).unwrap();
    let held = Journal::open(&run).unwrap();
    let start = Instant::now();
    assert_eq!(code(&mut another_process(&world)), 6);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(world.read().unwrap().head.seq, 2, "a reader does not wait");
    drop(held);
    assert_eq!(code(&mut another_process(&world)), 0);
    assert_eq!(world.read().unwrap().head.seq, 3);
}

#[test]
fn writers_that_race_lose_nothing() {
    let world = World::with(1);
    let mut granted = 1;
    for _ in 0..5 {
        let racers: Vec<_> = (0..4)
            .map(|_| another_process(&world).stdout(Stdio::piped()).spawn().unwrap())
            .collect();
        for racer in racers {
            let text = String::from_utf8(racer.wait_with_output().unwrap().stdout).unwrap();
            granted += u64::from(text.contains("ended with 0"));
            assert!(text.contains("ended with 0") || text.contains("ended with 6"), "{text}");
        }
    }
    assert_eq!(world.read().unwrap().head.seq, granted);
}

#[test]
fn a_child_does_not_inherit_the_lock() {
    let world = World::with(1);
    let run = RunDir::open(&world.run).unwrap();
    let held = Journal::open(&run).unwrap();
    let mut child = Command::new("sleep").arg("30").spawn().unwrap();
    drop(held);
    let taken = step(&world.run);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(taken.unwrap().head.seq, 2);
}

#[test]
fn a_journal_that_was_replaced_while_it_was_locked_is_not_written() {
    let world = World::with(3);
    let run = RunDir::open(&world.run).unwrap();
    let (mut journal, _) = Journal::open(&run).unwrap();
    let entry = world.read().unwrap().entries.pop().unwrap();
    let bytes = world.bytes();

    let copy = world.root.join("copy");
    fs::write(&copy, &bytes).unwrap();
    fs::rename(&copy, world.journal()).unwrap();
    assert_eq!(journal.append(&entry).unwrap_err().exit().code(), 5);
    assert_eq!(world.bytes(), bytes);

    drop(journal);
    let (mut journal, _) = Journal::open(&run).unwrap();
    world.put(&bytes[..bytes.len() - 9]);
    assert_eq!(journal.append(&entry).unwrap_err().exit().code(), 5, "cut by another program");
}

#[test]
fn an_event_that_is_too_large_is_not_written() {
    let world = World::with(3);
    let run = RunDir::open(&world.run).unwrap();
    let (mut journal, _) = Journal::open(&run).unwrap();
    let mut entry = world.read().unwrap().entries.pop().unwrap();
    let long = || Line::new("x".repeat(900)).unwrap();
    let said = HistoryBlock {
        framework: Framework::Vllm,
        tried: (0..40).map(|_| long()).collect(),
        reason: long(),
    };
    entry.event = HistoryBlocked { said }.into();
    assert_eq!(journal.append(&entry).unwrap_err().exit().code(), 4);
    assert_eq!(world.read().unwrap().head.seq, 3);
}
