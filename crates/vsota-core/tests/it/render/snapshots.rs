//! What people read, held to what was agreed.

use vsota_fixtures::model::Run;

use super::of;

fn show(run: &Run, prefix: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (path, text) in of(run) {
            let name = format!("{prefix}__{}", path.replace('/', "__"));
            insta::assert_snapshot!(name, text);
        }
    });
}

#[test]
fn a_campaign_that_stopped_reads_as_agreed() {
    show(&Run::stopped(), "stopped");
}
