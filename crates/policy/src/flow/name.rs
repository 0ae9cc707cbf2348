//! The words in names of tools, arguments and fields, and what kind of thing they speak of.

/// Words of names that say that a thing is meant, and not which kind of thing.
const FILLERS: &[&str] = &[
    "id",
    "ids",
    "identifier",
    "number",
    "no",
    "nr",
    "num",
    "key",
    "ref",
    "reference",
    "uuid",
    "guid",
    "code",
    "name",
    "the",
    "of",
    "by",
    "to",
    "for",
    "from",
    "with",
    "in",
    "on",
    "new",
    "old",
    "value",
];

/// Verbs that names of tools begin with.
const VERBS: &[&str] = &[
    "get", "list", "find", "search", "read", "fetch", "look", "lookup", "show", "query", "load", "open",
    "view", "create", "add", "make", "insert", "post", "put", "send", "write", "update", "set", "edit",
    "change", "patch", "delete", "remove", "cancel", "close", "move", "copy", "share", "download", "upload",
    "all", "up", "recent", "most", "check",
];

/// The words of a name in small letters and in the singular: `fileId`, `file_ids` and `File-ID` are `file`, `id`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_small = false;
    let mut fresh = true;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            (fresh, was_small) = (true, false);
            continue;
        }
        if fresh || (was_small && c.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        (fresh, was_small) = (false, c.is_lowercase() || c.is_numeric());
    }
    words.iter().map(|word| singular(word)).collect()
}

/// A word in the singular, as far as English rules tell it.
pub(super) fn singular(word: &str) -> String {
    if word.len() > 4
        && let Some(stem) = word.strip_suffix("ies")
    {
        return format!("{stem}y");
    }
    if let Some(stem) = word.strip_suffix("es")
        && ["ss", "x", "ch", "sh"].iter().any(|end| stem.ends_with(end))
    {
        return stem.to_owned();
    }
    if word.len() > 2
        && word.ends_with('s')
        && !["ss", "us", "is", "as"].iter().any(|end| word.ends_with(end))
    {
        return word.trim_end_matches('s').to_owned();
    }
    word.to_owned()
}

/// What kind of thing an argument or a field speaks of: its own words; where they say nothing (`id`), those of what is
/// around it.
pub(super) fn kinds<'a>(name: &str, around: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let own = of_a_thing(name);
    if !own.is_empty() {
        return own;
    }
    around.into_iter().map(of_a_thing).find(|words| !words.is_empty()).unwrap_or_default()
}

/// The words of a name that say which kind of thing it is.
fn of_a_thing(name: &str) -> Vec<String> {
    let says = |word: &String| !FILLERS.contains(&word.as_str()) && !VERBS.contains(&word.as_str());
    words(name).into_iter().filter(says).collect()
}

/// Whether a name says that its value tells one thing from others: `id`, `order_number`, `fileKey`.
pub(super) fn is_identifier(name: &str) -> bool {
    const LAST: &[&str] =
        &["id", "identifier", "number", "no", "nr", "key", "ref", "reference", "uuid", "guid"];
    words(name).last().is_some_and(|last| LAST.contains(&last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        for (name, expected) in [
            ("fileId", "file id"),
            ("file_ids", "file id"),
            ("File-ID", "file id"),
            ("cc", "cc"),
            ("addresses", "address"),
            ("companies", "company"),
            ("status", "status"),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn the_kind_of_a_thing_is_in_its_name_or_around_it() {
        for (name, around, expected) in [
            ("order_id", vec!["get_invoice"], "order"),
            ("id", vec!["get_invoice"], "invoice"),
            ("number", vec!["order"], "order"),
            ("id", vec!["files", "search_everything"], "file"),
            ("id", vec![], ""),
        ] {
            assert_eq!(kinds(name, around).join(" "), expected, "{name}");
        }
        assert!(is_identifier("orderNumber") && is_identifier("id") && !is_identifier("title"));
    }
}
