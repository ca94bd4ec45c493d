//! Where are the real files that tests read in place, when a machine has them?

use std::path::{Path, PathBuf};

/// A file or folder of the samples, given by its path below them; `None`, with a printed reason, on a
/// machine that has none. `VSOTA_SAMPLES` names another place.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn samples(inside: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let root = std::env::var_os("VSOTA_SAMPLES").map_or(beside, PathBuf::from).join(inside);
    if root.exists() {
        return Some(root);
    }
    println!("skipped: no samples at {}", root.display());
    None
}
