//! What policies compare the evidence of an argument with.

use adjutant_core::nearest;
use cedar_policy::pst::{Clause, Expr, Literal};

use super::context::evidence;
use super::needs::path;
use crate::facts::Evidence;

const ALL: [Evidence; 6] =
    [Evidence::Exact, Evidence::Fixed, Evidence::Words, Evidence::Result, Evidence::Endorsed, Evidence::None];

/// The words that evidence is compared with and never is, each with what to do about it.
pub(super) fn unknown(clauses: &[Clause]) -> Vec<(String, String)> {
    let mut compared = Vec::new();
    for clause in clauses {
        let (Clause::When(expression) | Clause::Unless(expression)) = clause;
        walk(expression, &mut compared);
    }
    let known = ALL.map(evidence);
    let unknown = compared.into_iter().filter(|word| !known.contains(&word.as_str()));
    unknown
        .map(|word| {
            let help = match nearest(&word, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it is one of {}", known.map(|word| format!("`{word}`")).join(", ")),
            };
            (word, help)
        })
        .collect()
}

fn walk(expression: &Expr, compared: &mut Vec<String>) {
    match expression {
        Expr::BinaryOp { left, right, .. } => {
            for (side, other) in [(left, right), (right, left)] {
                if is_evidence(side) {
                    texts(other, compared);
                }
                walk(side, compared);
            }
        }
        Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } => walk(expr, compared),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            [cond, then_expr, else_expr].into_iter().for_each(|part| walk(part, compared));
        }
        Expr::Set(items) => items.iter().for_each(|item| walk(item, compared)),
        Expr::Record(fields) => fields.values().for_each(|field| walk(field, compared)),
        _ => {}
    }
}

/// Whether it is the evidence of an argument, or of a field within one: under `context.arguments`, names and `value` take
/// turns.
fn is_evidence(expression: &Expr) -> bool {
    let path = path(expression).unwrap_or_default();
    let is_of_argument = path.get(1).is_some_and(|part| part == "arguments") && path.len().is_multiple_of(2);
    is_of_argument && path.last().is_some_and(|last| last == "evidence")
}

fn texts(expression: &Expr, compared: &mut Vec<String>) {
    match expression {
        Expr::Literal(Literal::String(text)) => compared.push(text.to_string()),
        Expr::Set(items) => items.iter().for_each(|item| texts(item, compared)),
        _ => {}
    }
}
