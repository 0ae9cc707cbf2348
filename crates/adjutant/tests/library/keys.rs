//! Keys: who may ask a service.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adjutant::core::id::Scope;
use adjutant::core::role::Role;
use adjutant::core::time::{Clock, Timestamp};
use adjutant::model::offline::Offline;
use adjutant::{Adjutant, Code, NewKey, StoreOptions};

/// A clock that is set.
#[derive(Clone)]
struct Set(Arc<AtomicI64>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

fn open(folder: &Path, clock: &Set, scope: Scope) -> Adjutant {
    let options = StoreOptions { clock: Arc::new(clock.clone()), ..StoreOptions::default() };
    let builder = Adjutant::builder().store(folder.join("a.db")).store_options(options).scope(scope);
    builder.model("main", Offline::new()).build().unwrap()
}

fn refused(result: adjutant::Result<impl std::fmt::Debug>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.code(), Code::KeyRefused);
    error.message().to_owned()
}

#[tokio::test]
async fn a_key_is_accepted_until_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Set(Arc::new(AtomicI64::new(1_000)));
    let adjutant = open(folder.path(), &clock, Scope::default());
    let keys = adjutant.keys();
    let new = NewKey { lasts: Some(Duration::from_secs(60)), ..NewKey::new(" ci ", Role::Operator) };
    let made = keys.create(new, "ann").await.unwrap();
    assert_eq!((made.key.name.as_str(), made.key.expires), ("ci", Some(Timestamp(61_000))));
    let known = keys.verify(made.token.expose()).await.unwrap();
    assert_eq!(known, made.key);
    clock.0.store(61_000, Ordering::SeqCst);
    assert_eq!(refused(keys.verify(made.token.expose()).await), "the key's time is over");
    assert!(keys.rotate(&made.key.id, Duration::ZERO, "ann").await.is_err());
    let text = std::fs::read(folder.path().join("a.db")).unwrap();
    let log = std::fs::read(folder.path().join("a.db-wal")).unwrap();
    let secret = &made.token.expose().as_bytes()[21..77];
    let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
    assert!(!holds(&text) && !holds(&log), "the secret is nowhere");
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_refused_in_other_processes_too() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Set(Arc::new(AtomicI64::new(1_000)));
    let (here, there) =
        (open(folder.path(), &clock, Scope::default()), open(folder.path(), &clock, Scope::default()));
    let made = here.keys().create(NewKey::new("ci", Role::Admin), "ann").await.unwrap();
    let (id, token) = (made.key.id.as_str(), made.token.expose());
    there.keys().verify(token).await.unwrap();
    here.keys().verify(token).await.unwrap();
    let last = here.keys().revoke(id, "ann", None).await.unwrap_err();
    assert_eq!((last.code(), last.help().unwrap().contains("--force")), (Code::Conflict, true));
    here.keys().revoke_last(id, "ann", Some("it leaked".to_owned())).await.unwrap();
    assert_eq!(refused(here.keys().verify(token).await), "the key was taken back");
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    assert_eq!(refused(there.keys().verify(token).await), "the key was taken back");
    let again = there.keys().revoke(id, "bob", None).await.unwrap_err();
    assert_eq!((again.code(), again.message().contains("ann")), (Code::Conflict, true));
    let other = here.keys().create(NewKey::new("ci", Role::Admin), "ann").await.unwrap();
    // Somebody who knows an id and makes up a secret, with a right checksum.
    let slip = token.replacen(id, &other.key.id, 1);
    assert!(refused(here.keys().verify(&slip).await).contains("checksum"));
}

#[tokio::test]
async fn a_key_is_of_its_tenant_and_project() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Set(Arc::new(AtomicI64::new(1_000)));
    let adjutant = open(folder.path(), &clock, Scope::default());
    let acme = adjutant.keys().of_tenant("acme").unwrap();
    let first = acme.create_first(NewKey::new("first", Role::Admin), "start").await.unwrap().unwrap();
    let none = adjutant.keys().create_first(NewKey::new("first", Role::Admin), "start").await.unwrap();
    assert!(none.is_none());
    assert_eq!(adjutant.keys().list().await.unwrap(), []);
    assert_eq!(adjutant.keys().tenants().await.unwrap(), ["acme"]);
    let known = adjutant.keys().verify(first.token.expose()).await.unwrap();
    assert_eq!(&*known.scope.tenant, "acme");
    assert_eq!(adjutant.keys().revoke(&first.key.id, "eve", None).await.unwrap_err().code(), Code::NotFound);
    let shop = open(folder.path(), &clock, Scope::new("local", "shop").unwrap());
    assert_eq!(refused(shop.keys().verify(first.token.expose()).await), "there is no such key");
    assert!(adjutant.keys().of_tenant("A/B").is_err());
}

#[tokio::test]
async fn the_old_key_holds_for_a_while_after_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Set(Arc::new(AtomicI64::new(1_000)));
    let adjutant = open(folder.path(), &clock, Scope::default());
    let keys = adjutant.keys();
    let new = NewKey { scopes: vec!["agent:desk".to_owned()], ..NewKey::new("ci", Role::Operator) };
    let old = keys.create(new, "ann").await.unwrap();
    keys.verify(old.token.expose()).await.unwrap();
    let new = keys.rotate(&old.key.id, Duration::from_secs(10), "bob").await.unwrap();
    assert_eq!(
        (&new.key.name, new.key.role, &new.key.scopes),
        (&old.key.name, old.key.role, &old.key.scopes)
    );
    assert_eq!((old.key.identity(), new.key.identity()), (old.key.id.as_str(), old.key.id.as_str()));
    keys.verify(old.token.expose()).await.unwrap();
    keys.verify(new.token.expose()).await.unwrap();
    clock.0.store(11_000, Ordering::SeqCst);
    assert!(refused(keys.verify(old.token.expose()).await).contains(&new.key.id));
    keys.verify(new.token.expose()).await.unwrap();
    keys.settle().await.unwrap();
    let used: Vec<_> = keys.list().await.unwrap().iter().map(|key| key.used).collect();
    assert_eq!(used, [Some(Timestamp(11_000)), Some(Timestamp(1_000))]);
    for wrong in ["", "no colon", "agent:"] {
        let new = NewKey { scopes: vec![wrong.to_owned()], ..NewKey::new("ci", Role::Operator) };
        assert_eq!(keys.create(new, "ann").await.unwrap_err().code(), Code::InputInvalid, "{wrong}");
    }
    assert!(keys.create(NewKey::new("  ", Role::Operator), "ann").await.is_err());
}
