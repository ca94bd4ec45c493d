//! Which Python frame says where a kernel comes from?
//!
//! A frame has a rank by its file: the framework's own source before a library, a library before
//! nothing. Of the frames that are active at a moment the one of the highest rank counts, then the
//! one that started last. A frame inside one of a higher rank can never count and is not kept: that
//! is what bounds the memory, and it holds in any order of the file.

use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::names::NameId;

/// A frame that can name a location.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Its start, in ns of the trace.
    pub start: i64,
    /// Its end, in ns of the trace.
    pub end: i64,
    /// Its name, as Python spells it.
    pub name: NameId,
    /// How much it says; higher is better.
    pub rank: u16,
}

/// From where the source of a serving framework starts, and its rank.
const OWN: &[(&str, u16)] = &[
    ("python/sglang/", 300),
    ("sgl_kernel/", 260),
    ("vllm/", 285),
    ("python/tokenspeed/", 283),
    ("tokenspeed/", 283),
    ("tensorrt_llm/", 280),
    ("tensorrt-llm/", 280),
    ("sglang/", 290),
];

/// Files and prefixes that never say where work comes from.
const NOISE: &[&str] = &[
    "threading.py",
    "multiprocessing/",
    "contextlib",
    "torch/utils/_contextlib.py",
    "runpy",
    "<frozen runpy>",
    "asyncio/",
    "selectors",
    "queue",
    "socket",
    "tqdm/",
    "triton/runtime/",
    "triton/backends/",
    "torch/_ops.py",
    "torch/nn/modules/module.py",
];

/// Functions and files of a framework that only pass a call on.
const PASSING: &[&str] =
    &["__torch_function__", "__torch_dispatch__", "__call__", "_call_impl", "_wrapped_call_impl"];
const PASSING_FILES: &[&str] = &[
    "model_executor/parameter.py",
    "cuda_graph_runner.py",
    "compilation/cuda_graph.py",
    "pyexecutor/py_executor.py",
    "_torch/utils.py",
    "fx/graph_module.py",
];

/// The place of a frame's source from its name `path(line): function`: `path:line function`, with
/// the path from the framework's root, and its rank. `None` when it names no source of interest.
pub fn source_location(name: &str) -> Option<(String, u16)> {
    if name.starts_with('<') {
        return None;
    }
    let (place, function) = name.rsplit_once("): ")?;
    let (path, line) = place.rsplit_once('(')?;
    if line.is_empty() || !line.bytes().all(|it| it.is_ascii_digit()) || !path.contains(".py") {
        return None;
    }
    let (path, rank) = ranked(path)?;
    let passes = PASSING.contains(&function) || PASSING_FILES.iter().any(|it| path.ends_with(it));
    let rank = if rank >= 250 && passes { rank - 80 } else { rank };
    Some((format!("{path}:{line} {function}"), rank))
}

/// Whether a location is a serving framework's own source.
pub fn is_own_source(location: &str) -> bool {
    OWN.iter().any(|(root, _)| location.starts_with(root))
}

fn ranked(path: &str) -> Option<(String, u16)> {
    let found = OWN.iter().find_map(|(root, rank)| {
        let at = path.find(root).filter(|at| {
            let before = path.get(..*at).unwrap_or_default();
            before.is_empty() || before.ends_with('/')
        })?;
        Some((at, root, *rank))
    });
    if let Some((at, root, rank)) = found {
        let rest = path.get(at..)?;
        let bare = *root == "sglang/";
        return Some((if bare { format!("python/{rest}") } else { rest.into() }, rank));
    }
    // Below the library folder a path says as much and is shorter.
    let short = path.rsplit_once("site-packages/").map_or(path, |it| it.1);
    if NOISE.iter().any(|it| short.starts_with(it))
        || path.contains("lib/python3.") && short == path
    {
        return None;
    }
    let rank = match short {
        _ if short.contains("triton_kernels/") => 220,
        _ if short.starts_with("torch/") || short != path => 45,
        _ => 35,
    };
    Some((short.into(), rank))
}

/// The frames of one thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Stack {
    kept: Vec<Frame>,
    /// Kept frames that were active at the last start: end, best rank so far and its end.
    open: Vec<(i64, u16, i64)>,
    last: i64,
}

impl Stack {
    /// Takes a frame, unless one of a higher rank spans it.
    pub(super) fn push(&mut self, frame: Frame) {
        if frame.start < self.last {
            // Out of order: nothing is known of what spans it.
            self.open.clear();
        }
        self.last = frame.start;
        while self.open.last().is_some_and(|it| it.0 < frame.start) {
            self.open.pop();
        }
        let best = self.open.last().map(|it| (it.1, it.2));
        if best.is_some_and(|(rank, end)| rank > frame.rank && end >= frame.end) {
            return;
        }
        let own = (frame.rank, frame.end);
        let (rank, end) = best.filter(|it| *it > own && it.1 >= frame.start).unwrap_or(own);
        self.open.push((frame.end, rank, end));
        self.kept.push(frame);
    }

    /// Ends the thread: what only served the reading is let go.
    pub(super) fn finish(&mut self) {
        self.open = Vec::new();
        self.kept.sort_unstable_by_key(|it| it.start);
    }

    /// How many frames are kept.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The frame that counts at each moment; `moments` ascend.
    pub(super) fn at(&self, moments: impl Iterator<Item = i64>) -> Vec<Option<NameId>> {
        let mut frames = self.kept.iter().peekable();
        let mut active: BinaryHeap<(u16, i64, Reverse<i64>, NameId)> = BinaryHeap::new();
        moments
            .map(|moment| {
                while let Some(frame) = frames.next_if(|it| it.start <= moment) {
                    active.push((frame.rank, frame.start, Reverse(frame.end), frame.name));
                }
                while active.peek().is_some_and(|it| it.2.0 < moment) {
                    active.pop();
                }
                active.peek().map(|it| it.3)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_location_starts_at_the_root_of_the_framework() {
        let cases = [
            (
                "/opt/x/vllm/model_executor/layers/linear.py(508): forward",
                Some(("vllm/model_executor/layers/linear.py:508 forward", 285)),
            ),
            ("sglang/python/sglang/srt/a.py(5): f", Some(("python/sglang/srt/a.py:5 f", 300))),
            (
                "sglang/srt/layers/linear.py(5): f",
                Some(("python/sglang/srt/layers/linear.py:5 f", 290)),
            ),
            (
                "vllm/compilation/cuda_graph.py(12): run",
                Some(("vllm/compilation/cuda_graph.py:12 run", 205)),
            ),
            ("torch/functional.py(3): g", Some(("torch/functional.py:3 g", 45))),
            ("my_model.py(7): h", Some(("my_model.py:7 h", 35))),
            ("torch/nn/modules/module.py(1779): _call_impl", None),
            ("<built-in method numel of Tensor object at 0x7f>", None),
            ("threading.py(3): run", None),
            ("nn.Module: Linear_0", None),
        ];
        for (name, expected) in cases {
            let found = source_location(name);
            let found = found.as_ref().map(|(place, rank)| (place.as_str(), *rank));
            assert_eq!(found, expected, "{name}");
        }
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let frame = (0_i64..60, 0_i64..40, 1_u16..4);
        prop::collection::vec(frame, 0..40).prop_map(|all| {
            let frame = |(n, (start, length, rank)): (u32, (i64, i64, u16))| Frame {
                start,
                end: start + length,
                name: NameId(n),
                rank,
            };
            (0..).zip(all).map(frame).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_not_kept_would_never_have_counted(mut all in frames(), sorted: bool) {
            if sorted {
                all.sort_by_key(|it| (it.start, Reverse(it.end)));
                (0..).zip(&mut all).for_each(|(n, it)| it.name = NameId(n));
            }
            let mut stack = Stack::default();
            all.iter().for_each(|it| stack.push(*it));
            stack.finish();
            let found = stack.at(0..110);
            for (moment, found) in (0_i64..).zip(found) {
                let active = all.iter().filter(|it| it.start <= moment && moment <= it.end);
                let best = active.map(|it| (it.rank, it.start, Reverse(it.end))).max();
                let found = found.map(|it| all[it.index()]);
                let found = found.map(|it| (it.rank, it.start, Reverse(it.end)));
                prop_assert_eq!(found, best, "at {}", moment);
            }
        }
    }
}
