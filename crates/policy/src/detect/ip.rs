//! Addresses of the internet protocol.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

use super::hit::Hit;
use super::pattern::pattern;

static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9A-Za-z_.:]+"));

pub(super) fn find(text: &str) -> Vec<Hit> {
    let found = CANDIDATE.find_iter(text).filter_map(|found| {
        let word = found.as_str().trim_end_matches(['.', ':']).trim_start_matches('.');
        let start = found.start() + (found.as_str().len() - found.as_str().trim_start_matches('.').len());
        let (length, score) = length(word)?;
        Some(Hit::new("ip", score, start..start + length, "an address of the internet protocol"))
    });
    found.collect()
}

/// How long the address is that a word is or begins with, and how sure that is one.
fn length(word: &str) -> Option<(usize, f64)> {
    // A port may follow.
    let host = word.split_once(':').map_or(word, |(host, _)| host);
    if host.len() <= 15 && host.parse::<Ipv4Addr>().is_ok() {
        // Four numbers may also be a version.
        return Some((host.len(), 0.7));
    }
    let groups = word.split(':').filter(|group| !group.is_empty()).count();
    (word.len() <= 45 && groups >= 3 && word.parse::<Ipv6Addr>().is_ok()).then_some((word.len(), 0.9))
}
