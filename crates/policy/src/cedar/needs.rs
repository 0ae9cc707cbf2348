//! [`Needs`]: what policies look at, so that nothing else is made for a decision.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{BinaryOp, Clause, Expr, Var};

/// Which attributes are looked at, as a tree of their names under `context` and `principal`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Whether it is used as a value, with all within it.
    whole: bool,
    parts: BTreeMap<String, Needs>,
}

/// What a value that is used as a whole needs of each of its parts.
static ALL: Needs = Needs { whole: true, parts: BTreeMap::new() };

impl Needs {
    /// What the conditions of a policy look at.
    pub(super) fn of(clauses: &[Clause]) -> Self {
        let mut needs = Self::default();
        for clause in clauses {
            let (Clause::When(expression) | Clause::Unless(expression)) = clause;
            needs.walk(expression);
        }
        needs
    }

    /// What is looked at within one attribute; nothing where nobody looks at it.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        if self.whole { Some(&ALL) } else { self.parts.get(name) }
    }

    /// What is looked at at the end of a path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |needs, name| needs.get(name))
    }

    /// Whether all within it is looked at.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The names that are looked at one by one.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.parts.iter().map(|(name, needs)| (name.as_str(), needs))
    }

    /// Adds what somebody else looks at.
    pub(super) fn extend(&mut self, other: &Self) {
        self.whole |= other.whole;
        for (name, needs) in &other.parts {
            self.parts.entry(name.clone()).or_default().extend(needs);
        }
    }

    /// The tools whose earlier calls are asked about: under `context.session`, each part has the names of tools.
    /// `all` is what is meant where a whole is compared.
    pub(super) fn tools(&self, all: &BTreeSet<String>) -> BTreeSet<String> {
        let Some(session) = self.at(&["context", "session"]) else { return BTreeSet::new() };
        if session.whole || session.parts.values().any(|part| part.whole) {
            return all.clone();
        }
        session.parts.values().flat_map(|part| part.parts.keys().cloned()).collect()
    }

    fn walk(&mut self, expression: &Expr) {
        if let Some(path) = path(expression) {
            self.add(&path, true);
            return;
        }
        match expression {
            Expr::HasAttr { expr, attrs } => match path(expr) {
                // Whether something is there is known without its value.
                Some(mut path) => {
                    path.extend(attrs.iter().map(ToString::to_string));
                    self.add(&path, false);
                }
                None => self.walk(expr),
            },
            Expr::GetAttr { expr, .. } | Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => {
                self.walk(expr);
            }
            // An entity that is only asked for its ancestors needs no attributes.
            Expr::BinaryOp { op: BinaryOp::In, left, right } => {
                for side in [left, right] {
                    match path(side) {
                        Some(path) => self.add(&path, false),
                        None => self.walk(side),
                    }
                }
            }
            Expr::BinaryOp { left, right, .. } => {
                self.walk(left);
                self.walk(right);
            }
            Expr::Is { expr, in_expr, .. } => {
                self.walk(expr);
                in_expr.iter().for_each(|expression| self.walk(expression));
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|expression| self.walk(expression));
            }
            Expr::Set(items) => items.iter().for_each(|item| self.walk(item)),
            Expr::Record(fields) => fields.values().for_each(|field| self.walk(field)),
            Expr::Literal(_) | Expr::Var(_) => {}
            // What a later version of the language adds may look at everything.
            _ => self.whole = true,
        }
    }

    fn add(&mut self, path: &[String], whole: bool) {
        let mut needs = self;
        for name in path {
            needs = needs.parts.entry(name.clone()).or_default();
        }
        needs.whole |= whole;
    }
}

/// The names from `context` or `principal` to an attribute; none of any other expression.
pub(super) fn path(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Var(Var::Context) => Some(vec!["context".to_owned()]),
        Expr::Var(Var::Principal) => Some(vec!["principal".to_owned()]),
        Expr::GetAttr { expr, attr } => {
            let mut path = path(expr)?;
            path.push(attr.to_string());
            Some(path)
        }
        _ => None,
    }
}
