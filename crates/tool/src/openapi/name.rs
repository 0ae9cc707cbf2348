//! Names that models may use, made of names that a document uses. Pure.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::hash::Digest;

/// How many digits tell two operations apart whose names would be the same.
const DIGITS: usize = 6;
/// The longest name of an argument that every provider takes.
const LONGEST_ARGUMENT: usize = 64;

/// An operation, as far as its name goes.
pub(super) struct Named<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

/// The names of the tools, in the order of the operations. One is the same whichever other operations are chosen, since
/// all of the document are given here; two that would be the same are told apart by a digest of their addresses.
pub(super) fn tools(operations: &[Named<'_>], longest: usize) -> Vec<String> {
    let plain: Vec<String> = operations.iter().map(plain).collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    plain.iter().for_each(|name| *count.entry(name).or_default() += 1);
    let named = operations.iter().zip(&plain).map(|(operation, name)| {
        let is_unique = count.get(name.as_str()) == Some(&1);
        match is_unique && name.len() <= longest {
            true => name.clone(),
            false => {
                let digest = Digest::of_parts(&[operation.method.as_bytes(), operation.path.as_bytes()]);
                let room = longest.saturating_sub(DIGITS + 1);
                let start: String = name.chars().take(room).collect();
                format!(
                    "{}_{}",
                    start.trim_end_matches('_'),
                    digest.to_string().chars().take(DIGITS).collect::<String>()
                )
            }
        }
    });
    named.collect()
}

fn plain(operation: &Named<'_>) -> String {
    let name = match operation.id {
        Some(id) => legal(id),
        None => legal(&format!("{}_{}", operation.method, operation.path)),
    };
    // An id without one letter or digit that is allowed in names.
    if name.is_empty() { legal(&format!("{}_{}", operation.method, operation.path)) } else { name }
}

/// The letters, digits, `_` and `-` of a text; what stands between them becomes one `_`.
fn legal(text: &str) -> String {
    let mut name = String::with_capacity(text.len().min(256));
    for character in text.chars().take(1_000) {
        if character.is_ascii_alphanumeric() || character == '-' {
            name.push(character);
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    name
}

/// The names of arguments that are taken.
#[derive(Default)]
pub(super) struct Arguments(BTreeSet<String>);

impl Arguments {
    /// A name for what a document calls `name`: that, if it is legal and free, otherwise one that begins with where it
    /// stands.
    pub(super) fn take(&mut self, name: &str, place: &str) -> String {
        let plain: String = legal_argument(name);
        let mut candidates = std::iter::once(plain.clone())
            .chain(std::iter::once(format!("{place}_{plain}")))
            .chain((2..).map(|number| format!("{place}_{plain}_{number}")));
        let fits =
            |name: &String| !name.is_empty() && name.len() <= LONGEST_ARGUMENT && !self.0.contains(name);
        // INVARIANT: the numbers do not end, and a name is short enough for some of them.
        let name = candidates.find(fits).unwrap_or(plain);
        self.0.insert(name.clone());
        name
    }
}

fn legal_argument(name: &str) -> String {
    const ROOM: usize = LONGEST_ARGUMENT - 16;
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let name: String = name.chars().map(|c| if is_legal(c) { c } else { '_' }).collect();
    let name = name.trim_end_matches('_');
    name.chars().take(if name.len() > LONGEST_ARGUMENT { ROOM } else { LONGEST_ARGUMENT }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(operations: &[(&str, &str, &str)], longest: usize) -> Vec<String> {
        let named: Vec<_> = operations
            .iter()
            .map(|(id, method, path)| Named { id: Some(*id).filter(|id| !id.is_empty()), method, path })
            .collect();
        tools(&named, longest)
    }

    #[test]
    fn names_are_legal_unique_and_stable() {
        let all = [
            ("repos/get", "get", "/repos/{owner}"),
            ("", "get", "/orders/{number}/lines"),
            ("same", "get", "/a"),
            ("same", "get", "/b"),
            ("näme", "get", "/c"),
            ("***", "get", "/d"),
        ];
        let names = names(&all, 64);
        assert_eq!(names[0], "repos_get");
        assert_eq!(names[1], "get_orders_number_lines");
        assert!(names[2].starts_with("same_") && names[3].starts_with("same_") && names[2] != names[3]);
        assert_eq!((names[4].as_str(), names[5].as_str()), ("n_me", "get_d"));
        let long = "x".repeat(200);
        let short = super::tools(&[Named { id: Some(&long), method: "get", path: "/x" }], 40);
        assert_eq!(short[0].len(), 40);
    }

    #[test]
    fn arguments_do_not_collide() {
        let mut taken = Arguments::default();
        assert_eq!(taken.take("id", "path"), "id");
        assert_eq!(taken.take("id", "body"), "body_id");
        assert_eq!(taken.take("id", "body"), "body_id_2");
        assert_eq!(taken.take("filter[name]", "query"), "filter_name");
        assert_eq!(taken.take("äö", "query"), "query_");
        let long = "y".repeat(500);
        assert!(taken.take(&long, "query").len() <= 64);
        assert_ne!(taken.take(&long, "query"), taken.take(&long, "query"));
    }
}
