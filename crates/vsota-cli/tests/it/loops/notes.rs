//! History notes are held against the knowledge root (HI-1 … HI-3, HI-5).

use std::fs;
use std::os::unix::fs::symlink;

use vsota_fixtures::model::Run;

use super::field::{Ended, Field};

/// A campaign in the history gate, and a root with one family of each framework.
fn field() -> Field {
    let field = Field::at(&Run::with_inputs());
    for framework in ["vllm", "sglang"] {
        let page = "# History\n\n### PR #4242 - routing\n\n### PR #99 - norm\n";
        field.script(&format!("root/{framework}/tiny-moe/README.en.md"), page);
    }
    field
}

fn note(field: &Field, change: impl FnOnce(String) -> String) -> Ended {
    let root = field.world.root.join("root");
    let text = format!(
        "# History note\n\n- framework: vllm\n- root: {root}\n- slug: tiny-moe\n\n## Item routing\n\n\
         - path: vllm/tiny-moe/README.en.md\n- pr: 4242\n- file: vllm/a.py\n- symbol: a\n\
         - risk: ties\n- decision: look at the routing first\n"
    );
    let draft = field.world.root.join("note.md");
    fs::write(&draft, change(text)).unwrap();
    field.vsota(&["history", "note", draft.as_str()])
}

#[test]
fn what_the_root_holds_is_noted() {
    let ended = note(&field(), |it| it);
    assert_eq!(ended.exit, 0, "{}", ended.told);
}

#[test]
fn what_it_does_not_hold_is_refused() {
    for (from, to, clause) in [
        ("README.en.md", "README.fr.md", "HI-3"),
        ("vllm/tiny-moe/README.en.md", "../note.md", "HI-3"),
        ("- pr: 4242", "- pr: 424", "HI-3"),
        ("- pr: 4242", "- pr: 42421", "HI-3"),
        ("- slug: tiny-moe", "- slug: huge-moe", "HI-1"),
        ("/root\n", "/nowhere\n", "HI-5"),
    ] {
        let field = field();
        let before = field.events();
        let ended = note(&field, |it| {
            assert!(it.contains(from), "{it}");
            it.replace(from, to)
        });
        assert_eq!(ended.exit, 3, "{to}: {}", ended.told);
        assert!(ended.clauses().contains(&clause), "{to}: {:?}", ended.clauses());
        assert_eq!(field.events(), before);
    }
}

#[test]
fn a_file_behind_a_link_out_of_the_root_or_a_loop_of_links_is_not_in_it() {
    let field = field();
    field.script("secret.md", "### PR #4242\n");
    let family = field.world.root.join("root/vllm/tiny-moe");
    symlink(field.world.root.join("secret.md"), family.join("out.md")).unwrap();
    symlink("loop.md", family.join("loop.md")).unwrap();
    for name in ["out.md", "loop.md"] {
        let ended = note(&field, |it| it.replace("README.en.md", name));
        assert_eq!(ended.exit, 3, "{name}: {}", ended.told);
        assert!(ended.clauses().contains(&"HI-3"), "{name}: {:?}", ended.clauses());
    }
}

#[test]
fn none_for_the_family_is_believed_only_when_the_root_has_none() {
    let none = |tried: &str| {
        let tried = format!("## None for this family\n\n- tried: {tried}\n");
        move |it: String| {
            let head = it.split("- slug").next().unwrap().to_owned();
            format!("{head}\n{tried}")
        }
    };
    let field = field();
    let ended = note(&field, none("tiny-moe"));
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["HI-2", "HI-2"]), "{}", ended.told);
    let ended = note(&field, none("something-else"));
    assert_eq!(
        (ended.exit, ended.clauses()),
        (3, vec!["HI-2"]),
        "the family of the model is there"
    );
    fs::rename(field.world.root.join("root/vllm/tiny-moe"), field.world.root.join("gone")).unwrap();
    let ended = note(&field, none("tiny-moe"));
    assert_eq!(ended.exit, 0, "{}", ended.told);
}

#[test]
fn the_skeleton_is_filled_and_only_the_decisions_are_missing() {
    let mut field = field();
    let root = field.world.root.join("root");
    let page =
        "# History\n\n### PR #4242 - routing\n\n- Reviewed files: `vllm/a.py`\n- Risk: ties\n";
    fs::write(root.join("vllm/tiny-moe/README.en.md"), page).unwrap();
    field.env.insert("VSOTA_HISTORY_ROOT", root.to_string());
    let ended = field.vsota(&["history", "note", "--template", "--framework", "vllm"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let text = ended.json["template"].as_str().unwrap();
    assert!(text.contains("- slug: tiny-moe\n"), "{text}");
    assert!(
        text.contains("## Item vllm-pr-4242\n\n- path: vllm/tiny-moe/README.en.md\n- pr: 4242\n")
    );
    assert!(text.contains("- decision:\n"), "{text}");
    fs::remove_dir_all(root.join("vllm/tiny-moe")).unwrap();
    let ended = field.vsota(&["history", "note", "--template", "--framework", "vllm"]);
    let text = ended.json["template"].as_str().unwrap();
    assert!(text.contains("## None for this family\n\n- tried: demo-tiny-moe\n"), "{text}");
}
