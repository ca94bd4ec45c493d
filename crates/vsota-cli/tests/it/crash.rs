//! A process that is killed at any moment loses nothing that it acknowledged.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use camino::Utf8PathBuf;

use crate::world::{World, step};

const RUN: &str = "VSOTA_TEST_RUN";

#[test]
#[ignore = "the process that is killed"]
fn writes_until_it_is_killed() {
    let run = Utf8PathBuf::from(std::env::var(RUN).unwrap());
    loop {
        println!("acknowledged {}", step(&run).unwrap().head);
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let world = World::with(1);
    let mut acknowledged = Vec::new();
    for round in 0..25_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(RUN, &world.run)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Spread over the length of a step, without a clock deciding what is tested.
        thread::sleep(Duration::from_micros(20_000 + round * 1_777));
        child.kill().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        let heads = told.lines().map_while(Result::ok);
        acknowledged
            .extend(heads.filter_map(|it| it.strip_prefix("acknowledged ").map(str::to_owned)));
        child.wait().unwrap();

        let entries = world.read().unwrap().entries;
        for head in acknowledged.iter().filter(|it| it.len() > 64) {
            let (seq, _) = head.split_once(' ').unwrap();
            assert!(
                entries.len() as u64 >= seq.parse().unwrap(),
                "{head} was lost in round {round}"
            );
        }
        step(&world.run).unwrap();
    }
    assert!(!acknowledged.is_empty(), "no step was taken before a kill");
}

/// Killed between the first line of the journal and the first document: nobody was told.
#[test]
fn an_opening_that_nobody_was_told_of_is_proved_and_rendered_later() {
    let world = World::with(1);
    let whole = world.bytes();
    for document in ["humanize/model-loop-checkpoint.md", "final_report.md", "manifest.md"] {
        std::fs::remove_file(world.run.join(document)).unwrap();
    }
    assert_eq!(world.vsota(&["verify"]).status.code(), Some(0));
    assert_eq!(world.vsota(&["report"]).status.code(), Some(0));
    assert_eq!(world.vsota(&["verify"]).status.code(), Some(0));
    assert_eq!(world.bytes(), whole);

    // A second entry was only written after the first was acknowledged.
    let world = World::with(2);
    for document in ["humanize/model-loop-checkpoint.md", "final_report.md"] {
        std::fs::remove_file(world.run.join(document)).unwrap();
    }
    assert_eq!(world.vsota(&["verify"]).status.code(), Some(5));
}
