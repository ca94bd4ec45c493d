//! Every way to damage a journal is named, with its line; nothing that was acknowledged is lost.

use std::fs;

use vsota_cli::failure::{Failure, Why};
use vsota_cli::journal::chain::{self, Care};
use vsota_core::Digest;

use crate::world::{World, json, step};

const N: u64 = 5;

type Edit = fn(&mut Vec<Vec<u8>>);

fn place(failure: &Failure) -> (u8, Option<u64>, String) {
    let Why::Fault(fault) = &failure.why else { panic!("refused: {failure:?}") };
    (failure.exit().code(), fault.line, fault.message.clone())
}

/// The journal is damaged for readers and for writers, and a writer changes nothing in it.
#[track_caller]
fn damaged(world: &World) -> (Option<u64>, String) {
    let before = world.bytes();
    let (code, line, message) = place(&world.read().unwrap_err());
    assert_eq!(code, 5, "{message}");
    let writing = place(&step(&world.run).unwrap_err());
    assert_eq!(writing, (code, line, message.clone()));
    assert_eq!(world.bytes(), before);
    assert!(world.quarantine().is_empty());
    (line, message)
}

fn lines(world: &World) -> Vec<Vec<u8>> {
    world.bytes().split_inclusive(|it| *it == b'\n').map(<[u8]>::to_vec).collect()
}

/// Chains edited lines anew, as a forger would, and forgets the checkpoint.
fn forge(world: &World, edit: impl Fn(&mut Vec<String>)) {
    let text = String::from_utf8(world.bytes()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    edit(&mut lines);
    let mut prev = chain::ORIGIN;
    let mut forged = String::new();
    for line in lines {
        let start = line.find("\"prev\":\"").unwrap() + 8;
        let line = format!("{}{prev}{}", &line[..start], &line[start + 64..]);
        prev = Digest::of(line.as_bytes());
        forged.extend([&line, "\n"]);
    }
    world.put(forged);
    fs::remove_file(world.checkpoint()).unwrap();
}

#[test]
fn a_sound_journal_is_read_and_continued() {
    let world = World::with(N);
    let chronicle = world.read().unwrap();
    assert_eq!(chronicle.head.seq, N);
    assert_eq!(chronicle.entries.len() as u64, N);
    assert_eq!(step(&world.run).unwrap().head.seq, N + 1);
    chain::walk(&world.bytes(), Care::Bytes, |_| Ok(())).unwrap();
    let checkpoint = fs::read_to_string(world.checkpoint()).unwrap();
    let head = world.read().unwrap().head;
    assert!(checkpoint.lines().any(|it| it == format!("vsota-head: {head}")), "{checkpoint}");
}

#[test]
fn every_changed_byte_is_found() {
    let world = World::with(3);
    let sound = world.bytes();
    for at in 0..sound.len() {
        for flip in [0x01, 0x20, 0x80, sound[at], sound[at] ^ b'\n'] {
            let mut bytes = sound.clone();
            bytes[at] ^= flip;
            if bytes == sound {
                continue;
            }
            world.put(&bytes);
            let failure = world.read().expect_err(&format!("byte {at} ^ {flip}"));
            assert_eq!(failure.exit().code(), 5, "byte {at} ^ {flip}");
        }
    }
}

#[test]
fn every_acknowledged_cut_is_found() {
    let world = World::with(N);
    let sound = world.bytes();
    for len in 1..sound.len() {
        world.put(&sound[..len]);
        let failure = world.read().expect_err(&format!("cut at {len}"));
        assert_eq!(failure.exit().code(), 5, "cut at {len}");
    }
    world.put("");
    assert!(damaged(&world).1.contains("acknowledges 5"));
}

#[test]
fn another_last_entry_than_the_acknowledged_one_is_found() {
    let world = World::with(N);
    let checkpoint = fs::read(world.checkpoint()).unwrap();
    forge(&world, |lines| {
        let last = lines.last_mut().unwrap();
        *last = last.replace("not installed", "was not installed");
    });
    fs::write(world.checkpoint(), checkpoint).unwrap();
    assert!(damaged(&world).1.contains("acknowledges another entry 5 than stands here"));
}

#[test]
fn a_journal_that_is_gone_is_missed() {
    let world = World::with(N);
    fs::remove_file(world.journal()).unwrap();
    let (code, _, message) = place(&world.read().unwrap_err());
    assert_eq!(code, 5, "{message}");
    assert_eq!(step(&world.run).unwrap_err().exit().code(), 5);
    assert!(!world.journal().exists());
}

#[test]
fn the_final_report_holds_a_head_too() {
    let world = World::with(N);
    let head = world.read().unwrap().head;
    let short = lines(&world)[..3].concat();
    fs::write(world.run.join("final_report.md"), format!("# Report\n\nvsota-head: {head}\n"))
        .unwrap();
    fs::remove_file(world.checkpoint()).unwrap();
    world.put(short);
    let (_, message) = damaged(&world);
    assert!(message.starts_with("final_report.md acknowledges entry 5"), "{message}");
}

#[test]
fn swapped_doubled_missing_and_inserted_lines_are_found() {
    let world = World::with(N);
    let sound = lines(&world);
    let cases: [(&str, Edit, u64); 4] = [
        ("swapped", |it| it.swap(2, 3), 3),
        ("doubled", |it| it.insert(2, it[1].clone()), 3),
        ("missing", |it| drop(it.remove(2)), 3),
        ("first missing", |it| drop(it.remove(0)), 1),
    ];
    for (name, edit, line) in cases {
        let mut lines = sound.clone();
        edit(&mut lines);
        world.put(lines.concat());
        assert_eq!(damaged(&world).0, Some(line), "{name}");
    }
}

#[test]
fn a_line_of_another_campaign_breaks_the_chain() {
    let (world, other) = (World::with(N), World::empty());
    fs::remove_dir(&other.run).unwrap();
    let mut theirs = lines(&world);
    theirs[2] =
        String::from_utf8(theirs[2].clone()).unwrap().replace("not installed", "not wanted").into();
    world.put(theirs.concat());
    let (line, message) = damaged(&world);
    assert_eq!(line, Some(4));
    assert!(message.contains("does not continue"), "{message}");
}

#[test]
fn foreign_bytes_are_named() {
    let world = World::with(N);
    let sound = lines(&world);
    let cases: [(Edit, u64, &str); 11] = [
        (|it| it.insert(2, b"\n".to_vec()), 3, "blank"),
        (|it| it.push(b"\n".to_vec()), 6, "blank"),
        (|it| it[1].splice(..0, *b"\xef\xbb\xbf").for_each(drop), 2, "byte order mark"),
        (|it| it[0].splice(..0, *b"\xef\xbb\xbf").for_each(drop), 1, "byte order mark"),
        (|it| it.iter_mut().for_each(|it| it.insert(it.len() - 1, b'\r')), 1, "carriage return"),
        (|it| it[2].iter_mut().take(40).for_each(|it| *it = 0), 3, "NUL"),
        (|it| it[2].insert(0, b' '), 3, "not an entry"),
        (|it| it[2] = [vec![b'x'; 70_000], b"\n".to_vec()].concat(), 3, "70000 bytes"),
        // The longest line that is read is looked into; a byte more is not.
        (|it| it[2] = [vec![b'x'; chain::MAX_LINE], b"\n".to_vec()].concat(), 3, "not an entry"),
        (|it| it[2] = [vec![b'x'; chain::MAX_LINE + 1], b"\n".to_vec()].concat(), 3, "65537 bytes"),
        // A word in the place of a number is no news from a later version.
        (|it| it[2] = b"{\"seq\":\"three\"}\n".to_vec(), 3, "not an entry"),
    ];
    for (edit, line, what) in cases {
        let mut lines = sound.clone();
        edit(&mut lines);
        world.put(lines.concat());
        let (found, message) = damaged(&world);
        assert_eq!(found, Some(line), "{what}: {message}");
        assert!(message.contains(what), "{what}: {message}");
    }
}

#[test]
fn a_carriage_return_in_the_last_line_is_damage() {
    let world = World::with(N);
    let mut bytes = world.bytes();
    bytes.insert(bytes.len() - 1, b'\r');
    world.put(bytes);
    assert_eq!(damaged(&world).0, Some(N));
}

#[test]
fn a_newer_format_is_named_before_anything_else() {
    let world = World::with(N);
    forge(&world, |lines| {
        lines[0] = lines[0].replace("\"format\":1", "\"format\":2,\"colour\":\"blue\"");
        lines[3] = "{\"prev\":\"".to_owned() + &"0".repeat(64) + "\",\"event\":{\"danced\":{}}}";
    });
    let (line, message) = damaged(&world);
    assert_eq!(line, Some(1));
    assert!(message.contains("format 2; this version reads up to 1"), "{message}");
}

#[test]
fn an_unknown_event_or_field_is_named_not_guessed() {
    for (from, to) in [
        ("\"companion-noted\"", "\"companion-hugged\""),
        ("\"seq\":3,", "\"seq\":3,\"mood\":1,"),
        ("\"noted\":", "\"why\":1,\"noted\":"),
    ] {
        let world = World::with(N);
        forge(&world, |lines| lines[2] = lines[2].replacen(from, to, 1));
        let (line, message) = damaged(&world);
        assert_eq!(line, Some(3), "{to}");
        assert!(message.starts_with("from a newer version or damaged: unknown"), "{message}");
    }
}

#[test]
fn a_doubled_key_an_upper_case_hash_and_a_wrong_place_are_damage() {
    for (from, to) in [
        ("\"seq\":3,", "\"seq\":3,\"seq\":3,"),
        ("\"seq\":3,", "\"seq\":4,"),
        ("\"at\":", "\"at\":1e3,\"x\":"),
    ] {
        let world = World::with(N);
        forge(&world, |lines| lines[2] = lines[2].replacen(from, to, 1));
        assert_eq!(damaged(&world).0, Some(3), "{to}");
    }
    let world = World::with(N);
    let mut lines = lines(&world);
    lines[2] =
        String::from_utf8(lines[2].clone()).unwrap().replace("\"prev\":\"", "\"prev\":\"A").into();
    world.put(lines.concat());
    assert_eq!(damaged(&world).0, Some(3));
}

#[test]
fn an_illegal_order_in_a_perfect_chain_is_damage() {
    let world = World::with(N);
    forge(&world, |lines| {
        let start = lines[3].find("\"event\":").unwrap();
        lines[3].replace_range(start.., "\"event\":{\"round-opened\":{\"said\":{},\"found\":1}}}");
        let opened = lines[0].clone();
        let event = opened.find("\"event\":").unwrap();
        let start = lines[2].find("\"event\":").unwrap();
        lines[2].replace_range(start.., &opened[event..]);
    });
    let (line, message) = damaged(&world);
    assert_eq!(line, Some(3));
    assert!(message.contains("campaign-opened"), "{message}");
}

#[test]
fn another_way_of_writing_is_found_by_care() {
    let world = World::with(N);
    forge(&world, |lines| lines[2] = lines[2].replacen("\"seq\":3,", "\"seq\": 3,", 1));
    let bytes = world.bytes();
    chain::walk(&bytes, Care::Chain, |_| Ok(())).unwrap();
    let damage = chain::walk(&bytes, Care::Bytes, |_| Ok(())).unwrap_err();
    assert_eq!(damage.line, 3);
    assert!(damage.to_string().contains("not written as vsota writes it"));
}

#[test]
fn a_torn_tail_is_quarantined_by_the_next_writer_only() {
    let world = World::with(N);
    let sound = world.bytes();
    let record = lines(&world)[4].clone();
    let body = &record[..record.len() - 1];
    let tails: Vec<Vec<u8>> = (1..body.len())
        .step_by(7)
        .map(|it| body[..it].to_vec())
        .chain([body.to_vec(), vec![0; 600], vec![0xff, 0xfe, 1], b"x".to_vec(), vec![0xe2, 0x82]])
        // Torn, but with a newline: a page in the middle did not reach the disk.
        .chain([[&body[..80], b"\n"].concat(), b"\0\0\0\0\n".to_vec(), b"{\n".to_vec()])
        .collect();
    for tail in tails {
        world.put([&sound[..], &tail].concat());
        assert_eq!(world.read().unwrap().head.seq, N, "{tail:?}");
        assert_eq!(world.bytes().len(), sound.len() + tail.len(), "a reader changed the journal");
        assert_eq!(step(&world.run).unwrap().head.seq, N + 1);
        let kept = world.quarantine();
        assert_eq!(kept.len(), 1, "{tail:?}");
        assert_eq!(kept[0].1, tail);
        let hash = Digest::of(&tail).to_string();
        assert_eq!(kept[0].0, format!("{}-{}.tail", N + 1, &hash[..8]));
        assert!(world.bytes().starts_with(&sound));
        assert_eq!(world.read().unwrap().head.seq, N + 1);
        // Back to where it was.
        fs::remove_dir_all(world.run.join("humanize/quarantine")).unwrap();
        fs::remove_file(world.checkpoint()).unwrap();
        world.put(&sound);
        let head = world.read().unwrap().head;
        fs::write(world.checkpoint(), format!("vsota-head: {head}\n")).unwrap();
    }
}

#[test]
fn a_torn_entry_that_was_acknowledged_is_damage() {
    let world = World::with(N);
    let sound = world.bytes();
    for cut in [1, 2, 40] {
        world.put(&sound[..sound.len() - cut]);
        let (_, message) = damaged(&world);
        assert!(message.contains("acknowledges entry 5; the journal ends at 4"), "{message}");
    }
}

#[test]
fn a_crash_before_the_checkpoint_loses_nothing() {
    let world = World::with(N);
    let old = fs::read(world.checkpoint()).unwrap();
    step(&world.run).unwrap();
    fs::write(world.checkpoint(), old).unwrap();
    assert_eq!(world.read().unwrap().head.seq, N + 1);
    fs::remove_file(world.checkpoint()).unwrap();
    assert_eq!(step(&world.run).unwrap().head.seq, N + 2);
}

#[test]
fn a_broken_head_is_damage() {
    let world = World::with(N);
    fs::write(world.checkpoint(), "# Checkpoint\nvsota-head: five\n").unwrap();
    let (line, message) = damaged(&world);
    assert_eq!(line, Some(2), "{message}");
}

#[test]
fn the_binary_names_file_and_line() {
    let world = World::with(N);
    let mut bytes = world.bytes();
    let at = bytes.iter().position(|it| *it == b'\n').unwrap() + 30;
    bytes[at] ^= 1;
    world.put(bytes);
    let ended = world.vsota(&["log", "--json"]);
    assert_eq!(ended.status.code(), Some(5));
    let error = &json(&ended.stdout)["error"];
    assert_eq!(error["kind"], "integrity");
    assert_eq!(error["file"], world.journal().as_str());
    assert!(error["line"].as_u64().unwrap() >= 2);
    assert!(String::from_utf8(ended.stderr).unwrap().starts_with("error: "));
}

#[test]
fn a_journal_that_is_no_file_is_not_opened() {
    let world = World::with(N);
    fs::remove_file(world.journal()).unwrap();
    fs::create_dir(world.journal()).unwrap();
    assert_eq!(world.read().unwrap_err().exit().code(), 1);

    fs::remove_dir(world.journal()).unwrap();
    let elsewhere = world.root.join("elsewhere.jsonl");
    fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, world.journal()).unwrap();
    assert_eq!(world.read().unwrap_err().exit().code(), 5);
    assert_eq!(step(&world.run).unwrap_err().exit().code(), 5);
    assert_eq!(fs::read(&elsewhere).unwrap(), b"");
}

#[test]
fn a_chain_that_is_only_hashed_is_held_as_closely() {
    let world = World::with(N);
    let bytes = world.bytes();
    let links = chain::walk(&bytes, Care::Bytes, |_| Ok(())).unwrap();
    assert_eq!(chain::linked(&bytes), Some(links.clone()));
    assert_eq!(chain::linked(b"").unwrap().head(), None);
    // Whatever byte is another one, the chain breaks or its end does.
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let found = chain::linked(&changed).and_then(|it| it.head());
        assert_ne!(found, links.head(), "byte {at}");
    }
    let lines = lines(&world);
    let without = |line: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != line);
        kept.flat_map(|(_, it)| it.clone()).collect::<Vec<u8>>()
    };
    for line in 0..lines.len() - 1 {
        assert_eq!(chain::linked(&without(line)), None, "line {line}");
    }
    // A chain of entries that are out of order, or that begin in another way, is none.
    for (from, to) in [
        ("{\"seq\":3,", "{\"seq\":4,"),
        ("{\"seq\":3,", "{ \"seq\":3,"),
        (",\"prev\"", ", \"prev\""),
    ] {
        let world = World::with(N);
        forge(&world, |lines| lines[2] = lines[2].replacen(from, to, 1));
        assert_eq!(chain::linked(&world.bytes()), None, "{to}");
    }
}
