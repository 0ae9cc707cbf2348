//! What a denial tells the model: what is missing, in the words of the policy's own conditions.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy::pst::{BinaryOp, Clause, Expr, UnaryOp};
use cedar_policy::{EvalResult, Expression};
use cedar_policy_core::ast::SlotEnv;
use cedar_policy_core::evaluator::Evaluator;

use super::needs::path;

/// One thing that the conditions of a policy ask for.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    expression: Expr,
    /// Whether it must hold, or must not.
    wanted: bool,
}

/// What a model can do about an atom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// Whether it is about what was done before, which no author can say better.
    pub(super) of_session: bool,
    pub(super) text: String,
}

/// Everything that the conditions ask for, one by one.
pub(super) fn atoms(clauses: &[Clause]) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for clause in clauses {
        match clause {
            Clause::When(expression) => split(expression, true, &mut atoms),
            Clause::Unless(expression) => split(expression, false, &mut atoms),
        }
    }
    atoms
}

fn split(expression: &Expr, wanted: bool, atoms: &mut Vec<Atom>) {
    match (expression, wanted) {
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, wanted) => split(expr, !wanted, atoms),
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, true)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, false) => {
            split(left, wanted, atoms);
            split(right, wanted, atoms);
        }
        _ => atoms.push(Atom { expression: expression.clone(), wanted }),
    }
}

/// A request that questions can be asked of.
pub(super) struct Asked<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) read: &'a Read,
}

/// The parts of conditions as they can be evaluated one by one, by where they are in memory: the rules keep them there.
#[derive(Debug, Default)]
pub(super) struct Read(Mutex<HashMap<usize, Option<Arc<Expression>>>>);

impl Read {
    fn get(&self, expression: &Expr) -> Option<Arc<Expression>> {
        let place = std::ptr::from_ref(expression) as usize;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || Expression::from_str(&expression.to_string()).ok().map(Arc::new);
        known.entry(place).or_insert_with(read).clone()
    }
}

impl Asked<'_> {
    fn value(&self, expression: &Expr) -> Option<EvalResult> {
        let expression = self.read.get(expression)?;
        let value = self.evaluator.interpret(expression.as_ref().as_ref(), &SlotEnv::new());
        value.ok().map(EvalResult::from)
    }

    /// Whether an atom is as it must be.
    pub(super) fn is_met(&self, atom: &Atom) -> bool {
        self.value(&atom.expression) == Some(EvalResult::Bool(atom.wanted))
    }

    /// What to do so that an atom becomes as it must be.
    pub(super) fn mend(&self, atom: &Atom) -> Option<Advice> {
        self.advice(&atom.expression, atom.wanted)
    }

    /// What to do so that an atom is no longer as a forbid has it.
    pub(super) fn avoid(&self, atom: &Atom) -> Option<Advice> {
        self.advice(&atom.expression, !atom.wanted)
    }

    fn advice(&self, expression: &Expr, wanted: bool) -> Option<Advice> {
        match expression {
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.advice(expr, !wanted),
            Expr::BinaryOp { op: BinaryOp::Or, left, right } if wanted => {
                let (left, right) = (self.advice(left, true), self.advice(right, true));
                let (Some(left), Some(right)) = (left, right) else { return None };
                let of_session = left.of_session && right.of_session;
                Some(Advice { of_session, text: format!("{}, or {}", left.text, right.text) })
            }
            Expr::BinaryOp { op: BinaryOp::And, left, right } => {
                // All of it must hold: say what does not. None must: either will do.
                let wrong = |side: &Expr| self.value(side) != Some(EvalResult::Bool(wanted));
                let sides = [left, right].into_iter().filter(|side| !wanted || wrong(side));
                let advice: Vec<Advice> = sides.filter_map(|side| self.advice(side, wanted)).collect();
                let of_session = advice.iter().any(|advice| advice.of_session);
                let text: Vec<String> = advice.into_iter().map(|advice| advice.text).collect();
                (!text.is_empty()).then(|| Advice { of_session, text: text.join("; ") })
            }
            Expr::BinaryOp { op: BinaryOp::Contains, left, right } => self.contained(left, right, wanted),
            Expr::BinaryOp { op, left, right } => {
                let (op, subject, bound) = match (path(left), path(right)) {
                    (Some(path), None) => (*op, (left.as_ref(), path), right),
                    (None, Some(path)) => (mirrored(*op)?, (right.as_ref(), path), left),
                    _ => return None,
                };
                let op = if wanted { op } else { negated(op)? };
                self.compared(op, subject, bound)
            }
            Expr::GetAttr { .. } => trusted(&path(expression)?, wanted),
            Expr::HasAttr { expr, attrs } => {
                let mut path = path(expr)?;
                path.extend(attrs.iter().map(ToString::to_string));
                let [context, arguments, name] = path.as_slice() else { return None };
                let is = context == "context" && arguments == "arguments";
                let text = if wanted {
                    format!("`{name}` must be given")
                } else {
                    format!("`{name}` may not be given")
                };
                is.then_some(Advice { of_session: false, text })
            }
            _ => None,
        }
    }

    /// A number on one side, and what it may be at most or must be at least on the other.
    fn compared(&self, op: BinaryOp, (subject, path): (&Expr, Vec<String>), bound: &Expr) -> Option<Advice> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let limit = self.value(bound)?;
        let shown = words(&limit)?;
        match *path.as_slice() {
            ["context", "session", kind @ ("count" | "today"), tool] => {
                let EvalResult::Long(limit) = limit else { return None };
                let EvalResult::Long(used) = self.value(subject)? else { return None };
                let when = if kind == "today" { "in the last 24 hours" } else { "in this session" };
                let text = match op {
                    BinaryOp::Less | BinaryOp::LessEq => {
                        let most = if op == BinaryOp::Less { limit } else { limit.saturating_add(1) };
                        match most {
                            ..=0 => format!("`{tool}` may not be called {when}"),
                            1 if used > 0 => {
                                format!("`{tool}` was called {when} already, and may be called once")
                            }
                            _ => format!("{used} of {most} calls of `{tool}` {when} are used"),
                        }
                    }
                    BinaryOp::Greater | BinaryOp::GreaterEq => {
                        let least = if op == BinaryOp::Greater { limit.saturating_add(1) } else { limit };
                        first(tool, least, used, when)
                    }
                    BinaryOp::Eq if limit == 0 => format!("`{tool}` was called {when} already"),
                    BinaryOp::NotEq if limit == 0 => first(tool, 1, used, when),
                    _ => return None,
                };
                Some(Advice { of_session: true, text })
            }
            ["context", "session", kind @ ("sum" | "sum_today"), tool, argument] => {
                let sum = words(&self.value(subject)?)?;
                let when = if kind == "sum_today" { " in the last 24 hours" } else { "" };
                let text = match op {
                    BinaryOp::Less | BinaryOp::DecimalLessThan => {
                        format!(
                            "with this call the sum of `{argument}` of `{tool}`{when} is {sum}; it must stay under {shown}"
                        )
                    }
                    BinaryOp::LessEq | BinaryOp::DecimalLessEq => {
                        format!(
                            "with this call the sum of `{argument}` of `{tool}`{when} is {sum}; {shown} is the most"
                        )
                    }
                    _ => return None,
                };
                Some(Advice { of_session: true, text })
            }
            ["context", "arguments", name, "value" | "text"] => {
                let text = match op {
                    BinaryOp::Less | BinaryOp::DecimalLessThan => format!("`{name}` must be under {shown}"),
                    BinaryOp::LessEq | BinaryOp::DecimalLessEq => format!("`{name}` may be {shown} at most"),
                    BinaryOp::Greater | BinaryOp::DecimalGreater => format!("`{name}` must be over {shown}"),
                    BinaryOp::GreaterEq | BinaryOp::DecimalGreaterEq => {
                        format!("`{name}` must be {shown} at least")
                    }
                    BinaryOp::Eq => format!("`{name}` must be {shown}"),
                    BinaryOp::NotEq => format!("`{name}` may not be {shown}"),
                    _ => return None,
                };
                Some(Advice { of_session: false, text })
            }
            ["context", "arguments", name, part @ ("host" | "domain")] if op == BinaryOp::Eq => {
                Some(Advice { of_session: false, text: format!("the {part} of `{name}` must be {shown}") })
            }
            _ => None,
        }
    }

    /// What is among several values.
    fn contained(&self, set: &Expr, item: &Expr, wanted: bool) -> Option<Advice> {
        let in_set = path(set);
        let in_set: Vec<&str> = in_set.iter().flatten().map(String::as_str).collect();
        match *in_set.as_slice() {
            ["context", "session", "seen", tool, argument] => {
                let value = words(&self.value(item)?)?;
                let text = match wanted {
                    true => format!("call `{tool}` first: it was not called with `{argument}` = {value}"),
                    false => format!("`{tool}` was called with `{argument}` = {value} already"),
                };
                Some(Advice { of_session: true, text })
            }
            ["context", "session", "returned", tool, field] => {
                let value = words(&self.value(item)?)?;
                let text = match wanted {
                    true => format!("call `{tool}` first: it has not returned {value} as `{field}`"),
                    false => format!("`{tool}` has returned {value} as `{field}`"),
                };
                Some(Advice { of_session: true, text })
            }
            [] => {
                let item = path(item)?;
                let item: Vec<&str> = item.iter().map(String::as_str).collect();
                let subject = match *item.as_slice() {
                    ["context", "arguments", name, "value" | "text"] => format!("`{name}`"),
                    ["context", "arguments", name, part @ ("host" | "domain")] => {
                        format!("the {part} of `{name}`")
                    }
                    _ => return None,
                };
                let EvalResult::Set(set) = self.value(set)? else { return None };
                // A list that fills a page helps nobody, and one that denies may be secret.
                let text = match (wanted, set.len()) {
                    (true, ..=8) => {
                        let known: Option<Vec<String>> = set.iter().map(words).collect();
                        format!("{subject} must be one of {}", known?.join(", "))
                    }
                    (true, _) => format!("{subject} is not among those that are allowed"),
                    (false, _) => format!("{subject} is not allowed"),
                };
                Some(Advice { of_session: false, text })
            }
            _ => None,
        }
    }
}

fn first(tool: &str, least: i64, used: i64, when: &str) -> String {
    match least {
        ..=1 => format!("call `{tool}` first: it was not called {when}"),
        _ => {
            format!("call `{tool}` first: {used} of the {least} calls that must come before were made {when}")
        }
    }
}

fn trusted(path: &[String], wanted: bool) -> Option<Advice> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let text = match *path.as_slice() {
        ["context", "arguments", name, "trusted"] if wanted => {
            format!(
                "`{name}` comes from a source that nobody vouches for; take it from what the user said, or ask the user"
            )
        }
        ["context", "roles", role, "trusted"] if wanted => format!(
            "the {role} of this call comes from a source that nobody vouches for; take it from what the user said, or ask the user"
        ),
        ["context", "run", "trusted"] if wanted => {
            "content that nobody vouches for was read before, so this can no longer be done in this run"
                .to_owned()
        }
        ["context", "arguments", name, "value"] => format!("`{name}` must be `{wanted}`"),
        _ => return None,
    };
    Some(Advice { of_session: false, text })
}

/// A value as a model reads it.
fn words(value: &EvalResult) -> Option<String> {
    match value {
        EvalResult::Bool(value) => Some(value.to_string()),
        EvalResult::Long(number) => Some(number.to_string()),
        EvalResult::String(text) if text.chars().count() <= 80 => Some(format!("{text:?}")),
        EvalResult::String(_) => Some("that value".to_owned()),
        // A decimal is written as the call that makes it.
        EvalResult::ExtensionValue(text) => {
            let number = text.split('"').nth(1).unwrap_or(text);
            let number = if number.contains('.') {
                number.trim_end_matches('0').trim_end_matches('.')
            } else {
                number
            };
            Some(number.to_owned())
        }
        _ => None,
    }
}

/// The comparison with its sides exchanged.
fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEq => BinaryOp::GreaterEq,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEq => BinaryOp::LessEq,
        BinaryOp::DecimalLessThan => BinaryOp::DecimalGreater,
        BinaryOp::DecimalLessEq => BinaryOp::DecimalGreaterEq,
        BinaryOp::DecimalGreater => BinaryOp::DecimalLessThan,
        BinaryOp::DecimalGreaterEq => BinaryOp::DecimalLessEq,
        BinaryOp::Eq | BinaryOp::NotEq => op,
        _ => return None,
    })
}

/// The comparison that holds where this one does not.
fn negated(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Less => BinaryOp::GreaterEq,
        BinaryOp::LessEq => BinaryOp::Greater,
        BinaryOp::Greater => BinaryOp::LessEq,
        BinaryOp::GreaterEq => BinaryOp::Less,
        BinaryOp::DecimalLessThan => BinaryOp::DecimalGreaterEq,
        BinaryOp::DecimalLessEq => BinaryOp::DecimalGreater,
        BinaryOp::DecimalGreater => BinaryOp::DecimalLessEq,
        BinaryOp::DecimalGreaterEq => BinaryOp::DecimalLessThan,
        BinaryOp::Eq => BinaryOp::NotEq,
        BinaryOp::NotEq => BinaryOp::Eq,
        _ => return None,
    })
}
