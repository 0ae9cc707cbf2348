//! The directory: what stands over all tenants.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::id::Scope;
use adjutant_core::time::Timestamp;
use adjutant_durable::{Directory, Key, KeyInfo, Revoked};
use futures::future::BoxFuture;

use crate::key;
use crate::store::Inner;

/// Keys on SQLite.
pub(crate) struct SqliteDirectory(Arc<Inner>);

impl SqliteDirectory {
    pub(crate) fn new(store: Arc<Inner>) -> Self {
        Self(store)
    }
}

impl Directory for SqliteDirectory {
    fn add_key(&self, key: Key) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.0.writer.call(move |connection| key::create(connection, &key)))
    }

    fn add_first_key(&self, key: Key) -> BoxFuture<'_, Result<bool>> {
        Box::pin(self.0.writer.call(move |connection| key::add_first(connection, &key)))
    }

    fn key<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Key>>> {
        let id = id.to_owned();
        Box::pin(self.0.read(move |connection| key::find(connection, &id)))
    }

    fn keys<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<KeyInfo>>> {
        let scope = scope.clone();
        Box::pin(self.0.read(move |connection| key::list(connection, &scope)))
    }

    fn revoke_key<'a>(
        &'a self,
        scope: &'a Scope,
        id: &'a str,
        revoked: Revoked,
        last: bool,
    ) -> BoxFuture<'a, Result<KeyInfo>> {
        let (scope, id) = (scope.clone(), id.to_owned());
        Box::pin(self.0.writer.call(move |connection| key::revoke(connection, (&scope, &id), &revoked, last)))
    }

    fn rotate_key<'a>(&'a self, id: &'a str, new: Key, until: Timestamp) -> BoxFuture<'a, Result<()>> {
        let id = id.to_owned();
        Box::pin(self.0.writer.call(move |connection| key::rotate(connection, &id, &new, until)))
    }

    fn touch_keys(&self, used: Vec<(String, Timestamp)>) -> BoxFuture<'_, Result<()>> {
        Box::pin(
            self.0
                .writer
                .call(move |connection| used.iter().try_for_each(|(id, at)| key::touch(connection, id, *at))),
        )
    }

    fn tenants<'a>(&'a self, project: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let project = project.to_owned();
        Box::pin(self.0.read(move |connection| key::tenants(connection, &project)))
    }
}
