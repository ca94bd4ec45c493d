//! PA-2: which checks a diff takes away, whatever its author says.

use vsota_core::evidence::checks::{Loss, fact, gone};
use vsota_core::text::{Line, is_unsafe};

const TEST: &str = "tests/kernels/test_topk.py";
const CODE: &str = "vllm/layers/topk.py";
const CUDA: &str = "csrc/topk.cu";

/// A file of a diff with one hunk.
fn file(path: &str, body: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nindex 1..2 100644\n--- a/{path}\n+++ b/{path}\n@@ -1,9 +1,9 @@\n{body}"
    )
}

fn with(mark: char, text: &str) -> String {
    text.lines().map(|it| format!("{mark}{it}\n")).collect()
}

fn removed(path: &str, text: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\ndeleted file mode 100644\nindex 1..0\n--- a/{path}\n+++ /dev/null\n\
         @@ -1,9 +0,0 @@\n{}",
        with('-', text)
    )
}

fn added(path: &str, text: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/{path}\n\
         @@ -0,0 +1,9 @@\n{}",
        with('+', text)
    )
}

/// What is gone: what happened, where, and the text.
fn found(diff: &str) -> Vec<(Loss, String, String)> {
    gone(diff).into_iter().map(|it| (it.loss, it.path, it.text)).collect()
}

#[track_caller]
fn one(diff: &str, loss: Loss, path: &str, text: &str) {
    assert_eq!(found(diff), [(loss, path.to_owned(), text.to_owned())], "{diff}");
}

#[track_caller]
fn none(diff: &str) {
    assert_eq!(found(diff), [], "{diff}");
}

const A_TEST: &str =
    "import torch\n\n\ndef test_ties():\n    assert topk(1) == 1\n    assert topk(2) == 2\n";

#[test]
fn a_removed_file_of_tests_is_gone_as_one() {
    one(&removed(TEST, A_TEST), Loss::File, TEST, "");
    one(
        &removed("tests/kernels/topk.cpp", "TEST(Topk, Ties) {\n"),
        Loss::File,
        "tests/kernels/topk.cpp",
        "",
    );
    // A script that fails by itself tests as well.
    one(&removed(TEST, "run()\n"), Loss::File, TEST, "");
    // So do the data and the helpers of tests.
    for (path, text) in [("tests/kernels/data.json", "{}\n"), ("tests/kernels/utils.py", "x = 1\n")]
    {
        one(&removed(path, text), Loss::File, path, "");
        none(&(removed(path, text) + &added(&path.replace("kernels", "moe"), text)));
        one(&(removed(path, text) + &added("docs/a.txt", text)), Loss::File, path, "");
    }
    for (path, text) in [
        ("tests/kernels/__init__.py", "x = 1\n"),
        ("tests/README.md", "x\n"),
        ("tests/a.rst", "x\n"),
        ("docs/test_a.md", A_TEST),
        ("vllm/data.json", "{}\n"),
        (TEST, ""),
    ] {
        none(&removed(path, text));
    }
}

#[test]
fn a_source_that_the_diff_does_not_show_is_gone() {
    let hidden = |path: &str, mode: &str, shown: &str| {
        format!("diff --git a/{path} b/{path}\n{mode}index 1..2\n{shown}\n")
    };
    let names = format!("Binary files a/{CUDA} and b/{CUDA} differ");
    for shown in ["GIT binary patch\nliteral 3\nKcmZSh&&N5m", &names] {
        for mode in ["", "deleted file mode 100644\n"] {
            one(&hidden(CUDA, mode, shown), Loss::File, CUDA, "which the diff does not show");
        }
        one(&hidden(TEST, "", shown), Loss::File, TEST, "which the diff does not show");
        one(&hidden(TEST, "deleted file mode 100644\n", shown), Loss::File, TEST, "");
        none(&hidden(CUDA, "new file mode 100644\n", shown));
        none(&hidden("vllm/a.so", "", shown));
    }
    let fact = fact(&hidden(CUDA, "", &names), None).unwrap();
    let text = format!("{CUDA}: the file, which the diff does not show");
    assert_eq!(fact.shown, [Line::new(text).unwrap()]);
}

#[test]
fn a_renamed_file_of_tests_is_there_still() {
    let to = "tests/kernels/moe/test_topk_softmax.py";
    none(&(removed(TEST, A_TEST) + &added(to, A_TEST)));
    // With other imports and more tests.
    let more = A_TEST.replace("import torch", "import numpy") + "def test_more():\n    assert 1\n";
    none(&(added(to, &more) + &removed(TEST, A_TEST)));
    // Nothing in it is known for a check.
    none(&(removed(TEST, "run()\n") + &added("tests/moe/test_topk.py", "walk()\n")));
    none(&format!(
        "diff --git a/{TEST} b/{to}\nsimilarity index 100%\nrename from {TEST}\nrename to {to}\n"
    ));
    // Under this name no test is looked for.
    let hidden = "tests/kernels/old_topk.py";
    one(&(removed(TEST, A_TEST) + &added(hidden, A_TEST)), Loss::File, TEST, "");
    one(
        &format!("diff --git a/{TEST} b/{hidden}\nrename from {TEST}\nrename to {hidden}\n"),
        Loss::File,
        TEST,
        "",
    );
    one(&(removed(TEST, A_TEST) + &added("docs/test_topk.md", A_TEST)), Loss::File, TEST, "");
    // A part of it moved: the rest is gone by itself.
    let half = "def test_ties():\n    assert topk(1) == 1\n";
    one(&(removed(TEST, A_TEST) + &added(to, half)), Loss::Check, TEST, "assert topk(2) == 2");
}

#[test]
fn a_removed_test_is_gone() {
    for (path, text, shown) in [
        (TEST, "def test_ties(a):", "def test_ties"),
        (TEST, "    async def test_ties(self):", "async def test_ties"),
        (CUDA, "TEST(Topk, Ties) {", "TEST(Topk, Ties) {"),
        (CUDA, "TEST_F(Topk, Ties) {", "TEST_F(Topk, Ties) {"),
        (TEST, "class TestTies(Base):", "class TestTies"),
        (TEST, "class TestTies:", "class TestTies"),
    ] {
        one(&file(path, &with('-', text)), Loss::Test, path, shown);
    }
    // Another signature is the same test; another name is not.
    none(&file(TEST, "-def test_ties(a):\n+def test_ties(\n+    a,\n+    b,\n+):\n"));
    none(&file(TEST, "-class TestTies:\n+class TestTies(Base):\n"));
    one(
        &file(TEST, "-def test_ties(a):\n+def not_test_ties(a):\n"),
        Loss::Test,
        TEST,
        "def test_ties",
    );
    for (path, text) in [
        (TEST, "def helper():"),
        (TEST, "class Helper:"),
        (CODE, "class TestIt:"),
        (CODE, "def test_it():"),
        ("tests/utils.py", "def test_it():"),
    ] {
        none(&file(path, &with('-', text)));
    }
}

#[test]
fn a_removed_check_is_gone_in_tests_and_in_code() {
    for (path, text) in [
        (TEST, "assert x.shape == a"),
        (TEST, "assert(x)"),
        (TEST, "torch.testing.assert_close(out, ref)"),
        (TEST, "np.testing.assert_allclose(out, ref)"),
        (TEST, "self.assertEqual(a, b)"),
        (TEST, "with pytest.raises(ValueError):"),
        (TEST, "opcheck(torch.ops._C.topk, (x,))"),
        (TEST, "check_logprobs_close(outputs_0_lst=a, outputs_1_lst=b)"),
        (CODE, "assert topk > 0, \"a # b\""),
        (CODE, "raise ValueError(f\"no {topk}\")"),
        (CUDA, "TORCH_CHECK(x.is_contiguous(), \"x\");"),
        (CUDA, "STD_TORCH_CHECK_EQ(a, b);"),
        (CUDA, "TORCH_INTERNAL_ASSERT(a);"),
        (CUDA, "AT_ASSERT(a);"),
        (CUDA, "VLLM_SHAPE_CHECK(a);"),
        (CUDA, "CHECK(a);"),
        (CUDA, "if (x) { static_assert(sizeof(T) == 2); }"),
        (CUDA, "assert(a);"),
        (CUDA, "EXPECT_EQ(a, b);"),
        (TEST, "compare_two_settings(model, a, b)"),
        (TEST, "compare_all_settings(model, all)"),
        (CODE, "tl.device_assert(a < b)"),
        (CODE, "tl.static_assert(A == B)"),
        (CODE, "torch._check(a.size(0) == 2)"),
        (CUDA, "if (!a) { throw std::runtime_error(\"a\"); }"),
    ] {
        one(&file(path, &format!("-    {text}\n")), Loss::Check, path, text);
        none(&file(path, &format!("+    {text}\n")));
        none(&file(path, &format!("     {text}\n")));
    }
    for (path, text) in [
        (TEST, "# assert x"),
        (TEST, "from torch.testing import assert_close"),
        (TEST, "def assert_same(a, b):"),
        (TEST, "print(\"assert(x)\")"),
        (TEST, "assertion = 1"),
        (CODE, "raise NotImplementedError(\"fp8\")"),
        (CODE, "raise ValueError(\"fp8\") from error"),
        (CODE, "raise"),
        (CODE, "x = 1  # assert y"),
        (CUDA, "// TORCH_CHECK(a);"),
        (CUDA, " * TORCH_CHECK(a);"),
        (CUDA, "#define A_CHECK(x) x"),
        (CUDA, "check(a);"),
        (CUDA, "throw;"),
        (CUDA, "rethrow (a);"),
        (CODE, "self.check(a)"),
        (TEST, "compare_two(a, b)"),
        ("docs/a.md", "assert x"),
        ("vllm/a.json", "assert x"),
    ] {
        none(&file(path, &with('-', text)));
    }
}

#[test]
fn what_only_moved_is_there_still_but_not_twice() {
    let check = "    assert topk > 0\n";
    none(&file(CODE, &format!("-{check} x = 1\n+    {check}")));
    // Its file is gone, or has another name.
    none(&(removed(CODE, check) + &file(TEST, &with('+', check))));
    none(&(added(CUDA, "") + &added(TEST, check) + &removed(CODE, check)));
    let renamed = format!(
        "diff --git a/{CODE} b/vllm/a.py\nrename from {CODE}\nrename to vllm/a.py\n@@ -1 +0,0 @@\n-{check}"
    );
    none(&(renamed.clone() + &file("vllm/b.py", &with('+', check))));
    one(&renamed, Loss::Check, CODE, "assert topk > 0");
    let two = removed(CODE, &check.repeat(2)) + &file(TEST, &with('+', check));
    one(&two, Loss::Check, CODE, "assert topk > 0");
    // An equal line of another file is no such move.
    let elsewhere = file(CODE, &with('-', check)) + &file(TEST, &with('+', check));
    one(&elsewhere, Loss::Check, CODE, "assert topk > 0");
    // What stays is none that comes in its place.
    let stays = file(CODE, "     assert topk > 0\n-    assert topk > 0\n");
    one(&stays, Loss::Check, CODE, "assert topk > 0");
    let aside = file(CODE, "-    assert topk > 0\n") + &file("docs/a.md", "+assert topk > 0\n");
    one(&aside, Loss::Check, CODE, "assert topk > 0");
    let comment = file(CODE, "-    assert topk > 0\n+    # assert topk > 0\n");
    one(&comment, Loss::Check, CODE, "assert topk > 0");
}

#[test]
fn what_is_rewritten_is_gone_but_not_what_is_wrapped_or_commented_otherwise() {
    one(
        &file(TEST, "-assert x.shape == a\n+assert x.shape == b\n"),
        Loss::Check,
        TEST,
        "assert x.shape == a",
    );
    none(&file(TEST, "-assert f(a, b)\n+assert f(a,\n+         b)  # both\n"));
    none(&file(CUDA, "-TORCH_CHECK(a, \"a\");\n+TORCH_CHECK(\n+    a,  // both\n+    \"a\");\n"));
    none(&file(TEST, "-assert a == \\\n-    b\n+assert a == b\n"));
    // One line of it is another, and the line before is of it.
    let hollow = " assert_close(\n     out,\n-    ref,\n+    out,\n )\n";
    one(&file(TEST, hollow), Loss::Check, TEST, "assert_close( out, ref, )");
    let comment = " assert_close(\n-    # both\n     out,\n     ref,\n )\n";
    none(&file(TEST, comment));
    // White space within a text counts, and a comment's mark within one is none.
    one(
        &file(CODE, "-assert x == \"a b\"\n+assert x == \"ab\"\n"),
        Loss::Check,
        CODE,
        "assert x == \"a b\"",
    );
    one(
        &file(CODE, "-assert x == \"#a\"\n+assert x == \"#b\"\n"),
        Loss::Check,
        CODE,
        "assert x == \"#a\"",
    );
}

#[test]
fn an_added_skip_takes_the_test_away() {
    for text in [
        "@pytest.mark.skip",
        "@pytest.mark.skipif(not cuda, reason=\"x\")",
        "@pytest.mark.xfail",
        "@unittest.skip(\"x\")",
    ] {
        one(&file(TEST, &format!("+{text}\n def test_ties():\n")), Loss::Skip, TEST, text);
        none(&file(TEST, &format!("-{text}\n def test_ties():\n")));
        none(&file(TEST, &format!("-{text}\n def test_ties():\n+{text}\n def test_more():\n")));
        // It comes with the test.
        none(&file(
            TEST,
            &format!(" def test_ties():\n     pass\n+{text}\n+def test_new():\n+    pass\n"),
        ));
        none(&added(TEST, &format!("{text}\ndef test_new():\n    pass\n")));
        // The test is not new.
        let moved =
            removed("tests/test_old.py", A_TEST) + &added(TEST, &format!("{text}\n{A_TEST}"));
        one(&moved, Loss::Skip, TEST, text);
    }
    for text in [
        "pytest.skip(\"x\")",
        "self.skipTest(\"x\")",
        "pytest.xfail(\"x\")",
        "pytest.importorskip(\"x\")",
        "raise unittest.SkipTest(\"x\")",
    ] {
        one(&file(TEST, &format!(" def test_ties():\n+    {text}\n")), Loss::Skip, TEST, text);
        none(&file(TEST, &format!("+def test_new():\n+    {text}\n def test_ties():\n")));
    }
    one(
        &file(TEST, "+pytestmark = pytest.mark.skip\n"),
        Loss::Skip,
        TEST,
        "pytestmark = pytest.mark.skip",
    );
    // It stands in a file of its own, or for tests that are all new.
    none(&added("tests/utils.py", "gpus = pytest.mark.skipif(one)\n"));
    none(&added(TEST, "pytestmark = pytest.mark.skip\n\ndef test_new():\n    pass\n"));
    one(&file(CUDA, " TEST(A, B) {\n+  GTEST_SKIP();\n"), Loss::Skip, CUDA, "GTEST_SKIP();");
    let all = "item.add_marker(pytest.mark.skip)";
    one(&added("tests/conftest.py", all), Loss::Skip, "tests/conftest.py", all);
    let ignored = "collect_ignore = [\"test_a.py\"]";
    one(&added("tests/conftest.py", ignored), Loss::Skip, "tests/conftest.py", ignored);
    none(&file(TEST, "+from unittest import SkipTest\n def test_ties():\n"));
    none(&file(TEST, "+# @pytest.mark.skip\n def test_ties():\n"));
    none(&file(CODE, "+@skip_layer\n"));
}

#[test]
fn a_tolerance_that_grows_is_gone_and_one_that_shrinks_is_not() {
    let lines = [
        (
            "    assert_close(a, b, atol=1e-2, rtol=0.01)",
            "    assert_close(a, b, atol=1e-1, rtol=0.01)",
        ),
        ("    rtol = 1e-3", "    rtol = 2e-3"),
        (
            "TOLERANCES = {\"atol\": 1e-3, \"rtol\": 1_0.5}",
            "TOLERANCES = {\"atol\": 1e-3, \"rtol\": 2_0.5}",
        ),
        ("def close(a, tolerance: float = 0.5):", "def close(a, tolerance: float = 5):"),
        ("        atol=1e-2,", "        atol=.1,"),
    ];
    for (tight, loose) in lines {
        let diff = |from: &str, to: &str| file(TEST, &format!("-{from}\n+{to}\n"));
        one(&diff(tight, loose), Loss::Tolerance, TEST, loose.trim());
        none(&diff(loose, tight));
        one(&file(TEST, &with('-', tight)), Loss::Check, TEST, tight.trim());
        none(&file(TEST, &with('+', loose)));
    }
    // Any number of the line.
    for (tight, loose) in [
        ("rtol, atol = 1e-3, 1e-3", "rtol, atol = 1e-3, 1e-1"),
        ("atol = 1e-2 if bf16 else 1e-3", "atol = 1e-2 if bf16 else 1e-1"),
        ("atol = {torch.float16: 1e-3}", "atol = {torch.float16: 1e-2}"),
        ("atol = 10 ** -3", "atol = 10 ** -2"),
        // A smaller number is looser.
        ("atol = 1e-2 / 10", "atol = 1e-2 / 1"),
        ("atol = 1e-2 if n > 9 else 1e-3", "atol = 1e-2 if n > 5 else 1e-3"),
    ] {
        let diff = file(TEST, &format!("-{tight}\n+{loose}\n"));
        one(&diff, Loss::Tolerance, TEST, loose);
    }
    none(&file(TEST, "-atol = 1e-2 if bf16 else 1e-3\n+atol = 1e-2 if bf16 else 1e-4\n"));
    // There is none in its place.
    for other in ["atol = 1e-3 * 100", "atol = float(\"inf\")", "atol = LOOSE", "x = 1e-3"] {
        let diff = file(TEST, &format!("-atol = 1e-3\n+{other}\n"));
        one(&diff, Loss::Check, TEST, "atol = 1e-3");
    }
    // A table of them, and the one of a function.
    let head = " default_atol = {\n     torch.float16: 1e-3,\n";
    let table = |was: &str, is: &str| {
        file(TEST, &format!("{head}-    torch.bfloat16: {was},\n+    torch.bfloat16: {is},\n }}\n"))
    };
    let shown = "default_atol = { torch.float16: 1e-3, torch.bfloat16: 1e-1, }";
    one(&table("1e-2", "1e-1"), Loss::Tolerance, TEST, shown);
    none(&table("1e-1", "1e-2"));
    let function = " void f(float atol = 1e-3) {\n-  CHECK(a);\n }\n";
    one(&file(CUDA, function), Loss::Check, CUDA, "CHECK(a);");
    none(&file(TEST, "-print(\"tolerance\")\n"));
    let float = file(CUDA, "-  float atol = 1e-3f;\n+  float atol = 1e-2f;\n");
    one(&float, Loss::Tolerance, CUDA, "float atol = 1e-2f;");
    // Inside of a check whose head is not changed.
    let inside = " assert_close(\n     a,\n     b,\n-    atol=1e-2,\n+    atol=1e-1,\n )\n";
    one(&file(TEST, inside), Loss::Tolerance, TEST, "assert_close( a, b, atol=1e-1, )");
    // Something else differs, too; or it is no number.
    let other = "-assert_close(a, b, atol=1e-2)\n+assert_close(a, a, atol=1e-2)\n";
    one(&file(TEST, other), Loss::Check, TEST, "assert_close(a, b, atol=1e-2)");
    let bare = "-assert_close(a, b, atol=1e-2)\n+assert_close(a, b)\n";
    one(&file(TEST, bare), Loss::Check, TEST, "assert_close(a, b, atol=1e-2)");
    let nan = "-assert_close(a, b, atol=1e-2)\n+assert_close(a, b, atol=nan)\n";
    one(&file(TEST, nan), Loss::Check, TEST, "assert_close(a, b, atol=1e-2)");
}

#[test]
fn cases_that_a_test_ran_with_are_gone() {
    let change = |from: &str, to: &str| file(TEST, &(with('-', from) + &with('+', to)));
    for (all, fewer) in [
        ("NUM_TOKENS = [1, 7, 83]", "NUM_TOKENS = [1, 7]"),
        ("NUM_TOKENS: list[int] = [1, 7, 83]", "NUM_TOKENS: list[int] = [1, 7]"),
        ("DTYPES = (torch.half, torch.float)", "DTYPES = (torch.half,)"),
        ("@pytest.mark.parametrize(\"k\", [1, 2])", "@pytest.mark.parametrize(\"k\", [2])"),
        ("@pytest.mark.parametrize(\"k\", [1, 2])", "@pytest.mark.parametrize(\"n\", [1, 2])"),
        ("NUM_TOKENS = [1, 1]", "NUM_TOKENS = [1]"),
        ("NUM_TOKENS = [1, 7]", "NUM_TOKENS = TOKENS"),
        ("NUM_TOKENS = [1, 7]", "OTHERS = [1, 7]"),
    ] {
        one(&change(all, fewer), Loss::Check, TEST, all);
        one(&file(TEST, &with('-', all)), Loss::Check, TEST, all);
        none(&file(CODE, &with('-', all)));
        none(&file(TEST, &with('+', all)));
    }
    for (fewer, all) in [
        ("NUM_TOKENS = [1, 7]", "NUM_TOKENS = [1, 7, 83]"),
        ("NUM_TOKENS = [1, 7]", "NUM_TOKENS = [\n    7,\n    1,\n]"),
        (
            "@pytest.mark.parametrize(\"k,n\", [(1, 2)])",
            "@pytest.mark.parametrize('k, n', [(1, 2), (3, 4)])",
        ),
        ("num_tokens = [1, 7]", "num_tokens = [1]"),
        ("assert NUM_TOKENS == (1)", "assert NUM_TOKENS == (1)"),
        ("N = f(1)", "N = f(2)"),
    ] {
        none(&change(fewer, all));
    }
    // One of many lines; two tests with a parameter of the same name.
    let head =
        " @pytest.mark.parametrize(\n     \"k\",\n     [\n-        1,\n         2,\n     ],\n )\n";
    let shown = "@pytest.mark.parametrize( \"k\", [ 1, 2, ], )";
    one(&file(TEST, head), Loss::Check, TEST, shown);
    let param = |all: &str| format!("@pytest.mark.parametrize(\"k\", [{all}])\n");
    let two = change(&(param("1, 2") + &param("3, 4")), &(param("1") + &param("2, 3, 4")));
    none(&two);
    // One of them is skipped.
    let skip = "        pytest.param(2, marks=pytest.mark.skip),";
    let marked =
        head.replace("-        1,\n         2,", &format!("         1,\n-        2,\n+{skip}"));
    let test = " def test_ties(k):\n";
    one(&file(TEST, &(marked + test)), Loss::Skip, TEST, skip.trim());
    let line = "@pytest.mark.parametrize(\"k\", [1, pytest.param(2, marks=pytest.mark.skip)])";
    let diff = change(&param("1, 2, 3"), line) + test;
    let found: Vec<Loss> = gone(&diff).iter().map(|it| it.loss).collect();
    assert_eq!(found, [Loss::Check, Loss::Skip]);
    // Under another name the file holds them still.
    none(
        &(removed(TEST, "K = [1]\ndef test_a():\n")
            + &added("tests/test_b.py", "K = [1]\ndef test_a():\n")),
    );
}

#[test]
fn the_fact_names_the_gravest_and_counts_all() {
    let because = Line::new("the head checks it").unwrap();
    assert_eq!(fact(&file(CODE, "-x = 1\n+x = 2\n"), Some(because.clone())), None);
    assert_eq!(fact("no diff", None), None);
    let many: String = (0..30).map(|n| format!("-assert x == {n}\n")).collect();
    let diff = file(CODE, &many)
        + &removed(TEST, A_TEST)
        + &file(
            "tests/test_b.py",
            "-def test_b():\n+@pytest.mark.skip\n def test_c():\n-atol = 1\n+atol = 2\n",
        );
    let fact = fact(&diff, Some(because.clone())).unwrap();
    assert_eq!((fact.count, fact.shown.len(), fact.because), (34, 10, Some(because)));
    let shown: Vec<&str> = fact.shown.iter().map(Line::as_str).take(3).collect();
    let first = format!("{CODE}: assert x == 0");
    assert_eq!(shown, [&format!("{TEST}: the file"), "tests/test_b.py: def test_b", &first]);
    let last: Vec<String> = gone(&diff).iter().rev().take(2).map(|it| it.text.clone()).collect();
    assert_eq!(last, ["@pytest.mark.skip", "atol = 2"]);
}

#[test]
fn what_is_shown_is_short_and_plain() {
    let long = format!("{}/a.py", "p".repeat(3_000));
    let text = format!("-assert x == \"\u{202e}{}\"\n", "é".repeat(3_000));
    let fact = fact(&file(&long, &text), None).unwrap();
    let shown = fact.shown[0].as_str();
    assert!(shown.len() < 300 && !shown.chars().any(is_unsafe), "{shown}");
    assert!(shown.contains("…: assert x == \"\u{fffd}éé") && shown.ends_with('…'), "{shown}");
}

#[test]
fn a_large_diff_takes_no_longer_than_its_bytes() {
    let one = |n: usize| {
        removed(&format!("tests/test_{n}.py"), &format!("def test_{n}():\n    assert {n}\n"))
    };
    let files: String = (0..4_000).map(one).collect();
    let skips = added("tests/conftest.py", &"    @pytest.mark.skip\n".repeat(20_000));
    // The name of a file is long, and it has many hunks.
    let long = format!("vllm/{}.py", "p".repeat(1 << 20));
    let hunks = file(&long, &"@@ -1 +1 @@\n-assert a\n".repeat(20_000));
    let cases = file("tests/test_cases.py", &with('-', &"K = [1]\n".repeat(20_000)));
    let found = gone(&(files + &skips + &hunks + &cases));
    assert_eq!(found.len(), 44_000);
}
