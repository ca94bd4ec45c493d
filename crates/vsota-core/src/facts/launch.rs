//! When are two launch commands the same launch? Where a server listens, how it is called and in which
//! order its flags come tune nothing. (FB-2)

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::artifact::Digest;
use crate::text::{Argv, Name};

/// Flags that say where a server listens, how it is called, what it logs and which numbers it draws.
const ASIDE: [&str; 44] = [
    "--seed",
    "--random-seed",
    "--host",
    "--port",
    "--nccl-port",
    "--dist-init-addr",
    "--api-key",
    "--served-model-name",
    "--log-level",
    "--log-level-http",
    "--uvicorn-log-level",
    "--disable-uvicorn-access-log",
    "--disable-log-requests",
    "--no-enable-log-requests",
    "--enable-log-requests",
    "--disable-log-stats",
    "--log-requests",
    "--enable-metrics",
    "--uds",
    "--root-path",
    "--master-addr",
    "--master-port",
    "--admin-api-key",
    "--allowed-origins",
    "--allowed-methods",
    "--allowed-headers",
    "--allow-credentials",
    "--disable-fastapi-docs",
    "--response-role",
    "--weight-version",
    "--download-dir",
    "--max-log-len",
    "--log-config-file",
    "--log-requests-level",
    "--log-requests-target",
    "--decode-log-interval",
    "--show-time-cost",
    "--enable-request-id-headers",
    "--enable-log-outputs",
    "--show-hidden-metrics-for-version",
    "--crash-dump-folder",
    "--watchdog-timeout",
    "--dist-timeout",
    "--file-storage-path",
];

/// A launch command that a plan declares.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedLaunch {
    /// What the plan calls it.
    pub id: Name,
    /// What it launches: the digest of the command without what tunes nothing.
    pub launch: Digest,
}

impl PlannedLaunch {
    /// A planned command under its name.
    pub fn new(id: Name, command: &Argv) -> Self {
        Self { id, launch: command.launches() }
    }
}

impl Argv {
    /// What the command launches: equal for two commands that differ only in what tunes nothing.
    pub fn launches(&self) -> Digest {
        Digest::of(self.tuned().join("\0").as_bytes())
    }

    /// The command without what tunes nothing: its program, then its flags in the order of their
    /// names, the last of several.
    fn tuned(&self) -> Vec<String> {
        let script = matches!(self.iter().next(), Some("sh" | "bash"));
        // The script of a shell is one word that holds many.
        let words = self.iter().flat_map(|word| match script {
            true => word.split_whitespace().collect::<Vec<_>>(),
            false => Vec::from([word]),
        });
        let mut program: Vec<String> = Vec::new();
        let mut flags: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut last: Option<String> = None;
        for word in words {
            if let Some(name) = word.strip_prefix("--").filter(|it| !it.is_empty()) {
                let (name, value) = match name.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (name, None),
                };
                let name = alloc::format!("--{}", name.replace('_', "-"));
                flags.insert(name.clone(), value.map(Into::into).into_iter().collect());
                last = Some(name);
            } else if let Some(values) = last.as_ref().and_then(|it| flags.get_mut(it)) {
                values.push(word.into());
            } else {
                program.push(word.into());
            }
        }
        flags.retain(|name, _| !ASIDE.contains(&name.as_str()));
        program.extend(flags.into_iter().flat_map(|(name, values)| {
            let mut words = Vec::from([name]);
            words.extend(values);
            words
        }));
        program
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Line;

    fn launches(line: &str) -> Digest {
        let words: Vec<Line> =
            line.split(' ').filter_map(|it| Line::new(it.replace('~', " ")).ok()).collect();
        words.iter().collect::<Argv>().launches()
    }

    #[test]
    fn what_tunes_nothing_is_no_other_launch() {
        let plain = launches("vllm serve m --dtype bfloat16 --max-num-seqs 64");
        for same in [
            "vllm serve m --max-num-seqs 64 --dtype bfloat16",
            "vllm serve m --dtype=bfloat16 --max_num_seqs 64 --port 8001 --host 0.0.0.0",
            "vllm serve m --max-num-seqs 8 --dtype bfloat16 --max-num-seqs 64",
            "vllm serve m --served-model-name a b --dtype bfloat16 --max-num-seqs 64",
            "vllm serve m --disable-log-requests --dtype bfloat16 --max-num-seqs 64 --port=1",
            "vllm serve m --dtype bfloat16 --max-num-seqs 64 --seed 7 --max-log-len=9",
            "vllm serve m --random_seed 1 --dtype bfloat16 --max-num-seqs 64 --watchdog-timeout 9",
        ] {
            assert_eq!(launches(same), plain, "{same}");
        }
        for other in [
            "vllm serve m --dtype bfloat16 --max-num-seqs 128",
            "vllm serve m --dtype bfloat16 --max-num-seqs 64 --async-scheduling",
            "vllm serve n --dtype bfloat16 --max-num-seqs 64",
            "VLLM_X=1 vllm serve m --dtype bfloat16 --max-num-seqs 64",
        ] {
            assert_ne!(launches(other), plain, "{other}");
        }
        let shell = launches("bash -c vllm~serve~m~--port~1~--max-num-seqs~64");
        assert_eq!(shell, launches("bash -c vllm~serve~m~--max-num-seqs~64~--port~2"));
        assert_ne!(shell, launches("bash -c vllm~serve~m~--max-num-seqs~65~--port~2"));
    }
}
