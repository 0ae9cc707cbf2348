//! [`Caller`]: who asks.

use std::sync::Arc;

use adjutant::Adjutant;
use adjutant::durable::After;
use adjutant_core::id::SessionId;
use adjutant_core::role::{Right, Role};
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};

/// Somebody who may ask a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// What they are called.
    pub(crate) name: String,
    /// What records say of who did something: their name, with what tells them from all others that have or had it.
    pub(crate) by: String,
    /// The tenant that they are of.
    pub(crate) tenant: Arc<str>,
    /// What they may do.
    pub(crate) role: Role,
    /// What they are confined to, such as `agent:desk`; nothing where there is none.
    pub(crate) scopes: Vec<String>,
    /// Whether they reach only what is done for the person that they are.
    pub(crate) own_only: bool,
    /// The person that they are, where the identity provider says so: their runs are for nobody else.
    pub(crate) user: Option<String>,
    /// What may be told of that person to policies.
    pub(crate) claims: serde_json::Map<String, serde_json::Value>,
    /// What their requests are counted by.
    pub(crate) counted_as: String,
}

impl Who {
    /// Whoever brings no key, where that is allowed.
    pub(crate) fn anonymous(role: Role, tenant: &Arc<str>) -> Self {
        let name = "anonymous".to_owned();
        Self {
            counted_as: name.clone(),
            by: name.clone(),
            name,
            tenant: Arc::clone(tenant),
            role,
            scopes: Vec::new(),
            own_only: false,
            user: None,
            claims: serde_json::Map::new(),
        }
    }

    /// Whether they may say something in a conversation whose turns are for these persons, on behalf of the person that they name. Who is
    /// a person by their token has conversations of their own. Of all others, what they claim is held to what was claimed before; who
    /// administers everything is held to nothing.
    pub(crate) fn speaks<'a>(
        &self,
        named: Option<&str>,
        mut owners: impl Iterator<Item = Option<&'a str>>,
    ) -> bool {
        match (self.user.as_deref(), named) {
            (Some(user), _) => owners.all(|owner| owner == Some(user)),
            _ if self.role.may(Right::Administer) && self.scopes.is_empty() => true,
            (None, Some(named)) => owners.all(|owner| owner.is_none_or(|owner| owner == named)),
            (None, None) => self.scopes.is_empty() || owners.all(|owner| owner.is_none()),
        }
    }

    /// Whether what they are confined to includes this, such as `agent:desk`.
    pub(crate) fn reaches(&self, what: &str) -> bool {
        let includes = |scope: &String| match scope.strip_suffix('*') {
            Some(beginning) => what.starts_with(beginning),
            None => scope == what,
        };
        self.scopes.is_empty() || self.scopes.iter().any(includes)
    }

    /// Whether what an agent or workflow does for somebody is for them to see.
    pub(crate) fn sees(&self, agent: &str, user: Option<&str>) -> bool {
        self.reaches(&format!("agent:{agent}")) && (!self.own_only || self.user.as_deref() == user)
    }
}

/// Who asks, with what is theirs: the one way from a request to an [`Adjutant`], which is their tenant's and no other. It is made
/// where requests are identified and nowhere else, so no handler can name a tenant.
#[derive(Clone)]
pub(crate) struct Caller {
    who: Arc<Who>,
    adjutant: Adjutant,
    /// What they showed; none where nothing has to be shown.
    shown: Option<Arc<Secret>>,
}

impl Caller {
    pub(crate) fn new(who: Arc<Who>, adjutant: &Adjutant, shown: Option<&str>) -> Self {
        let adjutant = adjutant.by(&who.by);
        Self { who, adjutant, shown: shown.map(|shown| Arc::new(Secret::new(shown))) }
    }

    /// What they showed, by which it can be found out whether they are still who they were.
    pub(crate) fn shown(&self) -> Option<&Secret> {
        self.shown.as_deref()
    }

    /// What is theirs.
    pub(crate) fn adjutant(&self) -> &Adjutant {
        &self.adjutant
    }

    /// Who they are.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// Fails with [`Code::Forbidden`] unless they may do such a thing.
    pub(crate) fn must(&self, right: Right) -> Result<()> {
        if self.who.role.may(right) {
            return Ok(());
        }
        let (name, role) = (&self.who.name, self.who.role);
        let roles: Vec<_> =
            Role::ALL.iter().filter(|role| role.may(right)).map(|role| format!("`{role}`")).collect();
        Err(Error::new(Code::Forbidden, format!("`{name}` has the role `{role}`, which may not do that"))
            .with_help(format!("ask with a key that has one of the roles {}", roles.join(", "))))
    }

    /// Whether they reach all that was said in a conversation: every turn sees those before it, and all share one folder. Who is
    /// confined to nothing does, and everybody reaches one that has not begun.
    pub(crate) async fn reaches_session(&self, session: &SessionId) -> Result<bool> {
        if self.who.scopes.is_empty() && !self.who.own_only {
            return Ok(true);
        }
        let turns = self.adjutant.session(session.clone()).turns().await?;
        Ok(turns.iter().all(|turn| self.who.sees(&turn.name, turn.user.as_deref())))
    }

    /// Fails with [`Code::NotFound`] unless they may say something in a conversation on behalf of the person that they name: they reach
    /// it, and it is nobody else's. Returns how it stands, where that is why they may.
    pub(crate) async fn may_join(&self, session: &SessionId, named: Option<&str>) -> Result<Option<After>> {
        // Most ask for nobody in particular, with a key that is confined to nothing: for them nothing is to be read.
        let is_confined = !self.who.scopes.is_empty() || self.who.own_only;
        if !is_confined && self.who.speaks(named, std::iter::once(Some(""))) {
            return Ok(None);
        }
        let turns = self.adjutant.session(session.clone()).turns().await?;
        let is_theirs = self.who.speaks(named, turns.iter().map(|turn| turn.user.as_deref()));
        if is_theirs && turns.iter().all(|turn| self.who.sees(&turn.name, turn.user.as_deref())) {
            return Ok(Some(After::turns(turns.iter().map(|turn| &turn.run))));
        }
        Err(Error::new(Code::NotFound, format!("there is no session `{session}`"))
            .with_help("choose another name for a new one"))
    }

    /// Fails with [`Code::Forbidden`] where they are a person by their token, and a run is to work for another, or for nobody.
    pub(crate) fn works_for(&self, user: Option<&str>) -> Result<()> {
        match self.who.user.as_deref() {
            Some(own) if user != Some(own) => {
                Err(Error::new(Code::Forbidden, format!("`{}` works for `{own}` alone", self.who.name)))
            }
            _ => Ok(()),
        }
    }

    /// Fails with [`Code::Forbidden`] where they reach only what is done for them: what they ask is about more than that, or about how
    /// it is done.
    pub(crate) fn oversee(&self) -> Result<()> {
        match self.who.own_only {
            false => Ok(()),
            true => Err(Error::new(
                Code::Forbidden,
                format!("`{}` reaches what is done for them, and this is more", self.who.name),
            )),
        }
    }

    /// Fails with [`Code::Forbidden`] unless what they are confined to includes this, such as `agent:desk`.
    pub(crate) fn reach(&self, what: &str) -> Result<()> {
        if self.who.reaches(what) {
            return Ok(());
        }
        let (name, scopes) = (&self.who.name, self.who.scopes.join(", "));
        Err(Error::new(
            Code::Forbidden,
            format!("`{name}` is confined to {scopes}, which does not include `{what}`"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether somebody with a role and scopes, who is a person or not, may join what was said by these.
    fn joins(
        role: Role,
        scopes: &[&str],
        user: Option<&str>,
        named: Option<&str>,
        owners: &[Option<&str>],
    ) -> bool {
        let tenant = Arc::from("local");
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let who = Who { scopes, user: user.map(str::to_owned), ..Who::anonymous(role, &tenant) };
        who.speaks(named, owners.iter().copied())
    }

    #[test]
    fn what_a_request_claims_is_held_to_whose_the_conversation_is() {
        let (ann, bob) = (Some("ann"), Some("bob"));
        let operator = |named, owners: &[_]| joins(Role::Operator, &[], None, named, owners);
        assert!(operator(ann, &[]) && operator(ann, &[ann, ann]) && operator(ann, &[None]));
        assert!(!operator(bob, &[ann]) && !operator(bob, &[bob, ann]));
        assert!(operator(None, &[ann]), "software that serves everybody names nobody");
        let confined = |named, owners: &[_]| joins(Role::Operator, &["agent:desk"], None, named, owners);
        assert!(confined(None, &[None]) && confined(ann, &[ann]));
        assert!(!confined(None, &[ann]) && !confined(bob, &[ann]));
        assert!(joins(Role::Admin, &[], None, bob, &[ann]));
        assert!(!joins(Role::Admin, &["agent:*"], None, bob, &[ann]));
        assert!(!joins(Role::Admin, &[], bob, None, &[ann]), "a person has their own alone");
        assert!(!joins(Role::Operator, &[], bob, None, &[None]));
    }
}
