//! Keys, and the tenants that there are.

use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::role::Role;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};

use super::probe::{fails, open, same, start};
use super::{Harness, Instance};
use crate::directory::{Key, KeyInfo};
use crate::grant::Revoked;

fn key(scope: &Scope, id: &str) -> Key {
    let info = KeyInfo {
        id: id.to_owned(),
        scope: scope.clone(),
        name: format!("name of {id}"),
        role: Role::Operator,
        scopes: vec!["agent:desk".to_owned()],
        created: Timestamp(1),
        by: "ann".to_owned(),
        expires: None,
        revoked: None,
        replaced_by: None,
        began_as: None,
        used: None,
    };
    Key { info, hash: Digest::of(id.as_bytes()) }
}

fn by(name: &str) -> Revoked {
    Revoked { by: name.to_owned(), at: Timestamp(2), reason: None }
}

/// A key is there after a crash, is found by its id alone, is listed for its tenant only, and is taken back once.
pub async fn keys_are_kept_and_taken_back(harness: &impl Harness) -> Result<()> {
    let (mine, other) = (Scope::default(), Scope::new("acme", "local")?);
    let instance = open(harness).await?;
    let directory = instance.directory();
    directory.add_key(key(&mine, "a")).await?;
    directory.add_key(key(&mine, "b")).await?;
    directory.add_key(key(&other, "c")).await?;
    fails(directory.add_key(key(&other, "a")).await, Code::Conflict)?;
    instance.crash().await?;
    let directory = open(harness).await?.directory();
    same("one by its id", directory.key("c").await?, Some(key(&other, "c")))?;
    same("one that there is not", directory.key("d").await?, None)?;
    let listed = vec![key(&mine, "b").info, key(&mine, "a").info];
    same("mine", directory.keys(&mine).await?, listed)?;
    fails(directory.revoke_key(&other, "a", by("eve"), false).await, Code::NotFound)?;
    let revoked = KeyInfo { revoked: Some(by("bob")), ..key(&mine, "a").info };
    same("what is taken back", directory.revoke_key(&mine, "a", by("bob"), false).await?, revoked.clone())?;
    same(
        "what was taken back before",
        directory.revoke_key(&mine, "a", by("eve"), false).await?,
        revoked.clone(),
    )?;
    same("what is kept", directory.key("a").await?.map(|key| key.info), Some(revoked))
}

/// A key that is replaced holds until the time that was given, and not beyond its own; of two that replace it, one does.
pub async fn keys_are_replaced_once(harness: &impl Harness) -> Result<()> {
    let mine = Scope::default();
    let directory = open(harness).await?.directory();
    let until = |key: Option<Key>| key.and_then(|key| key.info.expires);
    directory.add_key(key(&mine, "a")).await?;
    directory.rotate_key("a", key(&mine, "b"), Timestamp(50)).await?;
    same("the old one", until(directory.key("a").await?), Some(Timestamp(50)))?;
    let replaced = directory.key("a").await?.and_then(|key| key.info.replaced_by);
    same("what replaced it", replaced, Some("b".to_owned()))?;
    fails(directory.rotate_key("a", key(&mine, "c"), Timestamp(90)).await, Code::Conflict)?;
    same("the one that came too late", directory.key("c").await?, None)?;
    fails(directory.rotate_key("x", key(&mine, "c"), Timestamp(90)).await, Code::NotFound)?;
    let acme = Scope::new("acme", "local")?;
    fails(directory.rotate_key("b", key(&acme, "c"), Timestamp(90)).await, Code::NotFound)?;
    let brief =
        Key { info: KeyInfo { expires: Some(Timestamp(10)), ..key(&mine, "d").info }, ..key(&mine, "d") };
    directory.add_key(brief).await?;
    directory.rotate_key("d", key(&mine, "e"), Timestamp(50)).await?;
    same("one that is over before", until(directory.key("d").await?), Some(Timestamp(10)))?;
    directory.revoke_key(&mine, "e", by("ann"), false).await?;
    fails(directory.rotate_key("e", key(&mine, "f"), Timestamp(90)).await, Code::Conflict)
}

/// The last key that administers a tenant goes only where that is meant.
pub async fn the_last_administrator_is_kept(harness: &impl Harness) -> Result<()> {
    let (mine, other) = (Scope::default(), Scope::new("acme", "local")?);
    let directory = open(harness).await?.directory();
    let admin = |scope: &Scope, id: &str, scopes: &[&str]| {
        let Key { info, hash } = key(scope, id);
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Key { info: KeyInfo { name: format!("the {id}"), role: Role::Admin, scopes, ..info }, hash }
    };
    directory.add_key(admin(&mine, "a", &[])).await?;
    directory.add_key(admin(&mine, "b", &["agent:*"])).await?;
    directory.add_key(admin(&other, "c", &[])).await?;
    fails(directory.revoke_key(&mine, "a", by("ann"), false).await, Code::Conflict)?;
    directory.revoke_key(&mine, "b", by("ann"), false).await?;
    directory.add_key(admin(&mine, "d", &[])).await?;
    directory.revoke_key(&mine, "a", by("ann"), false).await?;
    fails(directory.revoke_key(&mine, "d", by("ann"), false).await, Code::Conflict)?;
    directory.revoke_key(&mine, "d", by("ann"), true).await.map(drop)
}

/// The first key of a project is made once; when keys were used is noted, and never earlier than before.
pub async fn first_keys_are_made_once(harness: &impl Harness) -> Result<()> {
    let (mine, acme) = (Scope::default(), Scope::new("acme", "local")?);
    let directory = open(harness).await?.directory();
    let another = open(harness).await?.directory();
    let (one, two) =
        futures::join!(directory.add_first_key(key(&mine, "a")), another.add_first_key(key(&acme, "b")));
    same("of two at once, one", (one? as u8) + (two? as u8), 1)?;
    same("a third", directory.add_first_key(key(&mine, "c")).await?, false)?;
    let elsewhere = Scope::new("local", "shop")?;
    same("another project's", directory.add_first_key(key(&elsewhere, "d")).await?, true)?;
    let used = |at| vec![("d".to_owned(), Timestamp(at)), ("gone".to_owned(), Timestamp(at))];
    directory.touch_keys(used(7)).await?;
    another.touch_keys(used(5)).await?;
    same("its use", directory.key("d").await?.and_then(|key| key.info.used), Some(Timestamp(7)))
}

/// The tenants of a project are those that have a key or a run in it.
pub async fn tenants_are_listed(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let directory = instance.directory();
    same("in an empty store", directory.tenants("local").await?, Vec::new())?;
    for (tenant, project) in [("zoo", "local"), ("acme", "local"), ("acme", "shop")] {
        directory.add_key(key(&Scope::new(tenant, project)?, &format!("{tenant}-{project}"))).await?;
    }
    for (tenant, project) in [("bolt", "local"), ("bolt", "shop"), ("acme", "local")] {
        let engine = harness.open(Scope::new(tenant, project)?).await?.engine();
        start(&*engine, "run", Json::null()).await?;
    }
    same(
        "those of one",
        directory.tenants("local").await?,
        ["acme", "bolt", "zoo"].map(String::from).into(),
    )?;
    same("those of another", directory.tenants("shop").await?, ["acme", "bolt"].map(String::from).into())
}
