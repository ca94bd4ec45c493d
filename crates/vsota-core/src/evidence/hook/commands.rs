//! What does a simple command do? The programs that write files, make commits or run the loop's scripts.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::shell::{DEPTH, Simple, assignment, simple};
use super::{Deed, Place, code, patched, tools};

/// Programs that run the rest of their words: each with its options that take a word.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("env", &["-u", "--unset", "-C", "--chdir", "-S"]),
    ("sudo", &["-u", "--user", "-g", "--group"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n"]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("xargs", &["-n", "-P", "-I", "-L", "-d", "-a", "-s"]),
    ("timeout", &["-k", "-s"]),
    ("nohup", &[]),
    ("setsid", &[]),
    ("time", &["-f", "-o"]),
    ("command", &[]),
    ("builtin", &[]),
    ("exec", &["-a"]),
    ("flock", &[]),
];

/// Programs whose last word is written to.
const COPIES: &[&str] = &["cp", "mv", "install", "ln", "rsync"];

/// Programs that change every file that they name.
const CHANGES: &[&str] =
    &["rm", "touch", "truncate", "unlink", "shred", "chmod", "tee", "ed", "ex"];

/// Verbs of git that bring a commit or foreign lines into the tree.
const COMMITS: &[&str] = &[
    "commit",
    "am",
    "merge",
    "cherry-pick",
    "revert",
    "apply",
    "rebase",
    "pull",
    "checkout-index",
];

/// Options with which such a verb changes nothing, or takes an unfinished change back.
const HARMLESS: &[&str] = &["--dry-run", "--abort", "--quit", "--help", "-h"];

/// Options with which `apply` only looks; `merge` and `rebase` do their work with them.
const LOOKS: &[&str] = &["--check", "--stat", "--numstat", "--summary"];

/// The deeds of a script.
pub(super) fn of_script(script: &str, at: &Place, depth: usize, deeds: &mut Vec<Deed>) {
    if depth > DEPTH {
        return;
    }
    for it in simple(script, at, depth) {
        let here = Place { dir: it.dir.clone(), home: at.home.clone() };
        let files = it.writes.iter().filter(|it| !it.starts_with("/dev/"));
        deeds.extend(files.map(|path| Deed::Write(here.join(path))));
        of_words(&it.words, &it, &here, depth, deeds);
    }
}

fn of_words(words: &[String], it: &Simple, at: &Place, depth: usize, deeds: &mut Vec<Deed>) {
    if depth > DEPTH {
        return;
    }
    let assigned = words.iter().take_while(|it| assignment(it).is_some()).count();
    let Some((program, rest)) = words.get(assigned..).and_then(<[String]>::split_first) else {
        return;
    };
    let name = base(program);
    if let Some((_, takes)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) {
        let inner = unwrapped(name, rest, takes);
        if name == "xargs" {
            return of_xargs(rest, inner, it, at, depth, deeds);
        }
        if name == "env" {
            return of_env(rest, inner, it, at, depth, deeds);
        }
        return of_words(inner, it, at, depth.saturating_add(1), deeds);
    }
    if matches!(name, "uv" | "poetry" | "pdm") && rest.first().is_some_and(|it| it == "run") {
        let inner =
            unwrapped(name, rest.get(1..).unwrap_or_default(), &["--with", "-p", "--python"]);
        return of_words(inner, it, at, depth.saturating_add(1), deeds);
    }
    match name {
        "sh" | "bash" | "zsh" | "dash" | "ksh" => of_shell(rest, it, at, depth, deeds),
        "eval" => of_script(&rest.join(" "), at, depth.saturating_add(1), deeds),
        "find" => of_find(rest, it, at, depth, deeds),
        "git" => deeds.extend(git(rest, words.get(..assigned).unwrap_or_default(), at)),
        "patch" => deeds.extend(patch(rest, at)),
        "apply_patch" | "applypatch" => {
            let text = rest.first().or(it.stdin.as_ref());
            deeds.extend(text.iter().flat_map(|it| patched(it, at)));
        }
        "sed" | "perl" | "ruby" | "awk" | "gawk" if in_place(name, rest) => {
            deeds.extend(named(rest, at))
        }
        "dd" => deeds
            .extend(rest.iter().filter_map(|it| it.strip_prefix("of=")).map(|it| write(it, at))),
        "tar" | "bsdtar" | "unzip" | "cpio" => deeds.extend(unpacked(name, rest, at)),
        _ if COPIES.contains(&name) => deeds.extend(copied(name, rest, at)),
        _ if CHANGES.contains(&name) => {
            deeds.extend(named(rest, at));
            if name == "rm" {
                deeds.extend(rest.iter().filter(|it| is_file(it)).map(|it| gone(it, at)));
            }
        }
        _ if name.ends_with("setup-rlcr-loop.sh") => {
            deeds.push(Deed::SetUpLoop(at.dir.clone()));
        }
        _ if name.ends_with("cancel-rlcr-loop.sh") => {
            deeds.push(Deed::CancelLoop(at.dir.clone()));
        }
        _ => deeds.extend(tools::deeds(name, rest, at)),
    }
    if is_interpreter(name) {
        let flags = ["-c", "-e"];
        let inline = rest.iter().position(|it| flags.contains(&it.as_str()));
        let inline = inline.and_then(|at| rest.get(at.checked_add(1)?));
        let fed = it.stdin.as_ref().filter(|_| !rest.iter().any(|it| is_file(it)));
        if let Some(text) = inline.or(fed) {
            code::deeds(text, at, depth, deeds);
        }
    }
}

/// `env -C DIR NAME=VALUE COMMAND`: the directory and the variables are those of the command.
fn of_env(
    rest: &[String],
    inner: &[String],
    it: &Simple,
    at: &Place,
    depth: usize,
    deeds: &mut Vec<Deed>,
) {
    let outer = rest.get(..rest.len().saturating_sub(inner.len())).unwrap_or_default();
    let asked = outer.iter().position(|it| it == "-C" || it == "--chdir");
    let asked = asked.and_then(|it| outer.get(it.checked_add(1)?)).map(String::as_str);
    let asked = asked.or_else(|| outer.iter().find_map(|it| it.strip_prefix("--chdir=")));
    let dir = asked.map_or_else(|| at.dir.clone(), |it| at.join(it));
    let there = Place { dir, home: at.home.clone() };
    let variables = outer.iter().filter(|it| assignment(it).is_some());
    let words: Vec<String> = variables.chain(inner).cloned().collect();
    of_words(&words, it, &there, depth.saturating_add(1), deeds);
}

/// `… | xargs COMMAND`: what the commands before it name is what it may be given.
fn of_xargs(
    rest: &[String],
    inner: &[String],
    it: &Simple,
    at: &Place,
    depth: usize,
    deeds: &mut Vec<Deed>,
) {
    let given = it.before.iter().filter(|it| !it.starts_with('-'));
    let placed = rest.iter().position(|it| it.starts_with("-I")).and_then(|at| {
        let here = rest.get(at)?.trim_start_matches("-I");
        if here.is_empty() { rest.get(at.checked_add(1)?).cloned() } else { Some(here.to_owned()) }
    });
    let next = depth.saturating_add(1);
    let unknown = String::from("./");
    if it.before.is_empty() && placed.is_none() {
        // The names stand in a file that nobody reads here: they may be any below.
        let words: Vec<String> = inner.iter().chain([&unknown]).cloned().collect();
        of_words(&words, it, at, next, deeds);
        return of_trees([&unknown].into_iter(), at, deeds);
    }
    let Some(place) = placed else {
        let words: Vec<String> = inner.iter().chain(given.clone()).cloned().collect();
        of_words(&words, it, at, next, deeds);
        return of_trees(given, at, deeds);
    };
    for one in given.clone() {
        let words: Vec<String> = inner.iter().map(|it| it.replace(&place, one)).collect();
        of_words(&words, it, at, next, deeds);
    }
    of_trees(given, at, deeds);
}

/// Where what is written was found below a directory, it lies anywhere in it.
fn of_trees<'w>(roots: impl Iterator<Item = &'w String>, at: &Place, deeds: &mut Vec<Deed>) {
    let whole = |it: &&String| it.starts_with(['.', '/']) || it.ends_with('/');
    for root in roots.filter(whole).map(|it| at.join(it)) {
        if deeds.contains(&Deed::Write(root.clone())) {
            deeds.push(Deed::Patch(root));
        }
    }
}

fn of_shell(rest: &[String], it: &Simple, at: &Place, depth: usize, deeds: &mut Vec<Deed>) {
    let flag = |it: &String| it.starts_with('-') && !it.starts_with("--") && it.ends_with('c');
    let inline = rest.iter().position(flag).and_then(|at| rest.get(at.checked_add(1)?));
    if let Some(script) = inline.or(it.stdin.as_ref()) {
        return of_script(script, at, depth.saturating_add(1), deeds);
    }
    // A script file: the loop's own are known by name.
    if let Some(at_file) = rest.iter().position(|it| is_file(it)) {
        of_words(
            rest.get(at_file..).unwrap_or_default(),
            &Simple::default(),
            at,
            depth.saturating_add(1),
            deeds,
        );
    }
}

/// `find ROOTS … -exec COMMAND {} ;`, and `-delete`.
fn of_find(rest: &[String], it: &Simple, at: &Place, depth: usize, deeds: &mut Vec<Deed>) {
    let roots: Vec<&String> = rest.iter().take_while(|it| !it.starts_with('-')).collect();
    if sweeps(rest) {
        return;
    }
    if rest.iter().any(|it| it == "-delete") {
        deeds.extend(roots.iter().map(|root| write(root, at)));
    }
    let exec = |it: &String| matches!(it.as_str(), "-exec" | "-execdir" | "-ok");
    let Some(start) = rest.iter().position(exec) else {
        return of_trees(roots.into_iter(), at, deeds);
    };
    let command = rest
        .iter()
        .skip(start.saturating_add(1))
        .take_while(|it| !matches!(it.as_str(), ";" | "+"));
    for root in &roots {
        let words: Vec<String> = command
            .clone()
            .map(|it| if it == "{}" { (*root).clone() } else { it.clone() })
            .collect();
        of_words(&words, it, at, depth.saturating_add(1), deeds);
    }
    of_trees(roots.into_iter(), at, deeds);
}

/// Whether every name that is looked for is none of source: logs, caches, what a build or an import left.
fn sweeps(rest: &[String]) -> bool {
    const SOURCE: &[&str] = &[
        "*", "?", "]", ".py", ".pyi", ".cu", ".cuh", ".h", ".hpp", ".c", ".cc", ".cpp", ".cxx",
        ".txt", ".cmake", ".toml",
    ];
    let combined = |it: &String| matches!(it.as_str(), "!" | "-not" | "-o" | "-or" | ",");
    let tests = |it: &String| matches!(it.as_str(), "-name" | "-iname" | "-path" | "-wholename");
    let mut names = rest.iter().zip(rest.iter().skip(1)).filter(|(test, _)| tests(test)).peekable();
    let named = names.peek().is_some();
    named
        && !rest.iter().any(combined)
        && names.all(|(_, name)| !SOURCE.iter().any(|end| name.to_lowercase().ends_with(end)))
}

/// The words that a wrapper runs.
fn unwrapped<'w>(name: &str, rest: &'w [String], takes: &[&str]) -> &'w [String] {
    let mut at = 0_usize;
    while let Some(word) = rest.get(at) {
        if takes.contains(&word.as_str()) {
            at = at.saturating_add(2);
        } else if word.starts_with('-') || assignment(word).is_some() {
            at = at.saturating_add(1);
        } else {
            break;
        }
    }
    // These take one word before the command.
    if matches!(name, "timeout" | "flock") {
        at = at.saturating_add(1);
    }
    rest.get(at..).unwrap_or_default()
}

/// What git does with these words and, before them, these variables.
fn git(rest: &[String], variables: &[String], at: &Place) -> Vec<Deed> {
    let Some((dir, verb, options)) = git_words(rest, variables, at) else { return Vec::new() };
    let looks = verb == "apply" && !options.contains(&"--apply");
    let harmless = |it: &&str| HARMLESS.contains(it) || (looks && LOOKS.contains(it));
    if options.iter().any(harmless) {
        return Vec::new();
    }
    let brings = match verb {
        "rm" | "mv" => {
            let there = Place { dir, home: at.home.clone() };
            let files = options.iter().filter(|it| !it.starts_with('-'));
            return files.map(|it| write(it, &there)).collect();
        }
        "stash" => matches!(options.first(), Some(&"pop" | &"apply" | &"branch")),
        "reset" => moves_the_tree(&options),
        "restore" => options.iter().any(|it| it.starts_with("--source") || *it == "-s"),
        "checkout" => of_another_commit(&options),
        "read-tree" => options.contains(&"-u"),
        // A word that was made up for this call may stand for any other.
        verb if rest.iter().any(|it| it.starts_with(&alloc::format!("alias.{verb}="))) => true,
        verb => COMMITS.contains(&verb),
    };
    brings.then(|| Deed::Commit { dir, verb: verb.to_owned() }).into_iter().collect()
}

/// Where git works, its verb, and what stands behind it.
fn git_words<'w>(
    rest: &'w [String],
    variables: &[String],
    at: &Place,
) -> Option<(String, &'w str, Vec<&'w str>)> {
    let mut dir = at.dir.clone();
    for (name, value) in variables.iter().filter_map(|it| assignment(it)) {
        match name {
            "GIT_WORK_TREE" => dir = at.join(value),
            "GIT_DIR" => dir = at.join(value.trim_end_matches('/').trim_end_matches(".git")),
            _ => {}
        }
    }
    let mut words = rest.iter();
    let verb = loop {
        let word = words.next()?;
        match word.as_str() {
            "-C" => dir = at.join(words.next()?),
            "--work-tree" => dir = at.join(words.next()?),
            "--git-dir" => dir = at.join(words.next()?.trim_end_matches(".git")),
            "-c" | "--namespace" | "--exec-path" => {
                words.next()?;
            }
            other if other.starts_with("--git-dir=") => {
                dir = at.join(other.trim_start_matches("--git-dir=").trim_end_matches(".git"));
            }
            other if other.starts_with("--work-tree=") => {
                dir = at.join(other.trim_start_matches("--work-tree="));
            }
            other if other.starts_with('-') => {}
            verb => break verb,
        }
    };
    Some((dir, verb, words.map(String::as_str).collect()))
}

/// Whether a reset brings the files of another commit; to HEAD it only takes changes back.
fn moves_the_tree(options: &[&str]) -> bool {
    let hard = options.iter().any(|it| matches!(*it, "--hard" | "--keep" | "--merge"));
    hard && options.iter().any(|it| !it.starts_with('-') && !matches!(*it, "HEAD" | "@"))
}

/// Whether a checkout takes paths from another commit: `checkout REF -- PATH`. To check out a branch is
/// left open, since the next gate looks at HEAD.
fn of_another_commit(options: &[&str]) -> bool {
    let Some(end) = options.iter().position(|it| *it == "--") else { return false };
    let before = options.iter().take(end);
    before.filter(|it| !it.starts_with('-')).any(|it| !matches!(*it, "HEAD" | "@"))
}

fn patch(rest: &[String], at: &Place) -> Vec<Deed> {
    if rest.iter().any(|it| it == "--dry-run" || it == "--version") {
        return Vec::new();
    }
    let option = |names: [&str; 2]| {
        let here = rest.iter().position(|it| names.contains(&it.as_str()))?;
        rest.get(here.checked_add(1)?)
    };
    let dir = option(["-d", "--directory"]).map_or_else(|| at.dir.clone(), |it| at.join(it));
    let there = Place { dir: dir.clone(), home: at.home.clone() };
    let taken = [option(["-d", "--directory"]), option(["-i", "--input"])];
    let mut files = rest.iter().filter(|it| is_file(it) && !taken.contains(&Some(*it)));
    match files.next() {
        Some(file) => Vec::from([write(file, &there)]),
        None => Vec::from([Deed::Patch(dir)]),
    }
}

/// Whether the files that an editor of streams names are changed in their place.
fn in_place(name: &str, rest: &[String]) -> bool {
    rest.iter().any(|it| match name {
        "awk" | "gawk" => it == "inplace",
        _ if it == "--in-place" || it.starts_with("--in-place=") => true,
        // Letters run together: `-Ei`, `-pi.bak`; a script after `-e` is none of them.
        _ => {
            let letters =
                it.strip_prefix('-').filter(|it| !it.starts_with('-')).unwrap_or_default();
            letters.split('e').next().is_some_and(|it| it.contains('i'))
        }
    })
}

/// Every word that may be a file.
fn named(rest: &[String], at: &Place) -> Vec<Deed> {
    rest.iter().filter(|it| is_file(it)).map(|it| write(it, at)).collect()
}

/// The destination of a copy; what is moved away is changed too.
fn copied(name: &str, rest: &[String], at: &Place) -> Vec<Deed> {
    let flag = rest.iter().position(|it| matches!(it.as_str(), "-t" | "--target-directory"));
    let next = flag.and_then(|here| here.checked_add(1));
    let target = next.and_then(|here| rest.get(here)).map(String::as_str);
    let joined = rest.iter().find_map(|it| {
        let short = || it.strip_prefix("-t").filter(|to| !to.is_empty() && name != "rsync");
        it.strip_prefix("--target-directory=").or_else(short)
    });
    let words = rest.iter().enumerate().filter(|(here, it)| is_file(it) && Some(*here) != next);
    let mut files: Vec<&String> = words.map(|(_, it)| it).collect();
    let to = joined.or(target).or_else(|| files.pop().map(String::as_str));
    let mut deeds = Vec::new();
    if let Some(to) = to {
        deeds.push(write(to, at));
        if copies_trees(name, rest) {
            // A tree goes below the destination by its own name, unless only what is in it is meant.
            let contents = |from: &str| {
                from.ends_with("/.")
                    || from.ends_with("/*")
                    || from == "."
                    || (name == "rsync" && from.ends_with('/'))
            };
            let whole = rest.iter().any(|it| {
                let short = it.strip_prefix('-').filter(|it| !it.starts_with('-'));
                it == "--no-target-directory" || short.is_some_and(|it| it.contains('T'))
            });
            deeds.extend(files.iter().map(|from| match whole || contents(from) {
                true => Deed::Patch(at.join(to)),
                false => Deed::Patch(at.join(&alloc::format!("{to}/{}", base(from)))),
            }));
        }
        // A file goes below the directory that it is copied to.
        let below = files.iter().map(|from| write(&alloc::format!("{to}/{}", base(from)), at));
        deeds.extend(below.filter(|_| !to.ends_with(".py")));
    }
    if name == "mv" {
        deeds.extend(files.iter().flat_map(|it| [write(it, at), gone(it, at)]));
    }
    deeds
}

/// What is removed or moved away; of a directory all that is in it, where `*` stands for that.
fn gone(word: &str, at: &Place) -> Deed {
    let dir = word.strip_suffix('*').filter(|it| it.is_empty() || it.ends_with('/'));
    Deed::Remove(at.join(dir.unwrap_or(word)))
}

/// Whether whole trees are copied: then what is written lies anywhere below the destination.
fn copies_trees(name: &str, rest: &[String]) -> bool {
    let letters = |it: &String| {
        let short = it.strip_prefix('-').filter(|it| !it.starts_with('-')).unwrap_or_default();
        short.contains(['r', 'R', 'a']) || matches!(it.as_str(), "--recursive" | "--archive")
    };
    matches!(name, "cp" | "rsync") && rest.iter().any(letters)
}

/// Where an archive is unpacked; to look into one is nothing.
fn unpacked(name: &str, rest: &[String], at: &Place) -> Option<Deed> {
    let option = |names: &[&str]| {
        let here = rest.iter().position(|it| names.contains(&it.as_str()))?;
        rest.get(here.checked_add(1)?).map(String::as_str)
    };
    let first = rest.first().map(String::as_str).unwrap_or_default();
    let letters = |letter| {
        // What stands behind a letter that takes a value is that value.
        let valued = |c: char| "fCITXb".contains(c);
        let short = |it: &String| {
            let word = it.strip_prefix('-').filter(|it| !it.starts_with('-')).unwrap_or_default();
            let end = word.find(valued).map_or(word.len(), |it| it.saturating_add(1));
            word.get(..end).is_some_and(|it| it.contains(letter))
        };
        let old_style = name.ends_with("tar") && !first.starts_with('-') && first.contains(letter);
        old_style || rest.iter().any(short)
    };
    let (unpacks, to) = match name {
        "unzip" => (!letters('l') && !letters('t') && !letters('p'), option(&["-d"])),
        "cpio" => (letters('i') || rest.iter().any(|it| it == "--extract"), option(&["-D"])),
        _ => {
            let long = ["--extract", "--get"];
            let extracts = letters('x') || rest.iter().any(|it| long.contains(&it.as_str()));
            let joined = rest.iter().find_map(|it| it.strip_prefix("--directory="));
            (extracts && !letters('t'), joined.or_else(|| option(&["-C", "--directory"])))
        }
    };
    unpacks.then(|| Deed::Patch(to.map_or_else(|| at.dir.clone(), |it| at.join(it))))
}

fn write(path: &str, at: &Place) -> Deed {
    Deed::Write(at.join(path))
}

pub(super) fn is_file(word: &str) -> bool {
    !word.starts_with('-') && !word.is_empty()
}

fn is_interpreter(name: &str) -> bool {
    name.starts_with("python") || matches!(name, "node" | "ruby" | "perl" | "pypy" | "uv")
}

/// The last part of a path.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}
