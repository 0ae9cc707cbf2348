//! The decision.
//!
//! A forbid that nothing lifts comes first, then what could not be evaluated, then forbids that a person or a mask
//! lifts, then permits. Where nothing permits, it is denied. Of the agents of a chain the strictest answer counts.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Effect, Entities, Request as Question};
use cedar_policy_core::ast::Entity;
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use super::context::{Scene, action_name, is_known};
use super::needs::Needs;
use super::rule::Rule;
use super::set::{Mode, Policies};
use super::tell::{Advice, Asked};
use super::value::Unfit;
use crate::facts::{Action, Request};
use crate::verdict::{Outcome, Verdict, Watched};

/// Which policies hold for a request.
#[derive(Default)]
struct Found {
    permits: Vec<usize>,
    forbids: Vec<usize>,
    /// Those that could not be evaluated, and why.
    errors: Vec<(usize, String)>,
}

/// What the policies that count come to.
struct Judgement {
    outcome: Outcome,
    /// Those that made it so.
    rules: Vec<usize>,
    cause: Cause,
}

enum Cause {
    Permitted,
    Forbidden,
    /// A policy could not be evaluated.
    Failed(String),
    NothingPermits,
}

impl Policies {
    /// Decides a request. What cannot be decided is denied.
    pub fn decide(&self, request: &Request) -> Verdict {
        let decided = self.decide_enforced(request);
        match self.mode {
            Mode::Enforce => decided,
            Mode::LogOnly => {
                let real = Watched { outcome: decided.outcome, policies: decided.policies };
                Verdict {
                    outcome: Outcome::Allow,
                    policies: Vec::new(),
                    reason: "the policies of this project are only watched".to_owned(),
                    tell: None,
                    watched: (real.outcome != Outcome::Allow).then_some(real).or(decided.watched),
                    version: Some(self.version()),
                }
            }
        }
    }

    fn decide_enforced(&self, request: &Request) -> Verdict {
        if !is_known(&self.schema, &request.action) {
            let name = action_name(&request.action);
            return self.denied(
                format!("the policies know no tool `{name}`"),
                format!("`{name}` cannot be called here"),
            );
        }
        if request.principal.agents.is_empty() {
            return self.denied("nobody asks for it".to_owned(), "this cannot be done here".to_owned());
        }
        let none = Needs::default();
        let needs = self.needs.get(action_name(&request.action)).unwrap_or(&none);
        // What only watched policies look at must not decide.
        let made = self.scene(request, needs);
        let scene = match made.or_else(|_| self.scene(request, &self.enforced_needs(&request.action))) {
            Ok(scene) => scene,
            Err(unfit) => return self.unfit(&unfit),
        };
        let verdicts =
            request.principal.agents.iter().map(|agent| self.for_agent(request, agent, &scene, false));
        let strictest = verdicts.reduce(Verdict::stricter);
        strictest.unwrap_or_else(|| {
            self.denied("nobody asks for it".to_owned(), "this cannot be done here".to_owned())
        })
    }

    /// What the forbids alone say, of policies that are newer than those that a run started with: none where they say
    /// nothing. So they stop a run that is under way, and never allow it anything.
    ///
    /// A tool that these policies do not know is denied when a forbid that may be about it cannot be evaluated.
    pub fn decide_forbids(&self, request: &Request) -> Option<Verdict> {
        if self.mode == Mode::LogOnly {
            return None;
        }
        let forbids = || {
            let rules = self.rules_of(&request.action);
            rules.filter(|rule| rule.effect == Effect::Forbid && !rule.annotations.log_only)
        };
        forbids().next()?;
        let mut needs = Needs::default();
        forbids().for_each(|rule| needs.extend(&rule.needs));
        let of_call = ["arguments", "roles"].iter().any(|part| needs.at(&["context", part]).is_some());
        if !is_known(&self.schema, &request.action) && of_call {
            let name = action_name(&request.action);
            return Some(self.denied(
                format!("a forbid may be about `{name}`, whose arguments the policies of now do not know"),
                format!("`{name}` can no longer be called"),
            ));
        }
        let scene = match self.scene(request, &needs) {
            Ok(scene) => scene,
            Err(unfit) => return Some(self.unfit(&unfit)),
        };
        let verdicts =
            request.principal.agents.iter().map(|agent| self.for_agent(request, agent, &scene, true));
        verdicts.reduce(Verdict::stricter).filter(|verdict| verdict.outcome != Outcome::Allow)
    }

    /// A request as Cedar is asked it for one agent, with everything that any policy may look at: for those who ask Cedar
    /// themselves. Fails with why it cannot be put.
    pub fn question(&self, request: &Request, agent: &str) -> Result<(Question, Entities), String> {
        let mut needs = Needs::default();
        self.rules.iter().for_each(|rule| needs.extend(&rule.needs));
        let case = self.scene(request, &needs).and_then(|scene| scene.case(&self.names, agent));
        let (question, entities) = case.map_err(|Unfit(why)| why)?;
        Ok((question.into(), entities.into()))
    }

    fn for_agent(&self, request: &Request, agent: &str, scene: &Scene, forbids_only: bool) -> Verdict {
        let (question, entities) = match scene.case(&self.names, agent) {
            Ok(case) => case,
            Err(unfit) => return self.unfit(&unfit),
        };
        let evaluator = Evaluator::new(question, &entities, Extensions::all_available());
        let found = self.evaluate(request, agent, &evaluator, forbids_only);
        let judge = |all: bool| self.judge(&found, all, request.approved, forbids_only);
        let judged = judge(false);
        let is_watched = |index: &usize| self.rules.get(*index).is_some_and(|rule| rule.annotations.log_only);
        let mut hit =
            found.permits.iter().chain(&found.forbids).chain(found.errors.iter().map(|(index, _)| index));
        let watched = hit.any(is_watched).then(|| judge(true));
        let watched = watched.filter(|watched| watched.outcome != judged.outcome);
        let watched =
            watched.map(|watched| Watched { policies: self.ids(&watched.rules), outcome: watched.outcome });
        let tell = (judged.outcome == Outcome::Deny).then(|| self.tell(request, agent, &evaluator, &judged));
        Verdict {
            reason: self.reason(request, agent, &judged),
            policies: self.ids(&judged.rules),
            outcome: judged.outcome,
            tell,
            watched,
            version: Some(self.version()),
        }
    }

    fn scene(&self, request: &Request, needs: &Needs) -> Result<Scene, Unfit> {
        Scene::of(request, &self.schema, &self.names, self.action(&request.action)?, needs)
    }

    fn evaluate(
        &self,
        request: &Request,
        agent: &str,
        evaluator: &Evaluator<'_>,
        forbids_only: bool,
    ) -> Found {
        let mut found = Found::default();
        for (index, rule) in self.rules_for(request, agent) {
            let held = match rule.effect {
                Effect::Permit if forbids_only => continue,
                Effect::Permit => &mut found.permits,
                Effect::Forbid => &mut found.forbids,
            };
            match rule.holds(evaluator) {
                Ok(true) => held.push(index),
                Ok(false) => {}
                Err(why) => found.errors.push((index, why)),
            }
        }
        found
    }

    fn judge(&self, found: &Found, all: bool, approved: bool, forbids_only: bool) -> Judgement {
        let counted = |rules: &[usize]| -> Vec<(usize, &Rule)> {
            let rules = rules.iter().filter_map(|index| Some((*index, self.rules.get(*index)?)));
            rules.filter(|(_, rule)| all || !rule.annotations.log_only).collect()
        };
        let places = |rules: &[(usize, &Rule)]| rules.iter().map(|(index, _)| *index).collect::<Vec<_>>();
        let (permits, forbids) = (counted(&found.permits), counted(&found.forbids));

        let hard: Vec<_> = forbids.iter().filter(|(_, rule)| rule.is_hard()).copied().collect();
        if !hard.is_empty() {
            return Judgement { outcome: Outcome::Deny, rules: places(&hard), cause: Cause::Forbidden };
        }
        let failed = found.errors.iter().find(|(index, _)| !counted(&[*index]).is_empty());
        if let Some((index, why)) = failed {
            let cause = Cause::Failed(why.clone());
            return Judgement { outcome: Outcome::Deny, rules: vec![*index], cause };
        }
        if permits.is_empty() && !forbids_only {
            return Judgement { outcome: Outcome::Deny, rules: Vec::new(), cause: Cause::NothingPermits };
        }
        let asks = |(_, rule): &&(usize, &Rule)| rule.annotations.ask.is_some() && !approved;
        let masks = |(_, rule): &&(usize, &Rule)| !rule.annotations.redact.is_empty();
        let free: Vec<_> = permits.iter().filter(|rule| !asks(rule) && !masks(rule)).copied().collect();
        let masked: Vec<_> = permits.iter().filter(|rule| !asks(rule) && masks(rule)).copied().collect();
        let asking: Vec<_> = forbids.iter().filter(asks).copied().collect();
        if !asking.is_empty() {
            return Judgement { outcome: Outcome::Ask, rules: places(&asking), cause: Cause::Permitted };
        }
        if free.is_empty() && masked.is_empty() && !permits.is_empty() {
            return Judgement { outcome: Outcome::Ask, rules: places(&permits), cause: Cause::Permitted };
        }
        let mut reasons: Vec<_> = forbids.iter().filter(masks).copied().collect();
        reasons.extend(if free.is_empty() { &masked } else { &free });
        let kinds: BTreeSet<&String> =
            reasons.iter().flat_map(|(_, rule)| &rule.annotations.redact).collect();
        let outcome = match kinds.is_empty() {
            true => Outcome::Allow,
            false => Outcome::Redact(kinds.into_iter().cloned().collect()),
        };
        Judgement { outcome, rules: places(&reasons), cause: Cause::Permitted }
    }

    /// Why, for the operator.
    fn reason(&self, request: &Request, agent: &str, judged: &Judgement) -> String {
        let rules = || judged.rules.iter().filter_map(|index| self.rules.get(*index));
        let names = || rules().map(|rule| format!("`{}`", rule.id)).collect::<Vec<_>>().join(", ");
        let said: Vec<&str> = match judged.outcome {
            Outcome::Ask => rules().filter_map(|rule| rule.annotations.ask.as_deref()).collect(),
            _ => rules().filter_map(|rule| rule.annotations.reason.as_deref()).collect(),
        };
        let plain = match (&judged.cause, &judged.outcome) {
            (Cause::NothingPermits, _) => {
                format!("no policy permits `{}` to the agent `{agent}`", action_name(&request.action))
            }
            (Cause::Failed(why), _) => format!("{} could not be evaluated: {why}", names()),
            (Cause::Forbidden, _) if said.is_empty() => format!("forbidden by {}", names()),
            (_, Outcome::Redact(kinds)) if said.is_empty() => {
                format!("permitted by {} once {} is masked", names(), kinds.join(", "))
            }
            (_, Outcome::Allow) if said.is_empty() => format!("permitted by {}", names()),
            _ => said.join("; "),
        };
        let first = request.principal.agents.first().is_none_or(|first| first == agent);
        if first || matches!(judged.cause, Cause::NothingPermits) {
            plain
        } else {
            format!("for the agent `{agent}` behind it: {plain}")
        }
    }

    /// Why, for the model: what is missing, as the conditions have it; else what their author says; else what can be said
    /// of any denial.
    fn tell(&self, request: &Request, agent: &str, evaluator: &Evaluator<'_>, judged: &Judgement) -> String {
        let asked = Asked { evaluator, read: &self.read };
        let (author, advice): (Vec<&str>, Vec<Advice>) = match judged.cause {
            Cause::NothingPermits => self.missing(request, agent, &asked),
            _ => {
                let rules = judged.rules.iter().filter_map(|index| self.rules.get(*index));
                let rules: Vec<&Rule> = rules.collect();
                let author = rules.iter().filter_map(|rule| rule.annotations.tell.as_deref()).collect();
                let atoms = rules.iter().flat_map(|rule| rule.atoms());
                (author, atoms.filter_map(|atom| asked.avoid(atom)).collect())
            }
        };
        let texts = |of_session: bool| {
            let mut texts: Vec<&str> = advice
                .iter()
                .filter(|advice| advice.of_session == of_session)
                .map(|advice| advice.text.as_str())
                .collect();
            texts.dedup();
            texts.join("; ")
        };
        let (session, other) = (texts(true), texts(false));
        let said = [session, author.join("; "), other].into_iter().find(|text| !text.is_empty());
        said.unwrap_or_else(|| {
            format!(
                "the policies do not allow this call of `{}`; find another way or tell the user",
                action_name(&request.action)
            )
        })
    }

    /// What the permit lacks that lacks least.
    fn missing(&self, request: &Request, agent: &str, asked: &Asked<'_>) -> (Vec<&str>, Vec<Advice>) {
        let permits = self.rules_for(request, agent).map(|(_, rule)| rule);
        let permits = permits.filter(|rule| rule.effect == Effect::Permit && !rule.annotations.log_only);
        let lacking = permits.map(|rule| {
            let unmet: Vec<_> = rule.atoms().iter().filter(|atom| !asked.is_met(atom)).collect();
            (rule, unmet)
        });
        // One whose conditions are all met is for another resource.
        let nearest = lacking.filter(|(_, unmet)| !unmet.is_empty()).min_by_key(|(_, unmet)| unmet.len());
        let Some((rule, unmet)) = nearest else { return (Vec::new(), Vec::new()) };
        let author = rule.annotations.tell.as_deref().into_iter().collect();
        (author, unmet.into_iter().filter_map(|atom| asked.mend(atom)).collect())
    }

    fn enforced_needs(&self, action: &Action) -> Needs {
        let mut needs = Needs::default();
        let rules = self.rules_of(action).filter(|rule| !rule.annotations.log_only);
        rules.for_each(|rule| needs.extend(&rule.needs));
        needs
    }

    /// The rules that can hold for an action of an agent, each once and in the order of the files.
    fn rules_for(&self, request: &Request, agent: &str) -> impl Iterator<Item = (usize, &Rule)> {
        let groups = self.groups(&request.action);
        let rules = self.slices.get(action_name(&request.action), &groups, &request.principal, agent);
        // A policy for several groups is met once for each.
        let mut rules: Vec<usize> = rules.collect();
        rules.sort_unstable();
        rules.dedup();
        rules.into_iter().filter_map(|index| Some((index, self.rules.get(index)?)))
    }

    /// The rules of an action, whoever wants it, each once.
    fn rules_of(&self, action: &Action) -> impl Iterator<Item = &Rule> {
        let rules: BTreeSet<usize> = self.slices.rules(action_name(action), &self.groups(action)).collect();
        rules.into_iter().filter_map(|index| self.rules.get(index))
    }

    fn groups(&self, action: &Action) -> Cow<'_, [String]> {
        match action {
            Action::Tool(tool) => match self.scopes.get(tool) {
                Some(scope) => Cow::Borrowed(&scope.groups),
                None => Cow::Owned(self.schema.groups(tool)),
            },
            _ => Cow::Borrowed(&[]),
        }
    }

    fn action(&self, action: &Action) -> Result<Arc<Entity>, Unfit> {
        match action {
            Action::Tool(tool) if let Some(scope) = self.scopes.get(tool) => Ok(Arc::clone(&scope.entity)),
            _ => self.names.action(action_name(action), &self.groups(action)),
        }
    }

    fn ids(&self, rules: &[usize]) -> Vec<String> {
        rules.iter().filter_map(|index| self.rules.get(*index)).map(|rule| rule.id.clone()).collect()
    }

    fn unfit(&self, Unfit(why): &Unfit) -> Verdict {
        self.denied(format!("the request cannot be put to the policies: {why}"), why.clone())
    }

    fn denied(&self, reason: String, tell: String) -> Verdict {
        Verdict {
            outcome: Outcome::Deny,
            policies: Vec::new(),
            reason,
            tell: Some(tell),
            watched: None,
            version: Some(self.version()),
        }
    }
}
