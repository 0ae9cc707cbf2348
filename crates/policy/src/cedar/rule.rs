//! [`Rule`]: one policy with everything that is known of it before a decision.

use std::sync::OnceLock;

use cedar_policy::pst::{self, ActionConstraint, Clause, EntityOrSlot, EntityUID, PrincipalConstraint};
use cedar_policy::{Effect, Policy};
use cedar_policy_core::ast::{self, Expr, Literal, SlotEnv, ValueKind};
use cedar_policy_core::evaluator::Evaluator;

use super::annotation::Annotations;
use super::needs::Needs;
use super::tell::{self, Atom};

/// One policy.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    /// Its file, as a place in the list of files.
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) column: usize,
    /// How many bytes it has.
    pub(super) size: usize,
    pub(super) annotations: Annotations,
    pub(super) effect: Effect,
    pub(super) whose: Whose,
    pub(super) actions: Actions,
    pub(super) resource: pst::ResourceConstraint,
    pub(super) clauses: Vec<Clause>,
    pub(super) needs: Needs,
    pub(super) policy: Policy,
    /// The scope and the conditions as one expression.
    whole: Expr,
    /// What the conditions ask for, one by one; made when a denial is explained.
    atoms: OnceLock<Vec<Atom>>,
}

/// For whom a policy can hold, by its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Anyone,
    Agent(String),
    User(String),
    Tenant(String),
}

/// For which actions a policy can hold, by its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Actions {
    All,
    /// These, or those in these groups.
    Named(Vec<String>),
}

/// Where a policy stands.
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) size: usize,
}

impl Rule {
    /// Takes a policy apart. Fails, with a message and what to do, where it is a template or has the name of no policy.
    pub(super) fn of(policy: &Policy, at: &Place, file: &str) -> Result<Self, Vec<(String, String)>> {
        let template = || {
            let help = "write the entity in place of `?principal` or `?resource`".to_owned();
            vec![("a policy must be whole, and this one is a template".to_owned(), help)]
        };
        let Ok(pst::Policy::Static(read)) = policy.to_pst() else { return Err(template()) };
        let body = read.body();
        let (annotations, mut mistakes) = Annotations::of(policy);
        if annotations.ask.is_some() && annotations.ask.as_deref() == Some("") {
            mistakes.push((
                "`@ask` must say why a person is asked".to_owned(),
                "write `@ask(\"money leaves the house\")`".to_owned(),
            ));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let id = annotations.id.clone().unwrap_or_else(|| format!("{file}:{}", at.line));
        Ok(Self {
            whole: AsRef::<ast::Policy>::as_ref(policy).condition(),
            policy: policy.new_id(cedar_policy::PolicyId::new(&id)),
            id,
            file: at.file,
            line: at.line,
            column: at.column,
            size: at.size,
            annotations,
            effect: policy.effect(),
            whose: whose(&body.principal),
            actions: match &body.action {
                ActionConstraint::Any => Actions::All,
                ActionConstraint::Eq(action) => Actions::Named(vec![action.eid.to_string()]),
                ActionConstraint::In(actions) => {
                    Actions::Named(actions.iter().map(|action| action.eid.to_string()).collect())
                }
            },
            resource: body.resource.clone(),
            needs: Needs::of(body.clauses()),
            clauses: body.clauses().clone(),
            atoms: OnceLock::new(),
        })
    }

    /// What the conditions ask for, one by one.
    pub(super) fn atoms(&self) -> &[Atom] {
        self.atoms.get_or_init(|| tell::atoms(&self.clauses))
    }

    /// Whether it holds for a request. Fails with why it cannot be evaluated.
    pub(super) fn holds(&self, evaluator: &Evaluator<'_>) -> Result<bool, String> {
        let value = evaluator.interpret(&self.whole, &SlotEnv::new()).map_err(|error| error.to_string())?;
        match value.value {
            ValueKind::Lit(Literal::Bool(holds)) => Ok(holds),
            other => Err(format!("`{other}` is neither true nor false")),
        }
    }

    /// Whether it is a forbid that nothing lifts.
    pub(super) fn is_hard(&self) -> bool {
        self.effect == Effect::Forbid && self.annotations.ask.is_none() && self.annotations.redact.is_empty()
    }
}

fn whose(principal: &PrincipalConstraint) -> Whose {
    match principal {
        PrincipalConstraint::Eq(EntityOrSlot::Entity(entity))
        | PrincipalConstraint::In(EntityOrSlot::Entity(entity))
        | PrincipalConstraint::IsIn(_, EntityOrSlot::Entity(entity)) => named(entity),
        _ => Whose::Anyone,
    }
}

fn named(entity: &EntityUID) -> Whose {
    let id = entity.eid.to_string();
    match entity.ty.to_string().as_str() {
        super::schema::AGENT => Whose::Agent(id),
        super::schema::USER => Whose::User(id),
        super::schema::TENANT => Whose::Tenant(id),
        // It holds for nobody, which is found when it is evaluated.
        _ => Whose::Anyone,
    }
}
