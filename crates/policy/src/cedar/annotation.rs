//! [`Annotations`]: what stands before a policy with an `@`.

use adjutant_core::nearest;
use cedar_policy::{Effect, Policy};

use crate::detect::Kind;

/// What stands before a policy with an `@`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Annotations {
    pub(super) id: Option<String>,
    /// A person is to agree; why.
    pub(super) ask: Option<String>,
    /// What is to be masked.
    pub(super) redact: Vec<String>,
    /// Why, for the operator.
    pub(super) reason: Option<String>,
    /// Why, for the model.
    pub(super) tell: Option<String>,
    /// Whether it is only watched.
    pub(super) log_only: bool,
    /// The tools that it is about even where the project does not know them.
    pub(super) unknown: Vec<String>,
}

const KNOWN: [&str; 7] = ["id", "ask", "redact", "reason", "tell", "mode", "unknown"];
const MODES: [&str; 2] = ["enforce", "log_only"];

impl Annotations {
    /// Reads them. Each mistake is a message and what to do.
    pub(super) fn of(policy: &Policy) -> (Self, Vec<(String, String)>) {
        let mut read = Self::default();
        let mut mistakes = Vec::new();
        for (name, value) in policy.annotations() {
            let value = value.trim().to_owned();
            let some = (!value.is_empty()).then(|| value.clone());
            match name {
                "id" => {
                    if some.is_none() {
                        mistakes
                            .push(("`@id` names nothing".to_owned(), "write `@id(\"refunds\")`".to_owned()));
                    }
                    read.id = some;
                }
                "ask" => read.ask = Some(value),
                "redact" => {
                    read.redact = list(&value);
                    if read.redact.is_empty() {
                        let help = "write `@redact(\"email, iban\")`".to_owned();
                        mistakes.push(("`@redact` names nothing that is to be masked".to_owned(), help));
                    }
                    let known = Kind::WORDS.map(|(word, _)| word);
                    let unknown = read.redact.iter().filter(|kind| !known.contains(&kind.as_str()));
                    mistakes.extend(unknown.map(|kind| {
                        (format!("there is nothing called `{kind}` to be masked"), one_of(kind, &known))
                    }));
                }
                "reason" => read.reason = some,
                "tell" => read.tell = some,
                "unknown" => {
                    read.unknown = list(&value);
                    // What permits a tool that nobody has seen yet would permit whatever comes under its name.
                    if read.unknown.is_empty() || policy.effect() != Effect::Forbid {
                        mistakes.push((
                            "`@unknown` must name the tools that a `forbid` is about".to_owned(),
                            "write `@unknown(\"refund\")` before a `forbid`".to_owned(),
                        ));
                    }
                }
                "mode" => {
                    read.log_only = value == "log_only";
                    if !MODES.contains(&value.as_str()) {
                        mistakes.push((format!("there is no mode `{value}`"), one_of(&value, &MODES)));
                    }
                }
                other => mistakes.push((format!("there is no annotation `@{other}`"), one_of(other, &KNOWN))),
            }
        }
        (read, mistakes)
    }
}

/// The words of a list.
fn list(value: &str) -> Vec<String> {
    value.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

fn one_of(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "known are {}",
            known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}
