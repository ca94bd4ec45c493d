//! What comes in from outside is a regular file, copied, bounded, and never written over another.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::process::Command;

use camino::Utf8Path;
use vsota_cli::failure::Failure;
use vsota_cli::rundir::RunDir;
use vsota_cli::rundir::intake::LIMIT;
use vsota_cli::secrets::Secrets;
use vsota_core::{Artifact, Digest};

use crate::world::{World, rel};

fn take(world: &World, from: &Utf8Path, to: &str) -> Result<Artifact, Failure> {
    RunDir::open(&world.run)?.take_in(from, &rel(to), &Secrets::default(), LIMIT)
}

fn code(result: Result<Artifact, Failure>) -> u8 {
    result.map_or_else(|it| it.exit().code(), |_| 0)
}

fn files(world: &World) -> usize {
    let raw = world.run.join("benchmark/raw");
    fs::read_dir(raw).map_or(0, Iterator::count)
}

#[test]
fn an_artefact_is_the_copied_bytes() {
    let world = World::empty();
    let from = world.root.join("run.json");
    let bytes: Vec<u8> = (0..200_000_u32).map(|it| (it % 251) as u8).collect();
    fs::write(&from, &bytes).unwrap();
    let artefact = take(&world, &from, "benchmark/raw/a.json").unwrap();
    assert_eq!(artefact.path.as_str(), "benchmark/raw/a.json");
    assert_eq!((artefact.bytes, artefact.sha256), (200_000, Digest::of(&bytes)));
    assert_eq!(fs::read(world.run.join("benchmark/raw/a.json")).unwrap(), bytes);
    let run = RunDir::open(&world.run).unwrap();
    assert_eq!(run.digest(&artefact.path).unwrap().as_ref(), Some(&artefact));
    assert_eq!(files(&world), 1);
}

#[test]
fn the_same_file_again_is_fine_and_another_one_is_not() {
    let world = World::empty();
    let from = world.root.join("run.json");
    fs::write(&from, "one").unwrap();
    let first = take(&world, &from, "benchmark/raw/a.json").unwrap();
    assert_eq!(take(&world, &from, "benchmark/raw/a.json").unwrap(), first);
    // Evidence that already lies in its place.
    assert_eq!(
        take(&world, &world.run.join("benchmark/raw/a.json"), "benchmark/raw/a.json").unwrap(),
        first
    );
    fs::write(&from, "two").unwrap();
    assert_eq!(code(take(&world, &from, "benchmark/raw/a.json")), 4);
    assert_eq!(code(take(&world, &from, "benchmark/raw/A.json")), 4, "a twin in case");
    assert_eq!(fs::read(world.run.join("benchmark/raw/a.json")).unwrap(), b"one");
    assert_eq!(files(&world), 1, "a left-over");
}

#[test]
fn what_is_no_regular_file_is_refused_without_hanging() {
    let world = World::empty();
    let fifo = world.root.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let socket = world.root.join("socket");
    let _held = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for from in [
        &fifo,
        &socket,
        Utf8Path::new("/dev/zero"),
        Utf8Path::new("/proc/self/environ"),
        &world.root,
        &world.root.join("none"),
        &fifo.join("below"),
    ] {
        assert_eq!(code(take(&world, from, "benchmark/raw/a.json")), 4, "{from}");
    }
    assert_eq!(files(&world), 0);
}

#[test]
fn a_link_of_the_users_is_followed_but_a_second_name_is_not_taken() {
    let world = World::empty();
    let from = world.root.join("run.json");
    fs::write(&from, "one").unwrap();
    let link = world.root.join("link");
    symlink(&from, &link).unwrap();
    assert_eq!(take(&world, &link, "benchmark/raw/a.json").unwrap().bytes, 3);
    symlink("/dev/zero", world.root.join("zero")).unwrap();
    assert_eq!(code(take(&world, &world.root.join("zero"), "benchmark/raw/b.json")), 4);
    fs::hard_link(&from, world.root.join("hard")).unwrap();
    assert_eq!(code(take(&world, &world.root.join("hard"), "benchmark/raw/c.json")), 4);
}

#[test]
fn no_artefact_lands_outside() {
    let world = World::empty();
    let from = world.root.join("run.json");
    fs::write(&from, "one").unwrap();
    for escaping in ["../x", "/etc/x", "a/../../x", "a//x", "./x", ""] {
        assert!(vsota_core::text::RelPath::new(escaping).is_err(), "{escaping}");
    }
    symlink(&world.root, world.run.join("benchmark")).unwrap();
    assert_eq!(code(take(&world, &from, "benchmark/x.json")), 5);
    assert!(!world.root.join("x.json").exists());
    for misleading in ["raw/-rf", "raw/.git", "raw/x."] {
        assert_eq!(code(take(&world, &from, misleading)), 4, "{misleading}");
    }
}

#[test]
fn a_huge_file_is_refused_by_its_size() {
    let world = World::empty();
    let from = world.root.join("sparse");
    fs::File::create(&from).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(code(take(&world, &from, "benchmark/raw/a.json")), 4);
    let run = RunDir::open(&world.run).unwrap();
    fs::write(&from, "four").unwrap();
    let taken = run.take_in(&from, &rel("benchmark/raw/a.json"), &Secrets::default(), 3);
    assert_eq!(code(taken), 4);
    assert_eq!(files(&world), 0);
}

#[test]
fn a_secret_does_not_come_in() {
    let world = World::empty();
    let value: String = (0..24_u8).map(|it| char::from(b'a' + (it * 11) % 26)).collect();
    let secrets = Secrets::among([("A_TOKEN".into(), value.clone().into())]);
    let from = world.root.join("server.log");
    // Across the boundary of two chunks.
    fs::write(&from, format!("{}\n{value}\n", "x".repeat(65_530))).unwrap();
    let run = RunDir::open(&world.run).unwrap();
    let failure = run.take_in(&from, &rel("benchmark/raw/a.log"), &secrets, LIMIT).unwrap_err();
    assert_eq!(failure.exit().code(), 8);
    let shown = format!("{failure:?}");
    assert!(shown.contains("A_TOKEN") && shown.contains("line: Some(2)"), "{shown}");
    assert!(!shown.contains(&value));
    assert_eq!(files(&world), 0);
}

#[test]
fn a_redacted_copy_is_counted_and_is_what_is_recorded() {
    let world = World::empty();
    let value: String = (0..24_u8).map(|it| char::from(b'a' + (it * 11) % 26)).collect();
    let secrets = Secrets::among([("A_TOKEN".into(), value.clone().into())]).redacting(true);
    let from = world.root.join("server.log");
    fs::write(&from, format!("one {value}\ntwo {value}\n")).unwrap();
    let run = RunDir::open(&world.run).unwrap();
    let artefact = run.take_in(&from, &rel("benchmark/raw/a.log"), &secrets, LIMIT).unwrap();
    let kept = fs::read_to_string(world.run.join("benchmark/raw/a.log")).unwrap();
    assert_eq!(kept, "one [REDACTED:environment]\ntwo [REDACTED:environment]\n");
    assert_eq!(artefact.sha256, Digest::of(kept.as_bytes()));
    assert_eq!(secrets.taken().iter().map(|it| it.1).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_is_staged_can_be_read_and_leaves_nothing_when_dropped() {
    let world = World::empty();
    let from = world.root.join("run.json");
    fs::write(&from, "one").unwrap();
    let run = RunDir::open(&world.run).unwrap();
    let mut staged =
        run.stage(&from, &rel("benchmark/raw/a.json"), &Secrets::default(), LIMIT).unwrap();
    fs::write(&from, "changed").unwrap();
    let mut text = String::new();
    staged.reader().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "one");
    assert_eq!(staged.artifact().sha256, Digest::of(b"one"));
    drop(staged);
    assert_eq!(files(&world), 0);
}
