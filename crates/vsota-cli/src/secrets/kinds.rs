//! Tokens that show by their first letters what they are.
//!
//! One row a prefix: what follows it, how much of it at least, and whether it may stand inside a
//! word. The rows follow the issuers' documents; a token with none of these prefixes is found by
//! the name beside it, or not at all.

/// A token that is known by its prefix.
#[derive(Debug)]
pub(super) struct Prefix {
    /// What it is, as it stands in `[REDACTED:kind]`.
    pub(super) kind: &'static str,
    /// The first letters, in this very case.
    pub(super) literal: &'static str,
    /// The letters of the rest.
    pub(super) class: fn(u8) -> bool,
    /// The fewest letters of the rest.
    pub(super) least: usize,
    /// Whether a letter or digit before the prefix makes it something else.
    pub(super) alone: bool,
}

pub(super) fn alnum(it: u8) -> bool {
    it.is_ascii_alphanumeric()
}

fn word(it: u8) -> bool {
    alnum(it) || it == b'_'
}

pub(super) fn dashed(it: u8) -> bool {
    word(it) || it == b'-'
}

fn dotted(it: u8) -> bool {
    dashed(it) || it == b'.'
}

fn hex(it: u8) -> bool {
    matches!(it, b'0'..=b'9' | b'a'..=b'f')
}

fn base32(it: u8) -> bool {
    matches!(it, b'A'..=b'Z' | b'2'..=b'7')
}

fn upper(it: u8) -> bool {
    matches!(it, b'A'..=b'Z' | b'0'..=b'9')
}

pub(super) fn base64(it: u8) -> bool {
    alnum(it) || matches!(it, b'+' | b'/' | b'=')
}

fn path(it: u8) -> bool {
    alnum(it) || matches!(it, b'+' | b'/')
}

macro_rules! prefixes {
    ($( $kind:literal $class:ident $least:literal $alone:ident: $($literal:literal)+; )+) => {
        /// Every prefix.
        pub(super) const PREFIXES: &[Prefix] = &[ $($(
            Prefix {
                kind: $kind,
                literal: $literal,
                class: $class,
                least: $least,
                alone: matches!(stringify!($alone).as_bytes(), b"alone"),
            },
        )+)+ ];
    };
}

prefixes! {
    "hugging-face" alnum 34 anywhere: "hf_" "api_org_";
    "hugging-face" dotted 20 anywhere: "hf_oauth_" "hf_jwt_" "hf_app_";
    "openai" alnum 32 alone: "sk-";
    "openai" dashed 20 alone: "sk-proj-" "sk-svcacct-" "sk-service-" "sk-admin-" "sk-None-";
    "openrouter" dashed 20 alone: "sk-or-v";
    "anthropic" dotted 24 alone: "sk-ant-";
    "aws" base32 16 alone: "AKIA" "ASIA" "ABIA" "ACCA";
    "aws" upper 17 alone: "A3T";
    "aws" base64 60 alone: "ABSK";
    "github" alnum 36 alone: "ghp_" "gho_" "ghu_" "ghs_" "ghr_";
    "github" dotted 60 alone: "ghs_";
    "github" word 22 anywhere: "github_pat_";
    "gitlab" dotted 20 anywhere: "glpat-" "gldt-" "glft-" "glsoat-" "glrt-" "glcbt-" "glptt-" "glimt-"
        "glagent-" "gloas-";
    "slack" dashed 10 anywhere: "xoxa-" "xoxb-" "xoxe-" "xoxo-" "xoxp-" "xoxr-" "xoxs-";
    "slack" dashed 20 anywhere: "xapp-";
    "slack" path 30 anywhere: "hooks.slack.com/services/" "hooks.slack.com/workflows/" "hooks.slack.com/triggers/";
    "nvidia" dashed 20 anywhere: "nvapi-";
    "wandb" word 32 anywhere: "wandb_v";
    "groq" alnum 40 alone: "gsk_";
    "replicate" dashed 37 alone: "r8_";
    "google" dashed 35 alone: "AIza";
    "npm" alnum 36 alone: "npm_";
    "pypi" dashed 50 anywhere: "pypi-AgE";
    "docker" dashed 20 anywhere: "dckr_pat_" "dckr_oat_";
    "databricks" hex 32 alone: "dapi";
}
