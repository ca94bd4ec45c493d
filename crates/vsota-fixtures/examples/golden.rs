//! Writes the golden journals of the current format: `cargo run -p vsota-fixtures --example golden`.
//!
//! A journal that is there already is kept for ever: to write one anew, delete it first, which is
//! right only while no release has written that format.

use std::path::Path;

use vsota_fixtures::model::endings;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("journals/v1");
    std::fs::create_dir_all(&folder)?;
    for (name, run) in endings() {
        let path = folder.join(name).with_extension("jsonl");
        if !path.exists() {
            std::fs::write(path, run.jsonl())?;
        }
    }
    Ok(())
}
