//! [`Finding`]: what is well written and probably not meant.
//!
//! What is here follows from the form of the policies. What must be proved is found by who has a solver, and joins the
//! same list.

use adjutant_core::nearest;
use std::collections::BTreeSet;

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, ResourceConstraint, Var};
use cedar_policy::{Effect, ValidationWarning};
use serde::{Deserialize, Serialize};

use super::evidence;
use super::problem::Problem;
use super::rule::{Actions, Rule, Whose};
use super::schema::{MEMORY, OTHER_ACTIONS, SESSION};
use super::set::{Policies, file_name};

/// A policy larger than this is refused elsewhere, and nobody reads it.
const LARGEST: usize = 10_000;

/// What is well written and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// The file; none of what is about no policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What it is, in words.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A policy, or all together, allow everything.
    AllowsEverything,
    /// A policy, or all together, deny everything.
    DeniesEverything,
    /// A policy never holds.
    NoEffect,
    /// What a policy says is said by another already.
    Shadowed,
    /// Nothing permits a tool.
    Unreached,
    /// An agent is named that there is not.
    UnknownAgent,
    /// Something is named that nothing is ever done to.
    UnknownEntity,
    /// The evidence of an argument is compared with a word that it never is.
    UnknownEvidence,
    /// A text can be taken for another.
    Confusable,
    /// A policy is too large.
    TooLarge,
    /// A policy cannot be evaluated for some requests, which are then denied.
    CanFail,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It may be meant.
    Note,
    /// It is hardly meant.
    Warning,
}

impl Finding {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self.kind {
            Kind::Unreached | Kind::Shadowed => Severity::Note,
            _ => Severity::Warning,
        }
    }
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowsEverything => "allows-everything",
            Self::DeniesEverything => "denies-everything",
            Self::NoEffect => "no-effect",
            Self::Shadowed => "shadowed",
            Self::Unreached => "unreached",
            Self::UnknownAgent => "unknown-agent",
            Self::UnknownEntity => "unknown-entity",
            Self::UnknownEvidence => "unknown-evidence",
            Self::Confusable => "confusable",
            Self::TooLarge => "too-large",
            Self::CanFail => "can-fail",
        }
    }
}

impl Policies {
    /// What is well written and probably not meant, in the order of the files.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.warnings.iter().filter_map(|warning| self.warned(warning)).collect();
        for (index, rule) in self.rules.iter().enumerate() {
            self.of_rule(rule, &mut findings);
            // What never holds need not be compared.
            if !findings
                .iter()
                .any(|found| found.kind == Kind::NoEffect && found.policy.as_ref() == Some(&rule.id))
            {
                findings.extend(self.shadowed(index, rule));
            }
        }
        findings.extend(self.unreached());
        findings.sort();
        findings.dedup();
        findings
    }

    fn warned(&self, warning: &ValidationWarning) -> Option<Finding> {
        let rule = self.rules.get(*self.places.get::<str>(warning.policy_id().as_ref())?)?;
        let text = self.files.get(rule.file).map_or("", |file| file.text.as_str());
        let reported = Problem::reported(&file_name(&self.files, rule.file), text, warning);
        let (kind, message, help) = match warning {
            // A policy for a kind of tools of which there is none yet is there for those that come.
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_)
                if self.is_waiting(rule) =>
            {
                return None;
            }
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
                let help = match rule.whose {
                    Whose::User(_) | Whose::Tenant(_) => {
                        "who acts is always an agent: write `principal in User::\"...\"`, not `==`"
                    }
                    _ => {
                        "its scope and its conditions contradict each other, or no tool has what they ask for"
                    }
                };
                (Kind::NoEffect, "this policy never holds".to_owned(), Some(help.to_owned()))
            }
            _ => (Kind::Confusable, reported.message, reported.help),
        };
        Some(Finding { line: Some(reported.line), message, help, ..self.about(rule, kind) })
    }

    /// Whether all that a policy is about are tools that are not there yet, or groups without a tool: it holds for those that
    /// come.
    pub fn waits_for_tools(&self, policy: &str) -> bool {
        let rule = self.places.get(policy).and_then(|index| self.rules.get(*index));
        rule.is_some_and(|rule| self.is_waiting(rule))
    }

    fn is_waiting(&self, rule: &Rule) -> bool {
        let Actions::Named(names) = &rule.actions else { return false };
        let is_group = |name: &String| name.starts_with("tools.");
        let also = groups_asked_for(rule);
        let has_tool = |name: &String| {
            let mut tools = self.schema.tools().map(|tool| self.schema.groups(tool));
            tools.any(|groups| groups.contains(name) && also.iter().all(|also| groups.contains(also)))
        };
        let is_unknown = |name: &String| rule.annotations.unknown.contains(name) && !self.schema.has(name);
        names.iter().all(|name| is_group(name) && !has_tool(name) || is_unknown(name))
    }

    fn of_rule(&self, rule: &Rule, findings: &mut Vec<Finding>) {
        let is_free = rule.annotations.ask.is_none() && rule.annotations.redact.is_empty();
        let everything = rule.whose == Whose::Anyone
            && rule.actions == Actions::All
            && rule.resource == ResourceConstraint::Any
            && rule.clauses.is_empty();
        if everything && is_free && !rule.annotations.log_only {
            let (kind, message, help) = match rule.effect {
                Effect::Permit => (
                    Kind::AllowsEverything,
                    "this policy allows everything that nothing forbids",
                    "name the tools it is about: `action in Action::\"tools.pure\"`",
                ),
                Effect::Forbid => (
                    Kind::DeniesEverything,
                    "this policy denies everything",
                    "delete it when nothing is to be stopped",
                ),
            };
            findings.push(Finding {
                message: message.to_owned(),
                help: Some(help.to_owned()),
                ..self.about(rule, kind)
            });
        }
        if rule.size > LARGEST {
            findings.push(Finding {
                message: format!("this policy has {} bytes; more than {LARGEST} nobody reads", rule.size),
                help: Some("make several of it".to_owned()),
                ..self.about(rule, Kind::TooLarge)
            });
        }
        for (word, help) in evidence::unknown(&rule.clauses) {
            findings.push(Finding {
                message: format!("the evidence of an argument is never `{word}`"),
                help: Some(help),
                ..self.about(rule, Kind::UnknownEvidence)
            });
        }
        findings.extend(self.of_nothing(rule));
        let agents = &self.schema.vocabulary.agents;
        let named = rule.policy.entity_literals();
        let named = named.iter().filter(|entity| entity.type_name().basename() == super::schema::AGENT);
        for agent in named.map(|entity| entity.id().unescaped()).filter(|agent| !agents.contains(*agent)) {
            let near = nearest(agent, agents.iter().map(String::as_str));
            findings.push(Finding {
                message: format!("there is no agent `{agent}`"),
                help: near.map(|near| format!("did you mean `{near}`?")),
                ..self.about(rule, Kind::UnknownAgent)
            });
        }
    }

    /// What a policy names that no agent of a project does anything to, or is.
    fn of_nothing(&self, rule: &Rule) -> impl Iterator<Item = Finding> {
        let named = rule.policy.entity_literals().into_iter();
        named.filter_map(|entity| {
            let (why, help) = match entity.type_name().basename() {
                MEMORY => (
                    "no agent of a project writes into a memory",
                    "it holds for other programs alone, which ask `adjutant policy decide`",
                ),
                SESSION => ("no policy can name a session", "ask for what was done in it: `context.session`"),
                _ => return None,
            };
            Some(Finding {
                message: format!("nothing is ever done to `{entity}`: {why}"),
                help: Some(help.to_owned()),
                ..self.about(rule, Kind::UnknownEntity)
            })
        })
    }

    /// Whether another policy says the same of more, so that this one changes nothing.
    fn shadowed(&self, index: usize, rule: &Rule) -> Option<Finding> {
        if rule.annotations.log_only {
            return None;
        }
        let others = self.rules.iter().enumerate().filter(|(other, _)| *other != index);
        let mut wider = others.filter(|(other, by)| {
            let covers = !by.annotations.log_only && self.covers(by, rule);
            let same = by.clauses == rule.clauses || by.clauses.is_empty();
            // Of two that say the same of the same, the first stands.
            let first = *other < index || !(self.covers(rule, by) && rule.clauses == by.clauses);
            let plain = by.annotations.ask.is_none() && by.annotations.redact.is_empty();
            let alike = by.annotations.ask.is_some() == rule.annotations.ask.is_some()
                && by.annotations.redact == rule.annotations.redact;
            match (by.effect, rule.effect) {
                (Effect::Forbid, Effect::Permit) => covers && plain && by.clauses.is_empty(),
                (Effect::Permit, Effect::Forbid) => false,
                _ => covers && same && first && (plain || alike),
            }
        });
        let (_, by) = wider.next()?;
        let does = if by.effect == Effect::Permit { "permits" } else { "forbids" };
        Some(Finding {
            message: format!("this policy changes nothing: `{}` {does} all that it is about", by.id),
            help: Some("delete it, or narrow the other".to_owned()),
            ..self.about(rule, Kind::Shadowed)
        })
    }

    /// Whether a policy is about everything that another is about, by their scopes.
    fn covers(&self, wide: &Rule, narrow: &Rule) -> bool {
        let whose = wide.whose == Whose::Anyone || wide.whose == narrow.whose;
        let resource = wide.resource == ResourceConstraint::Any || wide.resource == narrow.resource;
        let about = self.actions(&narrow.actions);
        // What is about nothing that there is waits for it.
        whose && resource && !about.is_empty() && about.is_subset(&self.actions(&wide.actions))
    }

    /// The actions that a scope is about, without groups.
    fn actions(&self, actions: &Actions) -> BTreeSet<&str> {
        let all = self.schema.tools().chain(OTHER_ACTIONS.iter().map(|(name, _)| *name));
        match actions {
            Actions::All => all.collect(),
            Actions::Named(named) => all
                .filter(|name| named.iter().any(|named| named == name) || self.is_in(name, named))
                .collect(),
        }
    }

    fn is_in(&self, action: &str, groups: &[String]) -> bool {
        self.schema.tools.contains_key(action)
            && self.schema.groups(action).iter().any(|group| groups.contains(group))
    }

    fn unreached(&self) -> Vec<Finding> {
        let permits =
            || self.rules.iter().filter(|rule| rule.effect == Effect::Permit && !rule.annotations.log_only);
        let reached: BTreeSet<&str> = permits().flat_map(|rule| self.actions(&rule.actions)).collect();
        if reached.is_empty() {
            let about = "nothing is permitted, so everything is denied";
            return vec![Finding {
                file: None,
                line: None,
                kind: Kind::DeniesEverything,
                policy: None,
                message: about.to_owned(),
                help: Some(
                    "write a permit: `permit (principal, action in Action::\"tools.pure\", resource);`"
                        .to_owned(),
                ),
            }];
        }
        let all = self.schema.tools().chain(["run.answer", "run.model"]);
        all.filter(|action| !reached.contains(action))
            .map(|action| {
                let what = if action.starts_with("run.") { "the action" } else { "the tool" };
                Finding {
                    file: None,
                    line: None,
                    kind: Kind::Unreached,
                    policy: None,
                    message: format!("no policy permits {what} `{action}`"),
                    help: None,
                }
            })
            .collect()
    }

    fn about(&self, rule: &Rule, kind: Kind) -> Finding {
        Finding {
            file: Some(file_name(&self.files, rule.file)),
            line: Some(rule.line),
            kind,
            policy: Some(rule.id.clone()),
            message: String::new(),
            help: None,
        }
    }
}

/// The groups that an action must be in besides, by the conditions: `when { action in Action::"tools.pure" }`. Two groups of effects
/// have no tool in common and never will.
fn groups_asked_for(rule: &Rule) -> Vec<String> {
    let mut open: Vec<&Expr> = Vec::new();
    for clause in &rule.clauses {
        if let Clause::When(condition) = clause {
            open.push(condition);
        }
    }
    let mut groups = Vec::new();
    while let Some(expression) = open.pop() {
        match expression {
            Expr::BinaryOp { op: BinaryOp::And, left, right } => open.extend([left.as_ref(), right.as_ref()]),
            Expr::BinaryOp { op: BinaryOp::In, left, right } => {
                if let (Expr::Var(Var::Action), Expr::Literal(Literal::EntityUID(group))) =
                    (left.as_ref(), right.as_ref())
                {
                    groups.push(group.eid.to_string());
                }
            }
            _ => {}
        }
    }
    groups
}
