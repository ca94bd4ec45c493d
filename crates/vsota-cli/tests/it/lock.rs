//! One writer at a time; readers never wait.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use vsota_cli::journal::Journal;
use vsota_cli::rundir::RunDir;
use vsota_core::Entry;
use vsota_core::event::HistoryBlocked;
use vsota_core::facts::{Framework, HistoryBlock};
use vsota_core::text::Line;

use crate::world::{World, step, vsota};

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

/// An event of HI-4 that makes a line of just so many bytes.
fn of_size(world: &World, bytes: usize) -> Entry {
    let mut entry = world.read().unwrap().entries.pop().unwrap();
    entry.seq.0 += 1;
    let line = |len| Line::new("x".repeat(len)).unwrap();
    let mut said =
        HistoryBlock { framework: Framework::Vllm, tried: vec![line(900); 16], reason: line(1) };
    entry.event = HistoryBlocked { said: said.clone() }.into();
    let missing = bytes - serde_json::to_vec(&entry).unwrap().len();
    // Each further one brings two quotes and a comma.
    said.tried.extend([line(missing / 2 - 3), line(missing - missing / 2 - 3)]);
    entry.event = HistoryBlocked { said }.into();
    assert_eq!(serde_json::to_vec(&entry).unwrap().len(), bytes);
    entry
}

#[test]
fn an_event_may_have_sixteen_kibibytes_and_not_one_byte_more() {
    let world = World::with(3);
    let run = RunDir::open(&world.run).unwrap();
    let (mut journal, _) = Journal::open(&run).unwrap();
    let over = of_size(&world, 16 * 1024 + 1);
    assert_eq!(journal.append(&over).unwrap_err().exit().code(), 4);
    assert_eq!(journal.append(&of_size(&world, 16 * 1024)).unwrap().seq, 4);
}

#[test]
fn a_journal_is_read_up_to_its_largest_size() {
    const MOST: u64 = 192 << 20;
    let world = World::with(2);
    // Nobody says where the last acknowledged line ends: no part of it is a torn tail.
    fs::remove_file(world.checkpoint()).unwrap();
    let sized = |len| {
        let mut file = File::options().write(true).open(world.journal()).unwrap();
        file.set_len(len).unwrap();
        file.seek(SeekFrom::Start(len - 1)).unwrap();
        file.write_all(b"\n").unwrap();
        let failure = step(&world.run).unwrap_err();
        assert_eq!(failure.exit().code(), 5);
        format!("{failure:?}")
    };
    assert!(sized(MOST + 1).contains("more than"), "one byte too many");
    assert!(!sized(MOST).contains("more than"), "just as many as there may be");
}

#[test]
fn who_waited_for_a_journal_writes_to_the_one_that_has_the_name() {
    let world = World::with(3);
    let old = File::options().append(true).open(world.journal()).unwrap();
    old.lock().unwrap();
    let mut waiting = another_process(&world).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(waiting.try_wait().unwrap().is_none(), "it waits");
    let copy = world.root.join("copy");
    fs::write(&copy, world.bytes()).unwrap();
    fs::rename(&copy, world.journal()).unwrap();
    drop(old);
    let text = String::from_utf8(waiting.wait_with_output().unwrap().stdout).unwrap();
    assert!(text.contains("ended with 0"), "{text}");
    assert_eq!(world.read().unwrap().head.seq, 4);
}

#[test]
fn who_follows_is_shown_every_entry_as_it_comes() {
    let world = World::with(2);
    let mut follower = vsota();
    follower.arg("-C").arg(&world.run).args(["log", "--follow", "--json"]);
    let mut follower = follower.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(follower.stderr.take().unwrap()).lines();
    let (say, heard) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|it| say.send(it)));
    let next = || {
        let line = heard.recv_timeout(Duration::from_secs(20)).unwrap();
        serde_json::from_str::<Entry>(&line).unwrap().seq.0
    };
    assert_eq!((next(), next()), (1, 2));
    step(&world.run).unwrap();
    assert_eq!(next(), 3);
    assert!(heard.recv_timeout(Duration::from_millis(600)).is_err(), "nothing is shown twice");
    step(&world.run).unwrap();
    assert_eq!(next(), 4);
    follower.kill().unwrap();
    follower.wait().unwrap();
}
