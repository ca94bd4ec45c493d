//! What a diff changes, and what kind of file that is.

use vsota_core::evidence::diff::{admits, kind, touched};
use vsota_core::facts::FileKind;

#[test]
fn code_is_what_lies_under_vllm_and_csrc() {
    use FileKind::{Code, Docs, Launch, Tests};
    let cases = [
        ("vllm/model_executor/layers/fused_moe.py", Code),
        ("vllm/compilation/passes.py", Code),
        ("csrc/moe/topk.cu", Code),
        ("vllm/model_executor/layers/fused_moe/configs/E=8,N=14336.json", Code),
        ("vllm", Launch),
        ("vllm/benchmarks/serve.py", Launch),
        ("benchmarks/benchmark_serving.py", Launch),
        ("vllm/serve.sh", Launch),
        ("vllm/serve.yaml", Launch),
        ("examples/vllm/a.py", Launch),
        ("setup.py", Launch),
        ("CMakeLists.txt", Launch),
        ("requirements/cuda.txt", Launch),
        ("tests/kernels/moe/test_routing.py", Tests),
        ("tests/kernels/data.json", Tests),
        ("vllm/test_utils.py", Tests),
        ("csrc/tests/a.cu", Tests),
        ("conftest.py", Tests),
        ("vllm/testing/a.py", Code),
        ("vllm/contest.py", Code),
        ("docs/a.py", Docs),
        ("vllm/README.md", Docs),
        ("README.md", Docs),
    ];
    for (path, expected) in cases {
        assert_eq!(kind(path), expected, "{path}");
    }
}

#[test]
fn every_header_names_its_file() {
    let diff = "diff --git a/vllm/a b.py b/vllm/a b.py\nindex 1..2 100644\n--- a/vllm/a b.py\n\
                +++ b/vllm/a b.py\n@@ -1 +1 @@\n-diff --git a/x b/x\n+y\n\
                diff --git a/csrc/x.bin b/csrc/x.bin\nBinary files differ\n\
                diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n\
                diff --git a/one.py b/two.py\ncopy from one.py\ncopy to two.py\n";
    let found = touched(diff).unwrap();
    let files: Vec<_> = found.files.iter().map(String::as_str).collect();
    assert_eq!(files, ["csrc/x.bin", "new.py", "two.py", "vllm/a b.py"]);
    let renamed: Vec<_> = found.renamed.iter().map(String::as_str).collect();
    assert_eq!(renamed, ["old.py"]);
}

#[test]
fn what_is_no_diff_of_gits_is_named() {
    let line = |text: &str| touched(text).unwrap_err().line;
    assert_eq!(line(""), Some(1));
    assert_eq!(line("--- a/x\n+++ b/x\n"), Some(1));
    assert_eq!(line("\ndiff --git \"a/\\303\" \"b/\\303\"\n"), Some(2));
    assert_eq!(line("diff --git a/x b/y\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n"), Some(4));
    assert_eq!(line("diff --git a/x b/y\ndiff --git a/z b/z\n"), Some(2));
    assert_eq!(line("diff --git a/é b/è\n"), None);
}

/// PA-3: code that says where it comes from is copied code, unless the line only moved.
#[test]
fn a_diff_says_itself_that_code_comes_from_elsewhere() {
    let header =
        "diff --git a/vllm/a.py b/vllm/a.py\n--- a/vllm/a.py\n+++ b/vllm/a.py\n@@ -1 +1 @@\n";
    let found = |body: &str| admits(&format!("{header}{body}")).map(|it| (it.path, it.text));
    for line in [
        "# Adapted from https://github.com/x/y/blob/main/z.py",
        "// copied from sglang/srt/layers/moe.py",
        " * Copyright (c) 2024 NVIDIA CORPORATION",
    ] {
        let told = (String::from("vllm/a.py"), line.trim().to_owned());
        assert_eq!(found(&format!("+{line}\n")), Some(told));
        assert_eq!(found(&format!("-{line}\n")), None, "what goes");
        assert_eq!(found(&format!("-{line}\n+{line}\n")), None, "what moves");
        assert_eq!(found(&format!(" {line}\n")), None, "what stays");
    }
    for line in [
        "# SPDX-FileCopyrightText: Copyright contributors to the vLLM project",
        "# the block is copied from the host to the device",
    ] {
        assert_eq!(found(&format!("+{line}\n")), None, "{line}");
    }
}
