//! What a service keeps beside runs.

use std::time::Duration;

use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};

use super::probe::{fails, open, same};
use super::{Harness, Instance};
use crate::document::{Document, Draft, Expected};
use crate::engine::Engine;

fn draft(key: &str, body: u64) -> Draft {
    Draft::new("answer", key, Json::from(serde_json::Value::from(body)))
}

async fn keys(engine: &dyn Engine, prefix: &str, after: Option<&str>, most: usize) -> Result<Vec<String>> {
    let found = engine.documents("answer", prefix, after, most).await?;
    Ok(found.into_iter().map(|document| document.key).collect())
}

async fn body(engine: &dyn Engine, key: &str) -> Result<Option<u64>> {
    engine.document("answer", key).await?.map(|document| document.body.to()).transpose()
}

/// A document is there after a crash, in its kind and for its tenant, and is listed in the order of the keys.
pub async fn documents_are_kept(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    for (key, value) in [("b/2", 1), ("a", 2), ("b/1", 3), ("c", 4)] {
        engine.put_document(draft(key, value)).await?;
    }
    engine.put_document(Draft { kind: "other".to_owned(), ..draft("a", 9) }).await?;
    instance.crash().await?;
    let engine = open(harness).await?.engine();
    same("one", body(&*engine, "a").await?, Some(2))?;
    same("one that there is not", body(&*engine, "d").await?, None)?;
    let named = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    same("all", keys(&*engine, "", None, 9).await?, named(&["a", "b/1", "b/2", "c"]))?;
    same("the first", keys(&*engine, "", None, 2).await?, named(&["a", "b/1"]))?;
    same("those after", keys(&*engine, "", Some("b/1"), 9).await?, named(&["b/2", "c"]))?;
    same("those that begin so", keys(&*engine, "b/", None, 9).await?, named(&["b/1", "b/2"]))?;
    same("of those, the ones after", keys(&*engine, "b/", Some("b/1"), 9).await?, named(&["b/2"]))?;
    let other = harness.open(Scope::new("acme", "local")?).await?.engine();
    same("another tenant's", keys(&*other, "", None, 9).await?, Vec::new())?;
    same(
        "what another tenant deletes",
        other.delete_document("answer", "a", Expected::Anything).await?,
        false,
    )?;
    same("what is deleted", engine.delete_document("answer", "a", Expected::Anything).await?, true)?;
    same("what is left", keys(&*engine, "", None, 9).await?, named(&["b/1", "b/2", "c"]))
}

/// Of two who change a document at the same time, one does; no revision comes twice.
pub async fn documents_change_one_after_the_other(harness: &impl Harness) -> Result<()> {
    let (engine, another) = (open(harness).await?.engine(), open(harness).await?.engine());
    let first = engine.put_document(draft("a", 1).over(Expected::Nothing)).await?;
    fails(engine.put_document(draft("a", 2).over(Expected::Nothing)).await, Code::Conflict)?;
    let over = |value| draft("a", value).over(Expected::Revision(first));
    let (one, two) = futures::join!(engine.put_document(over(2)), another.put_document(over(3)));
    same("of two at once, one", u8::from(one.is_ok()) + u8::from(two.is_ok()), 1)?;
    let won = if one.is_ok() { 2 } else { 3 };
    same("what it says", body(&*engine, "a").await?, Some(won))?;
    fails(engine.delete_document("answer", "a", Expected::Revision(first)).await, Code::Conflict)?;
    fails(one.and(two), Code::Conflict)?;
    fails(engine.put_document(draft("b", 1).over(Expected::Revision(first))).await, Code::Conflict)?;
    let last = engine.put_document(draft("a", 3).over(Expected::Something)).await?;
    same("the deleted one", engine.delete_document("answer", "a", Expected::Revision(last)).await?, true)?;
    fails(engine.put_document(draft("a", 4).over(Expected::Something)).await, Code::Conflict)?;
    let again = engine.put_document(draft("a", 4)).await?;
    same("a revision that was before", again == last || again == first, false)
}

/// A document is gone when its time is over, and when its person is erased.
pub async fn documents_are_forgotten(harness: &impl Harness) -> Result<()> {
    let engine = open(harness).await?.engine();
    engine.put_document(draft("a", 1)).await?;
    let now = engine.document("answer", "a").await?.map_or(Timestamp(0), |document| document.created);
    let soon = Some(now.plus(Duration::from_secs(60)));
    engine.put_document(Draft { expires: soon, ..draft("b", 2) }).await?;
    engine.put_document(Draft { user: Some("ann".to_owned()), ..draft("c", 3) }).await?;
    let kept = engine.document("answer", "b").await?;
    same("when it is over", kept.and_then(|document: Document| document.expires), soon)?;
    harness.pass(Duration::from_secs(61)).await?;
    same("what is over", body(&*engine, "b").await?, None)?;
    same("what is listed", keys(&*engine, "", None, 9).await?, vec!["a".to_owned(), "c".to_owned()])?;
    same("what is over, deleted", engine.delete_document("answer", "b", Expected::Anything).await?, false)?;
    engine.put_document(draft("b", 4).over(Expected::Nothing)).await?;
    same("in its place", body(&*engine, "b").await?, Some(4))?;
    engine.erase_user("ann", "admin").await?;
    same("what is left", keys(&*engine, "", None, 9).await?, vec!["a".to_owned(), "b".to_owned()])
}
