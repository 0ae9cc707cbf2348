//! [`findings`]: what a solver proves of one set of policies.

use std::collections::BTreeSet;

use adjutant::policy::cedar::Policies;
use adjutant_core::Result;
use cedar_policy::{Effect, Policy};
use cedar_policy_symcc::CompiledPolicy;
use serde::Serialize;

use super::level::{Level, is_watched};
use super::solver::Solver;
use super::space::{Kind, Space};

/// Something that is proved, and that an author hardly meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub(crate) enum Finding {
    /// Whatever is asked is allowed, without asking anybody.
    AllowsEverything {
        /// By this policy alone; otherwise by all together.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// Nothing is ever allowed.
    DeniesEverything {
        /// By this policy alone; otherwise by all together.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// No request of this action is ever allowed, though policies permit some.
    NeverAllowed { action: String },
    /// The conditions of this policy cannot hold.
    NeverHolds { policy: String },
    /// Wherever this policy holds, the other one decides the same, or forbids it.
    Shadowed { policy: String, by: String },
    /// Without this policy all would be decided as with it.
    NoEffect { policy: String },
    /// There are requests for which this policy cannot be evaluated, so that they are denied.
    CanFail { policy: String, action: String },
    /// What could not be proved, and why.
    Open { about: String, why: String },
}

impl Finding {
    /// The policy that it is about.
    pub(crate) fn policy(&self) -> Option<&str> {
        match self {
            Self::AllowsEverything { policy } | Self::DeniesEverything { policy } => policy.as_deref(),
            Self::NeverHolds { policy }
            | Self::Shadowed { policy, .. }
            | Self::NoEffect { policy }
            | Self::CanFail { policy, .. } => Some(policy),
            Self::NeverAllowed { .. } | Self::Open { .. } => None,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AllowsEverything { policy: Some(policy) } => {
                write!(f, "`{policy}` permits everything, whatever it is")
            }
            Self::AllowsEverything { policy: None } => f.write_str("together, the policies allow everything"),
            Self::DeniesEverything { policy: Some(policy) } => {
                write!(f, "`{policy}` forbids everything, whatever the other policies say")
            }
            Self::DeniesEverything { policy: None } => {
                f.write_str("together, the policies allow nothing at all")
            }
            Self::NeverAllowed { action } => {
                write!(f, "`{action}` is never allowed, though a policy permits it")
            }
            Self::NeverHolds { policy } => {
                write!(f, "`{policy}` has no effect: its conditions cannot all hold")
            }
            Self::Shadowed { policy, by } => {
                write!(f, "`{policy}` has no effect: it is shadowed by `{by}`, which holds wherever it does")
            }
            Self::NoEffect { policy } => {
                write!(f, "`{policy}` has no effect: without it, all would be decided as it is")
            }
            Self::CanFail { policy, action } => {
                write!(
                    f,
                    "`{policy}` cannot be evaluated for some requests of `{action}`, which are then denied"
                )
            }
            Self::Open { about, why } => write!(f, "{about} is not proved: {why}"),
        }
    }
}

/// Proves what there is to find. Policies that are only watched are judged as if they were enforced.
pub(crate) async fn findings(policies: &Policies, solver: &mut Solver) -> Result<Vec<Finding>> {
    let space = Space::of(policies.schema(), &[policies])?;
    let all: Vec<&Policy> = policies
        .places()
        .filter_map(|(id, ..)| policies.set().policy(&cedar_policy::PolicyId::new(id)))
        .collect();
    let kinds = space.kinds();
    let mut proofs = Proofs { kinds: &kinds, space: &space, all, solver, found: BTreeSet::new() };
    proofs.of_the_set().await;
    for policy in proofs.all.clone() {
        proofs.of_policy(policy).await;
    }
    Ok(proofs.found.into_iter().collect())
}

struct Proofs<'a> {
    space: &'a Space,
    kinds: &'a [Kind],
    all: Vec<&'a Policy>,
    solver: &'a mut Solver,
    found: BTreeSet<Finding>,
}

/// What is proved; where it is not, it is said, and nothing else follows.
type Proved<T> = std::result::Result<T, String>;

impl<'a> Proofs<'a> {
    async fn of_the_set(&mut self) {
        let (mut allows, mut denies) = (true, true);
        let mut never = Vec::new();
        for kind in self.kinds {
            match self.of_kind(kind).await {
                Ok((always, denied, permitted)) => {
                    allows &= always;
                    denies &= denied;
                    if denied && permitted {
                        never.push(kind.action.clone());
                    }
                }
                Err(why) => {
                    let about = format!("what is allowed of `{}`", kind.action);
                    self.found.insert(Finding::Open { about, why });
                    (allows, denies) = (false, false);
                }
            }
        }
        if allows {
            self.found.insert(Finding::AllowsEverything { policy: None });
        }
        if denies && !self.all.is_empty() {
            self.found.insert(Finding::DeniesEverything { policy: None });
        } else {
            self.found.extend(never.into_iter().map(|action| Finding::NeverAllowed { action }));
        }
    }

    /// Whether all requests of a kind are allowed, whether all are denied, and whether a permit reaches them.
    async fn of_kind(&mut self, kind: &Kind) -> Proved<(bool, bool, bool)> {
        let enforced: Vec<&Policy> = self.enforced(kind).collect();
        let permitted = enforced.iter().any(|policy| policy.effect() == Effect::Permit);
        if !permitted {
            return Ok((false, true, false));
        }
        let free = enforced.iter().copied().filter(|policy| Level::Unattended.has(policy));
        let free = self.space.compile_plain(free, kind)?;
        let some = self.space.compile(Level::WithApproval, enforced.iter().copied(), kind)?;
        let always = self.solver.ask(async |compiler| compiler.check_always_allows_opt(&free).await).await?;
        let denied = self.solver.ask(async |compiler| compiler.check_always_denies_opt(&some).await).await?;
        Ok((always, denied, permitted))
    }

    async fn of_policy(&mut self, policy: &Policy) {
        let name = policy.id().to_string();
        if let Err(why) = self.judge(policy, &name).await {
            self.found.insert(Finding::Open { about: format!("what `{name}` does"), why });
        }
    }

    async fn judge(&mut self, policy: &Policy, name: &str) -> Proved<()> {
        let reached: Vec<&Kind> = self.kinds.iter().filter(|kind| self.space.reaches(policy, kind)).collect();
        let mut everything = reached.len() == self.kinds.len();
        let (mut holds, mut matters) = (false, false);
        for kind in reached.iter().copied() {
            let compiled = self.alone(policy, kind)?;
            let fails = !self.solver.ask(async |c| c.check_never_errors_opt(&compiled).await).await?;
            if fails {
                let (policy, action) = (name.to_owned(), kind.action.clone());
                self.found.insert(Finding::CanFail { policy, action });
            }
            if !self.never(policy, kind).await? {
                holds = true;
                matters = matters || self.matters(policy, kind).await?;
            }
            everything =
                everything && self.solver.ask(async |c| c.check_always_matches_opt(&compiled).await).await?;
        }
        let plain = !["ask", "redact"].iter().any(|asks| policy.annotation(asks).is_some());
        if everything && plain {
            let policy_named = Some(name.to_owned());
            self.found.insert(match policy.effect() {
                Effect::Permit => Finding::AllowsEverything { policy: policy_named },
                Effect::Forbid => Finding::DeniesEverything { policy: policy_named },
            });
        }
        let policy_named = name.to_owned();
        if !holds {
            self.found.insert(Finding::NeverHolds { policy: policy_named });
        } else if !matters {
            let shadow = self.shadow(policy, name, &reached).await?;
            self.found.insert(match shadow {
                Some(by) => Finding::Shadowed { policy: policy_named, by },
                None => Finding::NoEffect { policy: policy_named },
            });
        }
        Ok(())
    }

    /// Whether no request that can be is one for which the policy holds.
    async fn never(&mut self, policy: &Policy, kind: &Kind) -> Proved<bool> {
        // Alone, a permit allows what it holds for, and so does a permit with the scope and conditions of a forbid.
        let permit = permitting(policy)?;
        let set = self.space.compile(Level::WithApproval, [&permit], kind)?;
        self.solver.ask(async |compiler| compiler.check_always_denies_opt(&set).await).await
    }

    /// Whether anything of a kind would be decided otherwise without the policy.
    async fn matters(&mut self, policy: &Policy, kind: &Kind) -> Proved<bool> {
        let others: Vec<&Policy> = self.enforced(kind).filter(|other| other.id() != policy.id()).collect();
        for level in Level::ALL.into_iter().filter(|level| level.has(policy)) {
            let without = self.space.compile(level, others.iter().copied(), kind)?;
            let with = self.space.compile(level, others.iter().copied().chain([policy]), kind)?;
            let question = async |compiler: &mut super::solver::Compiler| {
                compiler.check_equivalent_opt(&without, &with).await
            };
            if !self.solver.ask(question).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One other policy that holds wherever this one does, and decides the same or forbids it.
    async fn shadow(&mut self, policy: &Policy, name: &str, reached: &[&Kind]) -> Proved<Option<String>> {
        let shadowed_by_this = |other: &str| {
            let found = Finding::Shadowed { policy: other.to_owned(), by: name.to_owned() };
            self.found.contains(&found)
        };
        let candidates: Vec<&Policy> = self
            .all
            .iter()
            .copied()
            .filter(|other| other.id() != policy.id() && !is_watched(other) && overrules(other, policy))
            .filter(|other| !shadowed_by_this(other.id().as_ref()))
            .collect();
        for other in candidates {
            if self.implies(policy, other, reached).await? {
                return Ok(Some(other.id().to_string()));
            }
        }
        Ok(None)
    }

    /// Whether the other policy holds wherever this one does.
    async fn implies(&mut self, policy: &Policy, other: &Policy, reached: &[&Kind]) -> Proved<bool> {
        let (this, other) = (permitting(policy)?, permitting(other)?);
        for kind in reached.iter().copied() {
            let narrow = self.space.compile(Level::WithApproval, [&this], kind)?;
            let wide = self.space.compile(Level::WithApproval, [&other], kind)?;
            if !self.solver.ask(async |compiler| compiler.check_implies_opt(&narrow, &wide).await).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn alone(&self, policy: &Policy, kind: &Kind) -> Proved<CompiledPolicy> {
        CompiledPolicy::compile(policy, &kind.env, &self.space.schema).map_err(|error| error.to_string())
    }

    fn enforced<'b>(&'b self, kind: &'b Kind) -> impl Iterator<Item = &'a Policy> + use<'a, 'b> {
        self.all.iter().copied().filter(|policy| !is_watched(policy) && self.space.reaches(policy, kind))
    }
}

/// Whether the other policy, where both hold, leaves this one nothing to decide.
fn overrules(other: &Policy, policy: &Policy) -> bool {
    let lifted = |policy: &Policy, by: &str| policy.annotation(by).is_some();
    let hard = other.effect() == Effect::Forbid && !lifted(other, "ask") && !lifted(other, "redact");
    let as_strong = ["ask", "redact"].iter().all(|by| lifted(other, by) == lifted(policy, by));
    hard || other.effect() == policy.effect()
        && (as_strong || Level::AsItIs.has(other) && other.effect() == Effect::Permit)
}

/// A permit with the scope and the conditions of a policy, and without its annotations.
fn permitting(policy: &Policy) -> Proved<Policy> {
    let mut written = policy.to_json().map_err(|error| error.to_string())?;
    if let Some(written) = written.as_object_mut() {
        written.insert("effect".to_owned(), "permit".into());
        written.remove("annotations");
    }
    Policy::from_json(Some(policy.id().clone()), written).map_err(|error| error.to_string())
}
