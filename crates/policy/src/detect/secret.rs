//! Secrets: keys of known shapes, private keys, what is called a password, and what is too random to be a word.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

use super::hit::Hit;
use super::pattern::pattern;

/// The shapes of keys as their issuers publish them, each with what it is.
const SHAPES: &[(&str, f64, &str)] = &[
    (
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
        1.0,
        "a private key",
    ),
    (r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b", 0.95, "an access key of AWS"),
    (r"\bgh[pousr]_[A-Za-z0-9]{36,}\b", 0.99, "a token of GitHub"),
    (r"\bgithub_pat_[A-Za-z0-9_]{22,}\b", 0.99, "a token of GitHub"),
    (r"\bgl(?:pat|dt|rt|soat|cbt|ptt)-[A-Za-z0-9_\-]{20,64}", 0.99, "a token of GitLab"),
    (r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}", 0.99, "a token of Slack"),
    (
        r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}",
        0.95,
        "an address that lets anybody write to Slack",
    ),
    (r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}\b", 0.99, "a key of Stripe"),
    (r"\bwhsec_[A-Za-z0-9+/=]{24,80}", 0.95, "a secret of a webhook"),
    (r"\bAIza[A-Za-z0-9_\-]{35}", 0.95, "a key of Google"),
    (r"\bya29\.[A-Za-z0-9_\-]{20,}", 0.95, "a token of Google"),
    (r"\bsk-(?:ant-|proj-|svcacct-|or-)?[A-Za-z0-9_\-]{20,}", 0.95, "a key of a provider of models"),
    (r"\bhf_[A-Za-z0-9]{30,50}\b", 0.95, "a token of Hugging Face"),
    (r"\bnpm_[A-Za-z0-9]{36}\b", 0.95, "a token of npm"),
    (r"\bpypi-[A-Za-z0-9_\-]{50,}", 0.95, "a token of PyPI"),
    (r"\bSG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64}", 0.95, "a key of SendGrid"),
    (r"\b(?:SK|AC)[0-9a-f]{32}\b", 0.8, "a key of Twilio"),
    (r"\bdo[opr]_v1_[a-f0-9]{64}\b", 0.99, "a token of DigitalOcean"),
    (r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b", 0.99, "a token of Shopify"),
    (r"\bdapi[a-f0-9]{32}\b", 0.95, "a token of Databricks"),
    (r"\bhv[sb]\.[A-Za-z0-9_\-]{24,}", 0.95, "a token of Vault"),
    (r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b", 1.0, "a private key"),
    (r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}", 0.9, "a signed token (JWT)"),
    (r"\b[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s/:@]{1,}:[^\s/@]{3,}@", 0.9, "an address with a password"),
    (r"(?i)\bbearer\s{1,3}[A-Za-z0-9._~+/=\-]{16,}", 0.8, "a bearer token"),
    (
        r#"(?i)\b[a-z0-9_\-]{0,40}(?:passwor[dt]|passwd|passphrase|api[_\- ]?key|access[_\- ]?key|secret[_\- ]?key|client[_\- ]?secret|auth[_\- ]?token|access[_\- ]?token|kennwort)["']?\s{0,3}(?:[:=]|=>|\bis\b|\bist\b)\s{0,3}["']?[^\s"',;]{6,}"#,
        0.7,
        "what is called a secret",
    ),
];

static SET: LazyLock<(RegexSet, Vec<Regex>)> = LazyLock::new(|| {
    let each: Vec<_> = SHAPES.iter().map(|(source, ..)| pattern(source)).collect();
    let set = RegexSet::new(SHAPES.iter().map(|(source, ..)| source)).unwrap_or_else(|_| RegexSet::empty());
    (set, each)
});

static RANDOM: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_=\-]{24,}"));

/// The most of a word that is looked at: what is longer is a picture or a file, not a key.
const LONGEST_RANDOM: usize = 256;

pub(super) fn find(text: &str) -> Vec<Hit> {
    let (set, each) = &*SET;
    let mut hits = Vec::new();
    for index in set.matches(text) {
        if let (Some(shape), Some((_, score, what))) = (each.get(index), SHAPES.get(index)) {
            hits.extend(shape.find_iter(text).map(|found| Hit::new("secret", *score, found.range(), *what)));
        }
    }
    hits.extend(RANDOM.find_iter(text).filter_map(|found| {
        let score = randomness(found.as_str())?;
        Some(Hit::new("secret", score, found.range(), "a word too random to be one"))
    }));
    hits
}

/// How sure a word is random, where it may be: by its entropy, for its alphabet. A digest (all hexadecimal) and a UUID
/// are seldom secrets.
fn randomness(word: &str) -> Option<f64> {
    if word.len() > LONGEST_RANDOM {
        return None;
    }
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    if word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return (word.len() >= 32 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)).then_some(0.3);
    }
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    // A path and a name of several words have parts that are words.
    let longest = word.split(['/', '-', '_', '=', '+']).map(str::len).max().unwrap_or_default();
    if !mixed || longest < 12 {
        return None;
    }
    match entropy(word) {
        bits if bits >= 4.2 => Some(0.7),
        bits if bits >= 3.8 => Some(0.5),
        _ => None,
    }
}

/// The entropy of a word by the frequency of its bytes, in bits a byte.
fn entropy(word: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for byte in word.bytes() {
        *counts.entry(byte).or_insert(0.0) += 1.0;
    }
    let all: f64 = counts.values().sum();
    -counts.values().map(|count: &f64| count / all * (count / all).log2()).sum::<f64>()
}
