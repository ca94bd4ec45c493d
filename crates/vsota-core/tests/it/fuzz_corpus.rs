//! What libFuzzer begins with is what our builders write, and holds without libFuzzer too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use vsota_fixtures::fuzz::corpus;

use targets::{TARGETS, target};

#[expect(unreachable_pub, reason = "a library of its own in fuzz/")]
#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).into_iter().flatten();
    files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_family_has_a_target_and_files_to_begin_with() {
    let targets: BTreeSet<String> =
        TARGETS.iter().map(|(family, _)| format!("{family}.rs")).collect();
    assert_eq!(names(&root().join("fuzz_targets")), targets);
    let families: BTreeSet<&str> = corpus().iter().map(|(family, ..)| *family).collect();
    assert_eq!(families, TARGETS.iter().map(|(family, _)| *family).collect());
}

#[test]
fn the_kept_corpus_is_what_the_builders_write() {
    for (family, name, text) in corpus() {
        let path = root().join("corpus").join(family).join(&name);
        if std::env::var_os("VSOTA_REWRITE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{}", path.display());
    }
}

#[test]
fn what_holds_of_any_bytes_holds_of_every_kept_file_and_its_parts() {
    for (family, _) in TARGETS {
        let folder = root().join("corpus").join(family);
        for name in names(&folder) {
            let bytes = fs::read(folder.join(name)).unwrap();
            let holds = target(family);
            holds(&bytes);
            for cut in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
                holds(&bytes[..cut]);
                holds(&bytes[cut..]);
            }
        }
    }
}
