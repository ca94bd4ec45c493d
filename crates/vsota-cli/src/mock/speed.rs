//! How fast is the mock server, and how does it fail?

use std::time::Duration;

/// The speed of a mock server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Time to the first token of a request that is served at once, in ms.
    pub ttft_ms: f64,
    /// Time per output token after the first, in ms.
    pub tpot_ms: f64,
    /// What a prompt token adds to the time to the first token, in µs.
    pub prefill_us: f64,
    /// Requests that are served at once; others wait.
    pub concurrency: usize,
    /// How far a launch is off on average, in percent: one factor for all its requests.
    pub noise_percent: f64,
}

/// How a mock server goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Crash {
    /// It says that memory ran out, and ends.
    Oom,
    /// It says that it knows a flag not, and ends.
    Argument,
    /// It says that its port is taken, and ends.
    Port,
    /// It says that there is no memory for the KV cache, and ends.
    Kv,
    /// It never listens.
    Hang,
    /// It says that it is up before it can serve: completions are answered with 503.
    Lies,
    /// It says that it is up, and refuses completions with 404.
    Refuses,
    /// It never stops logging.
    Chatter,
    /// It ends with code 0 after some requests.
    Dies,
    /// It leaves a process behind that has a session of its own.
    Orphan,
}

impl Speed {
    /// The factor of one launch: 1 on average, off by the noise.
    pub fn factor(&self, random: &mut fastrand::Rng) -> f64 {
        // Twelve uniform numbers are near enough to a normal one, and never far out.
        let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        (self.noise_percent / 100.0 * normal).exp()
    }

    /// When token `index`, from 0, of a request is due, after the request was begun.
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn due(&self, prompt_tokens: u64, index: u32, factor: f64) -> Duration {
        let prefill = self.prefill_us / 1_000.0 * prompt_tokens as f64;
        let ms = (self.ttft_ms + prefill + self.tpot_ms * f64::from(index)) * factor;
        Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(Duration::MAX)
    }
}

impl Crash {
    /// What the log says of a start that fails, as a framework would put it.
    pub fn last_words(self) -> Option<&'static str> {
        match self {
            Self::Oom => Some("torch.OutOfMemoryError: CUDA out of memory. (mock)"),
            Self::Argument => Some("vllm: error: unrecognized arguments: --made-up (mock)"),
            Self::Port => Some("OSError: [Errno 98] Address already in use (mock)"),
            Self::Kv => Some("ValueError: No available memory for the cache blocks. (mock)"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: Speed =
        Speed { ttft_ms: 20.0, tpot_ms: 2.0, prefill_us: 1.0, concurrency: 8, noise_percent: 1.0 };

    #[test]
    fn tokens_are_due_one_after_the_other() {
        assert_eq!(SPEED.due(1_000, 0, 1.0), Duration::from_millis(21));
        assert_eq!(SPEED.due(0, 10, 1.0), Duration::from_millis(40));
        assert_eq!(SPEED.due(0, 10, 1.5), Duration::from_millis(60));
    }

    #[test]
    fn launches_differ_by_the_noise() {
        let mut random = fastrand::Rng::with_seed(7);
        let factors: Vec<f64> = (0..2_000).map(|_| SPEED.factor(&mut random).ln()).collect();
        let mean = factors.iter().sum::<f64>() / 2_000.0;
        let sd = (factors.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 2_000.0).sqrt();
        assert!(mean.abs() < 0.001 && (0.009..0.011).contains(&sd), "{mean} {sd}");
    }
}
