//! The directory that `vllm bench sweep serve` leaves behind.

use super::native::{RunNumbers, quoted};
use super::vllm::{VllmShape, VllmVersion, vllm_of};

/// The flags that a combination changed: key, value as JSON.
type Overrides<'a> = &'a [(&'a str, &'a str)];

/// `run=N.json`: a result with its number and the flags of its combination, indented by four.
pub fn sweep_run(run: &RunNumbers, number: i64, overrides: Overrides<'_>) -> String {
    let result = vllm_of(VllmVersion::V0_32, run, &VllmShape::default());
    let mut result = result.trim_end_matches('}').to_owned();
    result.push_str(&format!(", \"run_number\": {number}"));
    for (key, value) in overrides {
        result.push_str(&format!(", {}: {value}", quoted(key)));
    }
    result.push('}');
    indented(&result, 4)
}

/// `summary.json`: the runs of a combination once more, in an array.
pub fn sweep_summary(runs: &[String]) -> String {
    indented(&format!("[{}]", runs.join(", ")), 4)
}

/// `run=N.failure.json`: a run that failed before it measured.
pub fn sweep_failure(number: i64, kind: &str, error: &str) -> String {
    let text = format!(
        "{{\"run_number\": {number}, \"error_type\": {}, \"error\": {}, \
         \"serve_overrides\": {{\"max_num_seqs\": 4}}, \"bench_overrides\": {{}}}}",
        quoted(kind),
        quoted(error)
    );
    indented(&text, 2) + "\n"
}

/// `SERVE-NAME-failure.json`: a combination whose server did not start.
pub fn server_failure(kind: &str, error: &str) -> String {
    let text = format!(
        "{{\"error_type\": {}, \"error\": {}, \"serve_overrides\": {{\"max_num_seqs\": 8}}}}",
        quoted(kind),
        quoted(error)
    );
    indented(&text, 2) + "\n"
}

/// The files of a whole sweep by their paths: two combinations that ran, one run that failed, one
/// server that did not start; summaries, a warm-up and what lies beside them.
pub fn sweep_tree(run: &RunNumbers) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (combination, seqs) in [("SERVE--seqs4-BENCH--two", "4"), ("SERVE--seqs6-BENCH--two", "6")]
    {
        let of =
            |number| sweep_run(run, number, &[("max_num_seqs", seqs), ("max-concurrency", "2")]);
        let runs = [of(0), of(1)];
        files.push((format!("{combination}/warmup.json"), of(-1)));
        files.push((format!("{combination}/summary.json"), sweep_summary(&runs)));
        let [first, second] = runs;
        files.push((format!("{combination}/run=0.json"), first));
        files.push((format!("{combination}/run=1.json"), second));
    }
    // A run that a later try made good, and one that none did.
    let failure = |number| sweep_failure(number, "CalledProcessError", "the client exited with 1");
    files.push(("SERVE--seqs4-BENCH--two/run=1.failure.json".into(), failure(1)));
    files.push(("SERVE--seqs6-BENCH--two/run=2.failure.json".into(), failure(2)));
    let oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB";
    files.push(("SERVE-seqs8-failure.json".into(), server_failure("RuntimeError", oom)));
    files.push(("summary.csv".into(), ",duration,completed\n0,1.5,80\n".into()));
    let record = "[{\"benchmark\": {\"name\": \"vLLM benchmark\"}, \"metric\": {\"name\": \"x\"}}]";
    files.push(("SERVE--seqs4-BENCH--two/run=0.pytorch.json".into(), record.into()));
    files
}

/// A text of JSON as Python indents it, its keys in their order.
pub(super) fn indented(text: &str, by: usize) -> String {
    let (mut out, mut depth, mut inside, mut escaped) = (String::new(), 0_usize, false, false);
    let mut chars = text.chars().filter(|it| *it != '\n').peekable();
    let fresh = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&" ".repeat(depth * by));
    };
    while let Some(c) = chars.next() {
        if inside {
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
            continue;
        }
        match c {
            ' ' => {}
            '"' => {
                inside = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if_eq(&' ').is_some() {}
                if let Some(close) = chars.next_if(|it| matches!(it, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    fresh(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                fresh(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                fresh(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => out.push(other),
        }
    }
    out
}
