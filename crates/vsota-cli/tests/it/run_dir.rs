//! Documents are replaced whole, and never through a link.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use vsota_cli::rundir::{Durable, RunDir};

use crate::world::{World, rel};

#[test]
fn a_document_with_the_same_bytes_is_left_alone() {
    let world = World::empty();
    let run = RunDir::open(&world.run).unwrap();
    let at = rel("analysis/root-cause.md");
    assert!(run.replace(&at, b"one", Durable::No).unwrap());
    let inode = fs::metadata(world.run.join("analysis/root-cause.md")).unwrap().ino();
    assert!(!run.replace(&at, b"one", Durable::Yes).unwrap());
    assert_eq!(fs::metadata(world.run.join("analysis/root-cause.md")).unwrap().ino(), inode);
    for longer_and_shorter in [&b"one two"[..], b"on", b""] {
        assert!(run.replace(&at, longer_and_shorter, Durable::Yes).unwrap());
        assert_eq!(run.read(&at, 100).unwrap().as_deref(), Some(longer_and_shorter));
    }
    assert_eq!(fs::read_dir(world.run.join("analysis")).unwrap().count(), 1, "a left-over");
}

#[test]
fn what_a_killed_call_left_is_replaced() {
    let world = World::empty();
    let run = RunDir::open(&world.run).unwrap();
    fs::write(world.run.join(".report.md.vsota-new"), "half").unwrap();
    run.replace(&rel("report.md"), b"whole", Durable::No).unwrap();
    assert_eq!(fs::read(world.run.join("report.md")).unwrap(), b"whole");
    assert!(!world.run.join(".report.md.vsota-new").exists());
}

#[test]
fn no_link_is_followed_on_the_way() {
    let world = World::empty();
    let outside = world.root.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "theirs").unwrap();
    symlink(&outside, world.run.join("dir")).unwrap();
    symlink(outside.join("secret"), world.run.join("leaf")).unwrap();
    let run = RunDir::open(&world.run).unwrap();
    for at in ["dir/secret", "leaf"] {
        assert_eq!(run.read(&rel(at), 100).unwrap_err().exit().code(), 5, "{at}");
        assert_eq!(run.digest(&rel(at)).unwrap_err().exit().code(), 5, "{at}");
    }
    assert_eq!(run.replace(&rel("dir/new"), b"x", Durable::No).unwrap_err().exit().code(), 5);
    assert!(
        run.replace(&rel("leaf"), b"ours", Durable::No).unwrap(),
        "the link itself is replaced"
    );
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"theirs");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_fifo_in_the_place_of_a_file_hangs_nobody() {
    let world = World::empty();
    let made = std::process::Command::new("mkfifo").arg(world.run.join("pipe")).status().unwrap();
    assert!(made.success());
    let run = RunDir::open(&world.run).unwrap();
    assert_eq!(run.read(&rel("pipe"), 100).unwrap_err().exit().code(), 5);
    assert_eq!(run.append(&rel("pipe"), true).unwrap_err().exit().code(), 5);
}

#[test]
fn a_file_beyond_the_limit_is_not_read() {
    let world = World::empty();
    let run = RunDir::open(&world.run).unwrap();
    fs::write(world.run.join("big"), vec![b'x'; 101]).unwrap();
    assert_eq!(run.read(&rel("big"), 100).unwrap_err().exit().code(), 5);
    assert_eq!(run.read(&rel("big"), 101).unwrap().unwrap().len(), 101);
}

#[test]
fn a_run_directory_is_a_directory() {
    let world = World::empty();
    let file = world.root.join("file");
    fs::write(&file, "").unwrap();
    let link = world.root.join("link");
    symlink(&world.run, &link).unwrap();
    let open = |path: &str| RunDir::open(path.into()).unwrap_err().exit().code();
    assert_eq!(open(file.as_str()), 4);
    assert_eq!(open(link.as_str()), 4);
    assert_eq!(open(&format!("{link}/")), 4);
    assert_eq!(open(&format!("{}/a\nb", world.root)), 4);
    assert_eq!(open(&format!("{}/none", world.root)), 7);
    assert_eq!(open(""), 2);
}
