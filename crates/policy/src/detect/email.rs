//! Addresses of e-mail.

use std::sync::LazyLock;

use regex::Regex;

use super::hit::Hit;
use super::pattern::pattern;

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)
        [A-Za-zÀ-ӿ0-9._%+'\-]+
        \s?(?:@|\(at\)|\[at\])\s?
        (?:[A-Za-zÀ-ӿ0-9][A-Za-zÀ-ӿ0-9\-]*(?:\.|\s?(?:\(dot\)|\[dot\])\s?))+
        [A-Za-zÀ-ӿ]{2,24}",
    )
});

pub(super) fn find(text: &str) -> Vec<Hit> {
    let found = EMAIL.find_iter(text).map(|found| {
        let plain = found.as_str().contains('@') && !found.as_str().contains(char::is_whitespace);
        Hit::new("email", if plain { 0.95 } else { 0.6 }, found.range(), "an address of e-mail")
    });
    found.collect()
}
