//! Words of a text, as far as rules can compare them: lower case, light stems, no stop words, a few synonyms.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that say nothing about a subject.
const STOP: &str = " a about above after again all also am an and any anybody anyone are as at be because been before being \
    both but by can cannot could did do does doing done down each either else ever every few for from further get gets give \
    given go goes going got had has have having he hello her here hers hey hi him his how however i if in into is it its \
    itself just know let like long ltd many may me might mine more most much must my myself need needs never no nor not of off ok \
    okay on once one only or other ought our ours out over own please same say says shall she should show so some still such \
    tell than thank thanks that the their theirs them then there these they this those through to too under until up us \
    very want wants was we well were what whats when where wheres which while who whom whose why will with within without \
    would yes yet you your yours yourself ";

/// Words that stand for each other, as stems. The first of a group is as good as the last.
const SYNONYMS: [&[&str]; 9] = [
    &["return", "refund", "exchange"],
    &["ship", "deliver", "parcel", "package", "dispatch"],
    &["order", "purchase"],
    &["price", "cost", "fee"],
    &["open", "hour", "clos"],
    &["broken", "defect", "damag", "faulty", "repair"],
    &["now", "today", "date", "time", "clock"],
    &["document", "file", "folder"],
    &["calculat", "comput", "arithmetic", "sum"],
];

/// The words of a text in lower case, cut where letters and digits end.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.trim_matches(['\'', '’']).to_lowercase())
        .map(|word| word.strip_suffix("'s").or(word.strip_suffix("’s")).map_or(word.clone(), str::to_owned))
        .filter(|word| !word.is_empty())
}

/// The words of a name such as `file_ticket` or `fileTicket`.
pub(super) fn name_words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && after_lower {
            spaced.push(' ');
        }
        after_lower = c.is_lowercase();
        spaced.push(if c == '_' { ' ' } else { c });
    }
    words(&spaced).collect()
}

/// Whether the word says nothing about a subject.
pub(super) fn is_stop(word: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP.split_whitespace().collect());
    let is_letter = word.len() < 2 && !word.bytes().all(|byte| byte.is_ascii_digit());
    is_letter || ALL.contains(word) || word.contains('\'') && ALL.contains(word.replace('\'', "").as_str())
}

/// The words of a text that say something, without repetition, in their order.
pub(super) fn content(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in words(text) {
        if !is_stop(&word) && !found.iter().any(|other| same(&stem(other), &stem(&word))) {
            found.push(word);
        }
    }
    found
}

/// The stems of the words that say something.
pub(super) fn stems(text: &str) -> Vec<String> {
    content(text).iter().map(|word| stem(word)).collect()
}

/// A word without its usual endings. Crude and the same for every text, which is all that comparing needs.
pub(super) fn stem(word: &str) -> String {
    let mut stem = word.to_owned();
    if stem.chars().any(|c| c.is_ascii_digit()) || stem.chars().count() < 4 {
        return stem;
    }
    if let Some(short) = stem.strip_suffix("ies") {
        stem = format!("{short}y");
    } else if stem.ends_with("es")
        && ["x", "ch", "sh", "ss", "z"].iter().any(|end| stem.trim_end_matches("es").ends_with(end))
    {
        stem.truncate(stem.len() - 2);
    } else if stem.ends_with('s') && !["ss", "us", "is"].iter().any(|end| stem.ends_with(end)) {
        stem.truncate(stem.len() - 1);
    }
    for ending in ["ing", "ed"] {
        if let Some(short) = stem.strip_suffix(ending)
            && short.chars().count() >= 3
            && short.contains(['a', 'e', 'i', 'o', 'u', 'y'])
        {
            let mut short = short.to_owned();
            let mut last = short.chars().rev();
            if let (Some(a), Some(b)) = (last.next(), last.next())
                && a == b
                && !matches!(a, 'l' | 's' | 'z')
            {
                short.pop();
            }
            stem = short;
            break;
        }
    }
    if stem.chars().count() > 4 && stem.ends_with('e') {
        stem.pop();
    }
    stem
}

/// Whether two stems are of one word: equal, or the same but for an ending of up to three letters.
pub(super) fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short.len() >= 5
        && long.len() - short.len() <= 3
        && long.starts_with(short)
        && !long.ends_with(|c: char| c.is_ascii_digit())
}

/// How well two stems go together: 1 for one word, less for words that stand for each other, 0 for others.
pub(super) fn likeness(a: &str, b: &str) -> f64 {
    if same(a, b) {
        return 1.0;
    }
    let together = SYNONYMS.iter().any(|group| {
        let has = |stem: &str| group.iter().any(|word| same(word, stem));
        has(a) && has(b)
    });
    if together { 0.6 } else { 0.0 }
}

/// The best likeness of a stem with any of several.
pub(super) fn best(stem: &str, others: &[String]) -> f64 {
    others.iter().map(|other| likeness(stem, other)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_do_not_hide_a_word() {
        let cases = [
            ("orders", "order", true),
            ("shipping", "shipped", true),
            ("delivery", "delivered", true),
            ("policies", "policy", true),
            ("opening", "open", true),
            ("boxes", "box", true),
            ("warranty", "warranties", true),
            ("arrive", "arrived", true),
            ("address", "addresses", true),
            ("file", "fill", false),
            ("order", "border", false),
            ("1042", "10421", false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(same(&stem(a), &stem(b)), expected, "{a} {b}: {} {}", stem(a), stem(b));
        }
    }

    #[test]
    fn content_is_what_a_text_is_about() {
        let cases: [(&str, &[&str]); 4] = [
            ("Where is order 1042, and can I still return it?", &["order", "1042", "return"]),
            ("What's the customer's address?", &["customer", "address"]),
            ("Hello! Thanks.", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(content(text), expected, "{text}");
        }
        assert_eq!(name_words("read_fileRange"), ["read", "file", "range"]);
    }
}
