//! What lies beside the journal? Refusals that were noted at its entries, and files that no event names.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use vsota_core::event::Event;
use vsota_core::{Clause, Digest};

use super::{Checks, named};
use crate::chronicle::Chronicle;
use crate::documents;
use crate::failure::Failure;
use crate::journal::{Head, rel};
use crate::refusals::{self, Noted};
use crate::rundir::RunDir;

/// The directories whose files are all named by events.
const NAMED: [&str; 3] = ["patches", "profiles", "benchmark/blocks"];

/// How many of the files that no event names are listed.
const LISTED: usize = 5;

/// Every noted refusal is one, and none was noted at an entry that is gone (CK-1). A last line
/// without its end was never written whole.
pub(super) fn refusals(run: &RunDir, head: Head, checks: &mut Checks) {
    let bytes = rel(refusals::PATH).and_then(|at| run.read(&at, refusals::READ));
    let bytes = match bytes {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(failure) => return checks.wrong("refusals", Clause::Ck1, &failure),
    };
    let mut wrong = |found| {
        checks.say("refusals", Clause::Ck1, false, found, Some(refusals::PATH.to_owned()));
    };
    let whole =
        memchr::memrchr(b'\n', &bytes).map_or(&[][..], |it| bytes.get(..it).unwrap_or_default());
    let mut count = 0_usize;
    for (number, line) in (1_u64..).zip(whole.split(|it| *it == b'\n')) {
        if whole.is_empty() {
            break;
        }
        count = count.saturating_add(1);
        match serde_json::from_slice::<Noted>(line) {
            Err(error) => wrong(format!("line {number}: not a refusal: {error}")),
            Ok(noted) if noted.seq > head.seq => wrong(format!(
                "line {number}: the journal was cut: a refusal was noted at entry {}, and it ends at {}",
                noted.seq, head.seq
            )),
            Ok(_) => {}
        }
    }
    let held = format!("{count} refusals, each noted at an entry of the journal");
    checks.conclude("refusals", Clause::Ck1, held);
}

/// Says which files no event names. They prove nothing, and they harm nothing.
///
/// # Errors
///
/// When the documents cannot be rendered.
pub(super) fn extra(
    run: &RunDir,
    chronicle: &Chronicle,
    checks: &mut Checks,
) -> Result<(), Failure> {
    let artefacts = named(&chronicle.entries).into_iter().map(|it| it.path.to_string());
    let documents = documents::rendered(chronicle)?.into_iter().map(|it| it.0.to_string());
    let known: BTreeSet<String> = artefacts.chain(documents).collect();
    let of_profiles = of_profiles(chronicle);
    let mut found = Vec::new();
    for dir in NAMED {
        files(run.path(), dir, &mut found);
    }
    found.sort();
    found.retain(|it| !known.contains(it) && !is_of_a_profile(run, it, &of_profiles));
    if !found.is_empty() {
        let first: Vec<&str> = found.iter().take(LISTED).map(String::as_str).collect();
        let rest = if found.len() > LISTED { ", …" } else { "" };
        let told = format!("{} files that no event names: {}{rest}", found.len(), first.join(", "));
        checks.say("extra", Clause::In3, true, told, None);
    }
    Ok(())
}

/// Traces and server logs are named by their digests only; each lies under the first of its digits.
fn of_profiles(chronicle: &Chronicle) -> BTreeMap<String, Digest> {
    let profiles = chronicle.entries.iter().filter_map(|it| match &it.event {
        Event::ProfileFiled(it) => Some(&it.said),
        _ => None,
    });
    let digests = profiles.flat_map(|it| it.traces.iter().chain([&it.launch]));
    digests.map(|it| (it.to_string().chars().take(12).collect(), *it)).collect()
}

fn is_of_a_profile(run: &RunDir, at: &str, digests: &BTreeMap<String, Digest>) -> bool {
    let digest = digests.iter().find(|(short, _)| at.contains(short.as_str())).map(|(_, it)| it);
    let found = || rel(at).and_then(|at| run.digest(&at)).ok().flatten();
    digest.is_some_and(|it| found().is_some_and(|found| found.sha256 == *it))
}

/// Every file below a directory; a link is a file, and is not followed.
fn files(root: &Utf8Path, dir: &str, found: &mut Vec<String>) {
    let Ok(entries) = root.join(dir).read_dir_utf8() else { return };
    for entry in entries.filter_map(Result::ok) {
        let at = format!("{dir}/{}", entry.file_name());
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            files(root, &at, found);
        } else {
            found.push(at);
        }
    }
}
