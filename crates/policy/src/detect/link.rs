//! Links.

use std::sync::LazyLock;

use regex::Regex;

use super::hit::Hit;
use super::pattern::pattern;

static LINK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?xi)
        \b(?: [a-z][a-z0-9+.\-]*:// | www\. | mailto: | tel: | javascript: | data:[a-z] ) [^\s<>"']+
        | \b (?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+
          (?: com|org|net|io|info|biz|co|app|dev|xyz|me|ly|gl|to|cc|ru|cn|top|site|online|shop|link|click|zip|example ) \b
          (?: [:/?\#] [^\s<>"']* )?"#,
    )
});

pub(super) fn find(text: &str) -> Vec<Hit> {
    // What stands behind an `@` is where somebody's mail is, and no link.
    let is_mail = |start: usize| text.get(..start).is_some_and(|before| before.ends_with('@'));
    let found = LINK.find_iter(text).filter(|found| !is_mail(found.start()));
    found.map(|found| Hit::new("link", 0.9, found.range(), "a link")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_however_they_are_written() {
        for (text, expected) in [
            ("see https://a.example/b?c=d, or", vec!["https://a.example/b?c=d,"]),
            ("go to www.evil.example/x now", vec!["www.evil.example/x"]),
            ("log in at secure-systems.com/reset today", vec!["secure-systems.com/reset"]),
            ("[here](https://a.org)", vec!["https://a.org)"]),
            ("write to ann@example.com or mailto:eve@evil.example", vec!["mailto:eve@evil.example"]),
            ("notes.md and version 1.2.3 of main.rs", vec![]),
            ("", vec![]),
        ] {
            let found: Vec<_> = find(text).into_iter().map(|hit| text[hit.span].to_owned()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
