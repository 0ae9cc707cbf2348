//! `${NAME}` in the texts of `adjutant.toml`.

use adjutant_agent::definition::document::{Content, Node, Problems};

use super::environment::Environment;

/// Puts values of the environment into every text of a tree: `${NAME}`, `${NAME:-value if it is not set}`, and
/// `$${` for `${` itself. What is put in is not looked at again. Keys stay as they are.
pub(super) fn substitute(node: &mut Node, environment: &Environment, problems: &Problems) {
    match &mut node.content {
        Content::Text(text) if text.contains("${") => match expand(text, environment) {
            Ok(expanded) => *text = expanded,
            Err(fault) => problems.report_with(node.place, fault.message, fault.help),
        },
        Content::List(items) => items.iter_mut().for_each(|item| substitute(item, environment, problems)),
        Content::Table(entries) => {
            entries.iter_mut().for_each(|entry| substitute(&mut entry.value, environment, problems));
        }
        _ => {}
    }
}

struct Fault {
    message: String,
    help: String,
}

fn expand(text: &str, environment: &Environment) -> Result<String, Fault> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (inside, after) = after.split_once('}').ok_or_else(|| Fault {
            message: "`${` has no `}`".into(),
            help: "close it, or write `$${` to mean the characters themselves".into(),
        })?;
        expanded.push_str(value(inside, environment)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn value<'a>(inside: &'a str, environment: &'a Environment) -> Result<&'a str, Fault> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return Err(Fault {
            message: format!("`${{{inside}}}` does not name an environment variable"),
            help: "write `${NAME}` or `${NAME:-value}`, or `$${` to mean the characters themselves".into(),
        });
    }
    environment.get(name).or(default).ok_or_else(|| Fault {
        message: format!("the environment variable `{name}` is not set"),
        help: format!("set it, or write `${{{name}:-value}}` to say what holds without it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in() {
        let environment: Environment = [("A", "1"), ("NESTED", "${A}"), ("EMPTY", "")].into_iter().collect();
        for (text, expected) in [
            ("${A}/${A}", "1/1"),
            ("x${B:-y z}", "xy z"),
            ("${EMPTY:-d}${B:-}", "d"),
            ("$${A} costs 5$", "${A} costs 5$"),
            ("${NESTED}", "${A}"),
            ("$A {A}", "$A {A}"),
        ] {
            assert_eq!(expand(text, &environment).ok().as_deref(), Some(expected), "{text}");
        }
        for (text, fault) in [
            ("${B}", "the environment variable `B` is not set"),
            ("${A", "`${` has no `}`"),
            ("${}", "`${}` does not name an environment variable"),
            ("${a b}", "`${a b}` does not name an environment variable"),
        ] {
            assert_eq!(expand(text, &environment).err().map(|fault| fault.message).as_deref(), Some(fault));
        }
    }
}
