//! The flags of a framework's command that the mock stands in for.

use vsota_core::facts::Framework;

/// The words of a command.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(pub &'a [String]);

impl<'a> Words<'a> {
    /// The value of a flag under any of its names; the last one counts.
    pub fn value(self, names: &[&str]) -> Option<&'a str> {
        let mut found = None;
        let mut words = self.0.iter();
        while let Some(word) = words.next() {
            let (flag, joined) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word.as_str(), None),
            };
            if names.iter().any(|it| alike(flag, it)) {
                found = joined.or_else(|| words.as_slice().first().map(String::as_str));
            }
        }
        found
    }

    /// The number that a flag gives.
    pub fn number<T: std::str::FromStr>(self, names: &[&str]) -> Option<T> {
        self.value(names)?.parse().ok()
    }

    /// Whose server or client the command is.
    pub fn framework(self) -> Option<Framework> {
        self.0.iter().find_map(|word| {
            let name = word.rsplit('/').next().unwrap_or(word);
            match name.split('.').next().unwrap_or(name) {
                "vllm" => Some(Framework::Vllm),
                "sglang" => Some(Framework::Sglang),
                "trtllm-serve" | "tensorrt_llm" => Some(Framework::TensorrtLlm),
                _ => None,
            }
        })
    }

    /// The model: a flag's, or the word after `serve`.
    pub fn model(self) -> Option<&'a str> {
        let named = || {
            let mut words = self.0.iter().skip_while(|it| *it != "serve").skip(1);
            words.next().map(String::as_str).filter(|it| !it.starts_with('-'))
        };
        self.value(&["--model", "--model-path"]).or_else(named)
    }
}

/// `--max-num-seqs` and `--max_num_seqs` are one.
fn alike(flag: &str, name: &str) -> bool {
    let unified = |c: u8| if c == b'_' { b'-' } else { c };
    flag.bytes().map(unified).eq(name.bytes().map(unified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_whose_it_is_and_what_its_flags_are() {
        for (line, framework, model) in [
            ("vllm serve a/b --port 8000 --port=8012", Framework::Vllm, "a/b"),
            (
                "python -m sglang.launch_server --model-path a/b --port 8012",
                Framework::Sglang,
                "a/b",
            ),
            ("trtllm-serve serve a/b --backend pytorch --port 8012", Framework::TensorrtLlm, "a/b"),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let words = Words(&words);
            assert_eq!(words.framework(), Some(framework), "{line}");
            assert_eq!(words.model(), Some(model), "{line}");
            assert_eq!(words.number::<u16>(&["--port"]), Some(8_012), "{line}");
            assert_eq!(words.value(&["--dtype"]), None);
        }
    }
}
