//! How fast is a stream looked through for secrets? Beside it, how fast the same bytes are merely
//! searched for one byte.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails must fail loudly")]

use std::fmt::Write as _;
use std::sync::LazyLock;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use vsota_cli::secrets::Secrets;

/// Lines as servers, clients and profilers write them, with the words that a secret may stand beside.
static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut log = String::new();
    for line in 0..60_000_u32 {
        let hash = line.wrapping_mul(2_654_435_761);
        match line % 4 {
            0 => writeln!(
                log,
                "INFO 11-24 07:54:10 [loggers.py:123] Engine 000: Avg prompt throughput: {}.1 tokens/s, \
                 Running: {} reqs, GPU KV cache usage: 3.1%, Prefix cache hit rate: 0.0%",
                hash % 9_999,
                hash % 64
            ),
            1 => writeln!(
                log,
                "{{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"void cutlass::gemm_{hash:x}\",\"ts\":{line}.123,\
                 \"dur\":3.2,\"args\":{{\"stream\":7,\"correlation\":{line}}}}}"
            ),
            2 => writeln!(log, "\"input_lens\": [{hash}, {line}], \"total_output_tokens\": {hash},"),
            _ => writeln!(log, "vllm serve m --api-key $KEY --max-num-batched-tokens {hash} # {hash:x}"),
        }
        .unwrap();
    }
    log.into_bytes()
});

fn main() {
    divan::main();
}

#[divan::bench]
fn look_through(bencher: Bencher) {
    let secrets = Secrets::among([("A_TOKEN".into(), "a1b2c3d4e5f6g7h8".into())]);
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench_local(|| {
        let mut sieve = secrets.sieve();
        let mut cleared = Vec::new();
        for chunk in LOG.chunks(64 * 1024) {
            cleared.clear();
            assert!(sieve.feed(chunk, &mut cleared).is_empty());
        }
        assert!(sieve.finish(&mut cleared).is_empty());
    });
}

#[divan::bench]
fn search_for_a_byte(bencher: Bencher) {
    bencher.counter(BytesCount::of_slice(&LOG[..])).bench(|| memchr::memchr(0, black_box(&LOG)));
}
