//! The directory of a store: who may ask a service, over all tenants.
//!
//! An engine is one tenant's. Before it is known whose something is, there is only a key; so keys stand beside the engines, and a
//! key is the one thing that can be found without a tenant. Whatever lists takes a scope.

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::role::Role;
use adjutant_core::time::Timestamp;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::grant::Revoked;

/// Keeps the keys of every tenant of a store.
pub trait Directory: Send + Sync + 'static {
    /// Keeps a key. Fails with [`adjutant_core::Code::Conflict`] where there is one with that id.
    fn add_key(&self, key: Key) -> BoxFuture<'_, Result<()>>;

    /// Keeps a key if its project has none at all, of no tenant; returns whether it did. Of several processes that begin at the same
    /// time, one does.
    fn add_first_key(&self, key: Key) -> BoxFuture<'_, Result<bool>>;

    /// The key with that id, whosever it is.
    fn key<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Key>>>;

    /// The keys of one tenant and project, the newest first; those too that are over.
    fn keys<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<KeyInfo>>>;

    /// Takes a key back; the first who does so counts. Returns it as it is then. Fails with
    /// [`adjutant_core::Code::NotFound`], and, unless `last` says that it may be, with [`adjutant_core::Code::Conflict`] where nobody
    /// could administer its scope any more.
    fn revoke_key<'a>(
        &'a self,
        scope: &'a Scope,
        id: &'a str,
        revoked: Revoked,
        last: bool,
    ) -> BoxFuture<'a, Result<KeyInfo>>;

    /// Puts a new key in the place of another of the same scope, which is over at `until` if it is not before. Fails with
    /// [`adjutant_core::Code::NotFound`], and with [`adjutant_core::Code::Conflict`] where the other was taken back or replaced.
    fn rotate_key<'a>(&'a self, id: &'a str, new: Key, until: Timestamp) -> BoxFuture<'a, Result<()>>;

    /// Notes when keys were last used: many at once, since nobody waits for it. What is earlier than what is known changes nothing.
    fn touch_keys(&self, used: Vec<(String, Timestamp)>) -> BoxFuture<'_, Result<()>>;

    /// The tenants that have a key or a run in a project, in the order of their names.
    fn tenants<'a>(&'a self, project: &'a str) -> BoxFuture<'a, Result<Vec<String>>>;
}

/// A key as it is kept: never its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What may be shown of it.
    pub info: KeyInfo,
    /// The hash of its secret, which whoever makes the key computes.
    pub hash: Digest,
}

/// What may be shown of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its public part.
    pub id: String,
    /// Whose it is.
    pub scope: Scope,
    /// What people know it by.
    pub name: String,
    /// What may be done with it.
    pub role: Role,
    /// What it is confined to, such as `agent:desk`; nothing where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it.
    pub by: String,
    /// When it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
    /// The key that was put in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// The key that was there first, where it was put in the place of another: who it is stays, whatever key is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_as: Option<String>,
    /// When it was last used, give or take a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl KeyInfo {
    /// Whether it is accepted at a moment.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether keys can be made with it, and no other was put in its place.
    pub fn administers(&self, now: Timestamp) -> bool {
        self.holds(now) && self.replaced_by.is_none() && self.role == Role::Admin && self.scopes.is_empty()
    }

    /// Who uses it, as records know them: the id of the key that was there first, which no replacement changes.
    pub fn identity(&self) -> &str {
        self.began_as.as_deref().unwrap_or(&self.id)
    }

    /// Whether what it is confined to includes this, such as `agent:desk`: one that is confined to nothing does, and `agent:*`
    /// includes every agent.
    pub fn reaches(&self, what: &str) -> bool {
        let includes = |scope: &String| match scope.strip_suffix('*') {
            Some(beginning) => what.starts_with(beginning),
            None => scope == what,
        };
        self.scopes.is_empty() || self.scopes.iter().any(includes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(scopes: &[&str]) -> KeyInfo {
        KeyInfo {
            id: "a".to_owned(),
            scope: Scope::default(),
            name: "ci".to_owned(),
            role: Role::Operator,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            created: Timestamp(1),
            by: "ann".to_owned(),
            expires: Some(Timestamp(5)),
            revoked: None,
            replaced_by: None,
            began_as: None,
            used: None,
        }
    }

    #[test]
    fn a_key_is_over_when_its_time_is_or_it_was_taken_back() {
        assert!(key(&[]).holds(Timestamp(4)));
        assert!(!key(&[]).holds(Timestamp(5)));
        let revoked = Revoked { by: "ann".to_owned(), at: Timestamp(9), reason: None };
        assert!(!KeyInfo { revoked: Some(revoked), ..key(&[]) }.holds(Timestamp(4)));
    }

    #[test]
    fn a_key_reaches_what_it_is_confined_to() {
        assert!(key(&[]).reaches("agent:desk"));
        let confined = key(&["agent:desk", "model:gpt-*"]);
        for (what, reached) in [
            ("agent:desk", true),
            ("agent:desks", false),
            ("model:gpt-5", true),
            ("model:x", false),
            ("", false),
        ] {
            assert_eq!(confined.reaches(what), reached, "{what}");
        }
    }
}
