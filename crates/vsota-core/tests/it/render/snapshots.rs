//! What people read, held to what was agreed.

use std::collections::BTreeMap;

use vsota_fixtures::model::Run;

use super::eventful::eventful;
use super::{entries, of, rendered};

fn show(documents: BTreeMap<String, String>, prefix: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (path, text) in documents {
            let name = format!("{prefix}__{}", path.replace('/', "__"));
            insta::assert_snapshot!(name, text);
        }
    });
}

#[test]
fn a_campaign_that_stopped_reads_as_agreed() {
    show(of(&Run::stopped()), "stopped");
}

/// Only what differs from the plain campaign in kind, not every file again.
#[test]
fn a_campaign_in_which_everything_happened_reads_as_agreed() {
    let kept = |path: &String| {
        let parts = ["ledger", "checkpoint", "final_report", "summary", "history", "blocked"];
        parts.iter().any(|it| path.contains(it))
    };
    let mut documents = rendered(&entries(&eventful()));
    documents.retain(|path, _| kept(path));
    show(documents, "eventful");
}
