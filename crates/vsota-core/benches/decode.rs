//! From the bytes of detailed results to their rows, in pieces as the command line reads them.
//!
//! The goal is 200 MB/s. Beside it: a search for one byte over the same bytes, which is what no
//! decoder can pass; and results without details, of which every byte is looked at.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails must fail loudly")]

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::BytesCount;
use vsota_core::evidence::{Reader, read};
use vsota_fixtures::builders::{
    MODEL, RunNumbers, VllmShape, VllmVersion, appended, detailed, vllm_of,
};

const PIECE: usize = 256 << 10;

/// Ten results of 80 requests of 1,000 tokens: about 20 MB.
static DETAILED: LazyLock<String> = LazyLock::new(|| {
    let one = detailed(MODEL, 80, 1_000);
    appended(&vec![one; 10])
});

/// A thousand results without details: about 1.5 MB.
static SUMMARY: LazyLock<String> = LazyLock::new(|| {
    let numbers = RunNumbers::plausible(MODEL, (1_000, 1_000), 7.25, 1_795_507_650_000);
    appended(&vec![vllm_of(VllmVersion::V0_32, &numbers, &VllmShape::default()); 1_000])
});

fn main() {
    divan::main();
}

#[divan::bench]
fn detailed_results(bencher: Bencher<'_, '_>) {
    let bytes = DETAILED.as_bytes();
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let mut reader = Reader::new();
        let mut rows = 0;
        for piece in bytes.chunks(PIECE) {
            rows += reader.feed(piece).into_iter().filter(Result::is_ok).count();
        }
        rows += reader.end().into_iter().filter(Result::is_ok).count();
        assert_eq!(rows, 10);
    });
}

#[divan::bench]
fn results_without_details(bencher: Bencher<'_, '_>) {
    let bytes = SUMMARY.as_bytes();
    bencher.counter(BytesCount::new(bytes.len())).bench(|| {
        let (items, errors) = read(bytes);
        assert_eq!((items.len(), errors.len()), (1_000, 0));
    });
}

/// What a value tree of the whole result costs.
#[divan::bench]
fn serde_json_value(bencher: Bencher<'_, '_>) {
    let bytes = DETAILED.lines().next().unwrap().as_bytes();
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| serde_json::from_slice::<serde_json::Value>(bytes).unwrap());
}

#[divan::bench]
fn memchr_scan(bencher: Bencher<'_, '_>) {
    let bytes = DETAILED.as_bytes();
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench(|| memchr::memchr_iter(b'"', bytes).count());
}
