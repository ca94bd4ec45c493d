//! No secret reaches an artefact, and nothing harmless is kept from being one (SE-1).

use std::collections::BTreeMap;
use std::ffi::OsString;

use proptest::prelude::*;
use vsota_cli::secrets::Secrets;

/// Letters that no two calls have in common; the repository holds no token, not even a made-up one.
struct Seed(u64);

impl Seed {
    fn letters(&mut self, alphabet: &str, count: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut letter = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            alphabet[(self.0 >> 33) as usize % alphabet.len()]
        };
        (0..count).map(|_| letter()).collect()
    }

    fn alnum(&mut self, count: usize) -> String {
        self.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", count)
    }

    fn hex(&mut self, count: usize) -> String {
        self.letters("0123456789abcdef", count)
    }
}

/// One token of each kind, and the kind that it is.
fn tokens(seed: &mut Seed) -> Vec<(&'static str, String)> {
    let mut tokens = Vec::new();
    for (kind, prefix, rest) in [
        ("hugging-face", "hf", 34),
        ("openai", "sk", 48),
        ("groq", "gsk", 52),
        ("npm", "npm", 36),
        ("github", "ghp", 36),
        ("nvidia", "nvapi", 64),
        ("gitlab", "glpat", 20),
        ("docker", "dckr_pat", 27),
        ("google", "AIza", 35),
        ("replicate", "r8", 37),
    ] {
        let joint = match kind {
            "openai" | "nvidia" | "gitlab" | "docker" => "-",
            "google" => "",
            _ => "_",
        };
        let joint = if kind == "docker" { "_" } else { joint };
        tokens.push((kind, format!("{prefix}{joint}{}", seed.alnum(rest))));
    }
    tokens.push((
        "aws",
        format!("AK{}{}", "IA", seed.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
    ));
    tokens.push(("databricks", format!("da{}{}", "pi", seed.hex(32))));
    tokens.push(("anthropic", format!("sk-{}-api03-{}", "ant", seed.alnum(90))));
    let part = |seed: &mut Seed| format!("eyJ{}", seed.alnum(40));
    tokens.push(("jwt", format!("{}.{}.{}", part(seed), part(seed), seed.alnum(60))));
    tokens
}

/// The places where a token stands in logs, commands and results.
fn places(token: &str) -> Vec<String> {
    let escaped = format!("{{\"log\":\"{{\\\"token\\\":\\\"{token}\\\"}}\"}}");
    vec![
        format!("The key was {token}."),
        format!("a={token}, b"),
        format!("`{token}`"),
        format!("login({token})"),
        format!("vllm serve m --hf_token {token} --tp 8"),
        format!("export HF_TOKEN=\"{token}\""),
        format!("GET /x?token={token}&full=1"),
        format!("| chat | {token} | 1.0 |"),
        format!("Authorization: Bearer {token}\r\n"),
        format!("\u{1b}[33m{token}\u{1b}[0m loaded"),
        format!("PATH=/bin\0HF_TOKEN={token}\0HOME=/root\0"),
        escaped,
    ]
}

fn none() -> Secrets {
    Secrets::among([])
}

#[test]
fn every_kind_is_taken_out_of_every_place() {
    let mut seed = Seed(7);
    for (kind, token) in tokens(&mut seed) {
        for text in places(&token) {
            let (clean, hits) = none().clean(text.as_bytes());
            let clean = String::from_utf8(clean).unwrap();
            assert!(!clean.contains(&token), "{kind} stays in {clean}");
            assert!(clean.contains(&format!("[REDACTED:{kind}]")), "{kind} is missing: {clean}");
            assert_eq!(hits.len(), 1, "{clean}");
        }
    }
}

#[test]
fn a_hidden_token_is_found_all_the_same() {
    let mut seed = Seed(11);
    for (kind, token) in tokens(&mut seed).into_iter().filter(|it| it.0 != "jwt") {
        let (head, tail) = token.split_at(token.len() - 12);
        let percent: String = token.bytes().map(|it| format!("%{it:02X}")).collect();
        let wide: String = token.chars().flat_map(|it| [it, '\0']).collect();
        for text in
            [format!("{head}\u{1b}[0m{tail}"), format!("{head}\u{200b}{tail}"), percent, wide]
        {
            assert!(none().find(&text).is_some(), "{kind} in {text:?}");
        }
    }
}

#[test]
fn a_secret_without_a_prefix_is_told_by_what_stands_beside_it() {
    let mut seed = Seed(13);
    let value = seed.alnum(24);
    for text in [
        format!("\"api_key\": \"{value}\""),
        format!("client_secret={value}"),
        format!("vllm serve m --api-key {value} --port 8000"),
        format!("Namespace(host='0.0.0.0', api_key=['{value}'], model='m')"),
        format!("machine h\n  login user\n  password {value}"),
        format!("postgres://bench:{value}@10.0.0.5:5432/runs"),
        format!("sshpass -p '{value}' ssh gpu07"),
        format!("docker login nvcr.io -u '$oauthtoken' -p {value}"),
        format!("curl -u user:{value} http://h/"),
        format!("AccountName=a;AccountKey={value}==;EndpointSuffix=e"),
        format!(
            "-----BEGIN RSA PRIVATE {}-----\n{value}\n{value}\n-----END RSA PRIVATE KEY-----",
            "KEY"
        ),
    ] {
        let (clean, _) = none().clean(text.as_bytes());
        let clean = String::from_utf8(clean).unwrap();
        assert!(!clean.contains(&value), "{clean}");
    }
}

#[test]
fn what_only_looks_like_a_secret_is_left_alone() {
    let mut seed = Seed(17);
    let (sha, uuid) = (seed.hex(40), seed.hex(12));
    for text in [
        format!("vLLM 0.33.0 (rev {sha})"),
        format!("\"_commit_hash\": \"{sha}\""),
        format!("request_id=74be40b2-07c9-4861-a300-{uuid}"),
        format!("\"artifact_sha256\":\"{sha}{}\"", seed.hex(24)),
        format!("{{\"blob\":\"{}\"}}", seed.alnum(120)),
        format!("compile_cache_key: {sha}"),
        "Authorization: Bearer $HF_TOKEN".into(),
        "hf_hub_download(repo_id=\"meta-llama/Llama-3.1-8B\")".into(),
        "hf_model_moe_decode_layer75_weight_scale_inv".into(),
        "\"key\": \"sm90_fp8_gemm_1d2d_impl\"".into(),
        "max_tokens=3958, num_tokens: 700887, token_throughput: 6135.58 tok/s".into(),
        "token_ids: [128000, 9906, 1917] tokenizer=meta-llama/Llama-3.1-8B".into(),
        "https://user@github.com/vllm-project/vllm.git http://127.0.0.1:8000/v1".into(),
        "OPENAI_API_KEY=\"dummy\" HF_TOKEN=*** api_key='token-abc123' api_key=None".into(),
        "_ZN7cutlass13device_kernelIN5flash11enable_sm90INS1_16FlashAttnFwdSm90".into(),
    ] {
        assert_eq!(none().find(&text), None, "{text}");
    }
}

#[test]
fn what_this_machine_knows_is_found_in_every_form() {
    let mut seed = Seed(19);
    // A value of no known form, with letters that JSON and URLs spell differently.
    let value = format!("{}/\"+{}", seed.alnum(11), seed.alnum(10));
    let secrets = Secrets::among([("MY_TOKEN".into(), OsString::from(&value))]);
    let json = serde_json::to_string(&value).unwrap();
    let percent: String = value.bytes().map(|it| format!("%{it:02X}")).collect();
    for text in [value.clone(), json, percent] {
        let hit = secrets.find(format!("one\ntwo {text} three")).unwrap();
        assert_eq!(hit.line, 2);
        assert!(!format!("{hit:?}{secrets:?}{:?}", hit.failure()).contains(&value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_a_stream_is_cut_changes_nothing(
        seed in any::<u64>(),
        fill in 60_000_usize..80_000,
        cuts in proptest::collection::vec(1_usize..40_000, 1..12),
    ) {
        let mut seed = Seed(seed);
        let mut text = String::new();
        while text.len() < 2 * fill {
            for (_, token) in tokens(&mut seed) {
                text.push_str(&format!("line {} {token}\n", seed.alnum(40)));
            }
            let noise = seed.letters("abc \n", fill / 3);
            text.push_str(&noise);
        }
        let (whole, hits) = none().clean(text.as_bytes());
        let secrets = none();
        let mut sieve = secrets.sieve();
        let (mut cut, mut found) = (Vec::new(), Vec::new());
        let mut rest = text.as_bytes();
        for size in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*size).min(rest.len()));
            found.extend(sieve.feed(now, &mut cut));
            rest = later;
        }
        found.extend(sieve.finish(&mut cut));
        prop_assert_eq!(found, hits);
        prop_assert!(whole == cut);
    }
}

#[test]
fn the_filter_passes_what_is_clean_and_counts_the_rest() {
    let mut seed = Seed(23);
    let (kind, token) = tokens(&mut seed).remove(0);
    let noise = vec![0xFF_u8; 300_000];
    let world = crate::world::World::empty();
    let from = world.root.join("log");
    std::fs::write(&from, [&noise[..], format!("\nkey {token}\n").as_bytes()].concat()).unwrap();
    let stdin = std::fs::File::open(&from).unwrap();
    let ended = crate::world::vsota().arg("redact").stdin(stdin).output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(
        ended.stdout,
        [&noise[..], format!("\nkey [REDACTED:{kind}]\n").as_bytes()].concat()
    );
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), format!("redacted: 1 {kind}\n"));
}

/// The corpus of the reference, where it is: every plain secret, and at most 1 % false alarms.
#[test]
fn the_corpus_is_covered() {
    let place =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference/secrets-dev.jsonl.gz");
    let Ok(packed) = std::fs::File::open(place) else {
        println!("skipped: the secrets corpus is not here");
        return;
    };
    let unpacked = std::process::Command::new("gzip").arg("-dc").stdin(packed).output();
    let Ok(unpacked) = unpacked else {
        println!("skipped: gzip is not here");
        return;
    };
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut missed = Vec::new();
    for row in String::from_utf8(unpacked.stdout).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let text = row["text"].as_str().unwrap();
        let (clean, hits) = none().clean(text.as_bytes());
        let clean = String::from_utf8_lossy(&clean);
        let (group, good) = match row["secret"].as_str() {
            None => ("clean", hits.is_empty()),
            // The hidden ones stand in the text in another form: found is what counts.
            Some(_) if row["hard"] == true => ("hard", !hits.is_empty()),
            Some(secret) => ("plain", !hits.is_empty() && !clean.contains(secret)),
        };
        let count = counts.entry(group).or_default();
        count.0 += u32::from(good);
        count.1 += 1;
        if !good {
            missed.push(format!("{group} {} {}: {clean}", row["id"], row["kind"]));
        }
    }
    println!("{counts:?}\n{}", missed.join("\n"));
    assert_eq!(counts["plain"].0, counts["plain"].1);
    assert!((counts["clean"].1 - counts["clean"].0) * 100 <= counts["clean"].1);
    assert!(counts["hard"].0 >= 8);
}

#[test]
fn what_json_spells_out_is_found() {
    let mut seed = Seed(29);
    for (kind, token) in tokens(&mut seed).into_iter().filter(|it| it.0 != "jwt") {
        let spelled = format!("{{\"reason\":\"\\u{:04x}{}\"}}", token.as_bytes()[0], &token[1..]);
        let (clean, hits) = none().clean(spelled.as_bytes());
        assert_eq!(hits.len(), 1, "{kind}: {}", String::from_utf8_lossy(&clean));
        assert!(!String::from_utf8_lossy(&clean).contains(&token[1..]), "{kind}");
    }
}
