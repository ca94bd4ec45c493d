//! Small words: names, ids, artefacts, standpoints.

use vsota_core::facts::*;
use vsota_core::measure::{Fraction, Measured};
use vsota_core::text::{Argv, Line, Name, Prose};
use vsota_core::{Artifact, Digest, GitId};

/// A name.
pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A line.
pub fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

/// Several lines.
pub fn lines(texts: &[&str]) -> Vec<Line> {
    texts.iter().map(|it| line(it)).collect()
}

/// The words of a command.
pub fn argv(texts: &[&str]) -> Argv {
    texts.iter().map(|it| line(it)).collect()
}

/// A paragraph.
pub fn prose(text: &str) -> Prose {
    Prose::new(text).unwrap()
}

/// A measurement.
pub fn measured(value: f64) -> Measured {
    Measured::new(value).unwrap()
}

/// A share.
pub fn share(value: f64) -> Fraction {
    Fraction::new(value).unwrap()
}

/// The digest of a word: distinct words, distinct digests.
pub fn digest(word: &str) -> Digest {
    Digest::of(word.as_bytes())
}

/// A git id made from a word.
pub fn git(word: &str) -> GitId {
    let hex: String = digest(word).to_string().chars().take(40).collect();
    GitId::new(hex).unwrap()
}

/// An artefact of that path whose content is its path.
pub fn artifact(path: &str) -> Artifact {
    Artifact {
        path: path.parse().unwrap(),
        sha256: digest(path),
        bytes: u64::try_from(path.len()).unwrap(),
    }
}

/// A clean HEAD on a build that is named by a word.
pub fn head(build: &str) -> Head {
    Head { commit: git(&format!("commit {build}")), tree: git(build), clean: true }
}

/// Where checkout and loop stand on a build, with the loop active.
pub fn stand(build: &str) -> Standpoint {
    Standpoint {
        head: head(build),
        loop_dir: name("2026-01-01_00-00-00"),
        loop_state: LoopEnd::Active,
        loop_round: 0,
        loop_phase: None,
        seen_at: None,
    }
}

/// The build that the benchmark is frozen on.
pub const BASELINE: &str = "baseline";

/// The row of a kernel in a vLLM profile.
pub fn kernel_row(stage: Stage, n: u32) -> RowId {
    RowId { framework: Framework::Vllm, stage, table: Table::Kernel, n }
}
