//! [`Keys`]: with what a service is asked.

mod seen;
mod token;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use adjutant_core::id::Scope;
use adjutant_core::role::Role;
use adjutant_core::secret::Secret;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Directory, Key, KeyInfo, Revoked};
use adjutant_store::random;

use crate::adjutant::Adjutant;

use seen::Seen;
use token::Token;

/// The longest name of a key, and the longest scope.
const LONGEST: usize = 100;

/// The most scopes of one key.
const MOST_SCOPES: usize = 100;

/// The keys of one tenant of a project. Cheap to clone; clones remember together which keys they have seen.
///
/// The token of a key is told once, when it is made. The store has a hash of it and cannot tell it again.
#[derive(Clone)]
pub struct Keys {
    directory: Arc<dyn Directory>,
    scope: Scope,
    clock: Arc<dyn Clock>,
    seen: SeenKeys,
}

/// The keys that a process has seen, of all tenants of a project: one that is taken back is refused at once, whoever takes it back.
#[derive(Clone)]
pub(crate) struct SeenKeys(Arc<Mutex<Seen>>);

impl Default for SeenKeys {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Seen::new(Instant::now()))))
    }
}

/// What a new key is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What people know it by.
    pub name: String,
    /// What may be done with it.
    pub role: Role,
    /// What it is confined to, such as `agent:desk` or `model:gpt-*`; nothing where there is none.
    pub scopes: Vec<String>,
    /// After how long it is over; never where none is given.
    pub lasts: Option<Duration>,
}

impl NewKey {
    /// A key that is confined to nothing and holds until it is taken back.
    pub fn new(name: impl Into<String>, role: Role) -> Self {
        Self { name: name.into(), role, scopes: Vec::new(), lasts: None }
    }

    fn check(&self) -> Result<()> {
        let refuse =
            |message: String, help: &str| Err(Error::new(Code::InputInvalid, message).with_help(help));
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
            return refuse("a key needs a name of 1 to 100 characters".to_owned(), "say who or what uses it");
        }
        if self.scopes.len() > MOST_SCOPES {
            return refuse(format!("a key has at most {MOST_SCOPES} scopes"), "use `*` at the end of one");
        }
        match self.scopes.iter().find(|scope| !is_scope(scope)) {
            Some(scope) if meant(scope).is_some() => refuse(
                format!("`{scope}` is not a scope of a key"),
                &format!("did you mean `{}`?", meant(scope).unwrap_or_default()),
            ),
            Some(scope) => refuse(
                format!("`{scope}` is not a scope of a key"),
                "write it as `agent:NAME`, for a workflow too, as `model:NAME` or `service:metrics`; a `*` may stand at its end",
            ),
            None => Ok(()),
        }
    }
}

impl Adjutant {
    /// What to say to whoever makes a key with scopes that no agent or workflow of the project answers to: a sentence each. It may be a
    /// slip, and it may be one that comes later.
    pub fn unmet_scopes(&self, scopes: &[String]) -> Vec<String> {
        let project = self.project();
        let agents: Vec<&str> = project.agents().map(|source| source.name.as_str()).collect();
        unmet_scopes(scopes, &agents)
    }
}

fn unmet_scopes(scopes: &[String], agents: &[&str]) -> Vec<String> {
    let unmet = scopes.iter().filter_map(|scope| {
        let name = scope.strip_prefix("agent:")?;
        let answers = |agent: &str| match name.strip_suffix('*') {
            Some(beginning) => agent.starts_with(beginning),
            None => agent == name,
        };
        if agents.iter().copied().any(answers) {
            return None;
        }
        let meant = adjutant_core::nearest(name, agents.iter().copied());
        let meant = meant.map(|agent| format!("; did you mean `agent:{agent}`?")).unwrap_or_default();
        Some(format!("`{scope}`: the project has no such agent or workflow{meant}"))
    });
    unmet.collect()
}

/// What a key can be confined to. Workflows are asked as agents are; of the service there are its `metrics` and its `policies`.
const KINDS: [&str; 3] = ["agent", "model", "service"];

/// The scope that was probably meant by one of a kind that there is not.
fn meant(scope: &str) -> Option<String> {
    let (kind, name) = scope.split_once(':')?;
    let kind = match kind {
        "workflow" => "agent",
        _ => adjutant_core::nearest(kind, KINDS)?,
    };
    Some(format!("{kind}:{name}")).filter(|meant| meant != scope && is_scope(meant))
}

/// Whether a text is what a key can be confined to: a kind, a colon and a name, with a star at most at its end.
fn is_scope(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_graphic() && byte != b'*';
    let whole = text.strip_suffix('*').unwrap_or(text);
    text.len() <= LONGEST
        && text.split_once(':').is_some_and(|(kind, name)| KINDS.contains(&kind) && !name.is_empty())
        && whole.bytes().all(is_name)
}

/// A key that was made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The key.
    pub key: KeyInfo,
    /// What is sent with each request; it is told now and never again.
    pub token: Secret,
}

impl Keys {
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        scope: Scope,
        clock: Arc<dyn Clock>,
        seen: &SeenKeys,
    ) -> Self {
        Self { directory, scope, clock, seen: seen.clone() }
    }

    /// The keys of another tenant of the project. Fails with [`Code::InputInvalid`] for what is no name of a tenant.
    pub fn of_tenant(&self, tenant: &str) -> Result<Self> {
        Ok(Self { scope: Scope::new(tenant, &self.scope.project)?, ..self.clone() })
    }

    /// The tenants that have a key or a run in the project, in the order of their names.
    pub async fn tenants(&self) -> Result<Vec<String>> {
        self.directory.tenants(&self.scope.project).await
    }

    /// Makes a key. Fails with [`Code::InputInvalid`].
    pub async fn create(&self, new: NewKey, by: &str) -> Result<NewToken> {
        let (key, token) = self.make(new, by)?;
        self.directory.add_key(key.clone()).await?;
        Ok(NewToken { key: key.info, token })
    }

    /// Makes the first key of the project; none where it has one, of whatever tenant. Of several processes that begin at the same
    /// time, one makes it.
    pub async fn create_first(&self, new: NewKey, by: &str) -> Result<Option<NewToken>> {
        let (key, token) = self.make(new, by)?;
        let made = self.directory.add_first_key(key.clone()).await?;
        Ok(made.then_some(NewToken { key: key.info, token }))
    }

    /// The keys, the newest first; those too that are over.
    pub async fn list(&self) -> Result<Vec<KeyInfo>> {
        self.directory.keys(&self.scope).await
    }

    /// Takes a key back. This process refuses it from now on, others within two seconds.
    ///
    /// Fails with [`Code::NotFound`], and with [`Code::Conflict`] where somebody has taken it back, saying who, and where it is the
    /// last with which the tenant is administered.
    pub async fn revoke(&self, id: &str, by: &str, reason: Option<String>) -> Result<KeyInfo> {
        self.take_back(id, by, reason, false).await
    }

    /// Takes a key back, be it the last with which the tenant is administered. Fails as [`revoke`](Self::revoke) does otherwise.
    pub async fn revoke_last(&self, id: &str, by: &str, reason: Option<String>) -> Result<KeyInfo> {
        self.take_back(id, by, reason, true).await
    }

    async fn take_back(&self, id: &str, by: &str, reason: Option<String>, last: bool) -> Result<KeyInfo> {
        let revoked = Revoked { by: by.to_owned(), at: self.clock.now(), reason };
        let key = self.directory.revoke_key(&self.scope, id, revoked.clone(), last).await;
        self.seen().forget(id, Instant::now());
        let key = key.map_err(list_them)?;
        match &key.revoked {
            Some(there) if *there != revoked => {
                let message = format!("{} has taken the key `{id}` back already", there.by);
                Err(Error::new(Code::Conflict, message).with_help("`adjutant keys list --all` says when"))
            }
            _ => Ok(key),
        }
    }

    /// Makes a key that takes the place of another: with its name, role, scopes, and time to last. The old one holds for `overlap`
    /// more, so that whoever uses it can change over.
    ///
    /// Fails with [`Code::NotFound`], and with [`Code::Conflict`] for one that was taken back, replaced, or is over.
    pub async fn rotate(&self, id: &str, overlap: Duration, by: &str) -> Result<NewToken> {
        let now = self.clock.now();
        let keys = self.list().await?;
        let old = keys.into_iter().find(|key| key.id == id);
        let old =
            old.ok_or_else(|| list_them(Error::new(Code::NotFound, format!("there is no key `{id}`"))))?;
        if old.revoked.is_none() && !old.holds(now) {
            return Err(Error::new(Code::Conflict, format!("the key `{id}` is over"))
                .with_help("`adjutant keys create` makes a new one"));
        }
        let lasts = old.expires.map(|expires| expires.since(old.created));
        let began_as = Some(old.identity().to_owned());
        let (mut key, token) =
            self.make(NewKey { name: old.name, role: old.role, scopes: old.scopes, lasts }, by)?;
        key.info.began_as = began_as;
        self.directory.rotate_key(id, key.clone(), now.plus(overlap)).await?;
        self.seen().forget(id, Instant::now());
        Ok(NewToken { key: key.info, token })
    }

    /// Whose key a token is, of whichever tenant of the project.
    ///
    /// Fails with [`Code::KeyRefused`]. Whether a key was taken back or is over is told only to those who have its secret.
    pub async fn verify(&self, token: &str) -> Result<KeyInfo> {
        let token = Token::read(token)?;
        let unknown = || {
            Error::new(Code::KeyRefused, "there is no such key").with_help("`adjutant keys create` makes one")
        };
        let remembered = self.seen().fresh(token.id, Instant::now()).cloned();
        let key = match remembered {
            Some(key) => key,
            None => {
                let read = Instant::now();
                let key = self.directory.key(token.id).await?.ok_or_else(unknown)?;
                self.seen().remember(key.clone(), read, Instant::now());
                key
            }
        };
        if key.info.scope.project != self.scope.project || !key.hash.fits(&token.hash()) {
            return Err(unknown());
        }
        let now = self.clock.now();
        if !key.info.holds(now) {
            return Err(over(&key.info));
        }
        let due = self.seen().note(token.id, now, Instant::now());
        if !due.is_empty() {
            // When a key was used is worth no failed request; the next time says it again.
            let directory = Arc::clone(&self.directory);
            tokio::spawn(async move { directory.touch_keys(due).await });
        }
        Ok(key.info)
    }

    /// Writes down when keys were used, which otherwise happens once a minute: for those who stop a service.
    pub async fn settle(&self) -> Result<()> {
        let due = self.seen().settle(Instant::now());
        if due.is_empty() { Ok(()) } else { self.directory.touch_keys(due).await }
    }

    fn make(&self, new: NewKey, by: &str) -> Result<(Key, Secret)> {
        new.check()?;
        let (id, hash, token) = token::make(random::bytes()?, random::bytes()?);
        let created: Timestamp = self.clock.now();
        let info = KeyInfo {
            id,
            scope: self.scope.clone(),
            name: new.name.trim().to_owned(),
            role: new.role,
            scopes: new.scopes,
            created,
            by: by.to_owned(),
            expires: new.lasts.map(|lasts| created.plus(lasts)),
            revoked: None,
            replaced_by: None,
            began_as: None,
            used: None,
        };
        Ok((Key { info, hash }, token))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list_them(error: Error) -> Error {
    match error.code() {
        Code::NotFound => error.with_help("`adjutant keys list` lists those that there are"),
        _ => error,
    }
}

fn over(key: &KeyInfo) -> Error {
    let message = match (&key.revoked, &key.replaced_by) {
        (Some(_), _) => "the key was taken back".to_owned(),
        (None, Some(by)) => format!("the key was replaced by `{by}`, and its time is over"),
        (None, None) => "the key's time is over".to_owned(),
    };
    Error::new(Code::KeyRefused, message).with_help("ask an administrator for a new one")
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_no_agent_answers_to_is_told_and_the_others_are_not() {
        let scopes = ["agent:desk", "agent:de*", "model:x", "agent:dsek", "agent:z*"].map(str::to_owned);
        let told = unmet_scopes(&scopes, &["desk", "report"]);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("`agent:desk`?") && told[1].starts_with("`agent:z*`"), "{told:?}");
    }

    #[test]
    fn the_scope_that_was_meant_is_told() {
        let told = |scope: &str| {
            let new = NewKey { scopes: vec![scope.to_owned()], ..NewKey::new("x", Role::Viewer) };
            new.check().map_err(|error| error.help().unwrap_or_default().to_owned())
        };
        assert_eq!(told("agent:desk"), Ok(()));
        assert!(told("agnet:desk").unwrap_err().contains("mean `agent:desk`"));
        assert!(told("workflow:report").unwrap_err().contains("mean `agent:report`"));
        assert!(told("zebra:x").unwrap_err().contains("`model:NAME`"));
    }

    #[test]
    fn a_scope_is_a_kind_and_a_name() {
        for right in ["agent:desk", "model:openai/gpt-*", "agent:*", "model:a.b"] {
            assert!(is_scope(right), "{right}");
        }
        for wrong in [
            "",
            "agent",
            "agent:",
            "agnet:desk",
            "workflow:desk",
            ":desk",
            "Agent:desk",
            "agent:a*b",
            "agent:a b",
            "*",
            "agent:\u{fc}",
        ] {
            assert!(!is_scope(wrong), "{wrong}");
        }
    }
}
