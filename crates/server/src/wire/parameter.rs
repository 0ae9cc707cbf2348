//! The parameters of a format, one row each: what becomes of it, or why it is refused. Nothing is left out in silence.

use serde_json::Value;

use super::fault::Fault;
use super::node::Node;

/// A parameter of a format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What becomes of it.
    pub(crate) how: How,
}

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// It is read, and becomes this.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation is held to it by a test"))]
    Read(&'static str),
    /// It is taken where it asks for what holds anyway, written as JSON; otherwise it is refused for this reason.
    Only(&'static [&'static str], &'static str),
    /// It is refused, for this reason.
    Refused(&'static str),
}

/// Fails where a body has a parameter that is refused, or that is not on the table. `null` asks for nothing.
pub(crate) fn check(body: &Node<'_>, table: &[Parameter]) -> Result<(), Fault> {
    for (name, value) in body.fields()? {
        let Some(parameter) = table.iter().find(|parameter| parameter.name == name) else {
            return Err(body.unknown(name, table.iter().map(|parameter| parameter.name)));
        };
        let reason = match parameter.how {
            _ if value.is_null() => continue,
            How::Read(_) => continue,
            How::Only(taken, _) if is_one_of(value, taken) => continue,
            How::Only(_, reason) | How::Refused(reason) => reason,
        };
        let message = format!("`{name}` is not supported: {reason}");
        return Err(Fault::at(name.as_str(), "unsupported_parameter", message)
            .with_help(format!("take `{name}` out")));
    }
    Ok(())
}

fn is_one_of(value: &Value, taken: &[&str]) -> bool {
    let said = value.to_string();
    taken.iter().any(|taken| *taken == said)
}

/// The table as Markdown, for the documentation.
#[cfg(test)]
pub(crate) fn table(parameters: &[Parameter]) -> String {
    let row = |parameter: &Parameter| {
        let what = match parameter.how {
            How::Read(what) => what.to_owned(),
            How::Only(taken, reason) => {
                let taken: Vec<String> = taken.iter().map(|taken| format!("`{taken}`")).collect();
                format!("only {}: {reason}", taken.join(", "))
            }
            How::Refused(reason) => format!("refused: {reason}"),
        };
        format!("| `{}` | {what} |\n", parameter.name)
    };
    format!(
        "| parameter | what becomes of it |\n|---|---|\n{}",
        parameters.iter().map(row).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &[Parameter] = &[
        Parameter { name: "seed", how: How::Read("the seed") },
        Parameter { name: "n", how: How::Only(&["1"], "there is one answer") },
        Parameter { name: "audio", how: How::Refused("there are no sounds") },
    ];

    #[test]
    fn a_parameter_is_taken_or_refused_by_its_row() {
        let refused = |body| check(&Node::body(&body), TABLE).unwrap_err();
        let taken = json!({"seed": [1], "n": 1, "audio": null});
        assert_eq!(check(&Node::body(&taken), TABLE), Ok(()));
        assert_eq!(
            refused(json!({"n": 2})).told(),
            "`n` is not supported: there is one answer; take `n` out"
        );
        assert_eq!(refused(json!({"audio": {}})).word, "unsupported_parameter");
        let unknown = refused(json!({"sede": 1}));
        assert_eq!((unknown.param.as_deref(), unknown.word), (Some("sede"), "unknown_parameter"));
        assert!(unknown.told().ends_with("did you mean `seed`?"), "{unknown}");
    }
}
