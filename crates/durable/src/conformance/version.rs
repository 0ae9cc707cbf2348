//! Versions of definitions, and what their labels mean.

use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::Scope;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};

use super::probe::{check, fails, open, same};
use super::{Harness, Instance};
use crate::engine::Engine;
use crate::labels::Labels;
use crate::version::{Change, Changed, Version};

/// Publishes a definition.
async fn publish(engine: &dyn Engine, text: &str, at: i64) -> Result<(Version, bool)> {
    let definition = engine.put_definition(Json::of(text)?).await?;
    let version = Version { name: "desk".to_owned(), definition, by: "ann".to_owned(), at: Timestamp(at) };
    Ok((version.clone(), engine.publish(version).await?))
}

fn labelled(from: Option<Digest>, to: Option<Digest>, by: &str) -> Changed {
    let change = Change::Label { label: Labels::STABLE.to_owned(), from, to, back: false };
    Changed { name: "desk".to_owned(), change, by: by.to_owned(), at: Timestamp(9) }
}

/// What was published stays, once, for its name and its project, whatever is forgotten; and labels mean only what was published.
pub async fn versions_are_kept(harness: &impl Harness) -> Result<()> {
    let instance = open(harness).await?;
    let engine = instance.engine();
    let (one, is_new) = publish(&*engine, "one", 1).await?;
    same("the first", is_new, true)?;
    let (two, _) = publish(&*engine, "two", 2).await?;
    same("the first again", publish(&*engine, "one", 3).await?.1, false)?;
    let unknown = Version { definition: Digest::of(b"nothing"), ..one.clone() };
    fails(engine.publish(unknown).await, Code::RunDefinitionMissing)?;
    let other = Digest::of(b"nothing");
    fails(engine.relabel(labelled(None, Some(other), "ann")).await, Code::NotFound)?;
    engine.relabel(labelled(None, Some(one.definition), "ann")).await?;
    instance.crash().await?;
    harness.pass(Duration::from_secs(7 * 24 * 60 * 60)).await?;
    let instance = open(harness).await?;
    let engine = instance.engine();
    engine.prune(Duration::ZERO, "admin").await?;
    same("a definition", engine.definition(two.definition).await?, Json::of("two")?)?;
    same("all", engine.versions(None).await?, vec![two.clone(), one.clone()])?;
    same("those of a name", engine.versions(Some("desk")).await?, vec![two, one.clone()])?;
    same("those of another name", engine.versions(Some("shop")).await?, Vec::new())?;
    let changes = engine.label_changes(Some("desk")).await?;
    same("the changes", changes.clone(), vec![labelled(None, Some(one.definition), "ann")])?;
    same("what is stable", Labels::after(&changes).versions.get("stable"), Some(&one.definition))?;
    let other = harness.open(Scope::new("acme", "local")?).await?;
    same("another tenant's", other.engine().versions(None).await?, Vec::new())?;
    same("its changes", other.engine().label_changes(None).await?, Vec::new())
}

/// Of those who change a label at once, from several processes, one wins and the others are told; no change is lost.
pub async fn labels_change_one_after_the_other(harness: &impl Harness) -> Result<()> {
    const EACH: usize = 8;
    let (here, there) = (open(harness).await?, open(harness).await?);
    let (one, _) = publish(&*here.engine(), "one", 1).await?;
    let (two, _) = publish(&*here.engine(), "two", 2).await?;
    let both = [one.definition, two.definition];
    let change = |engine: std::sync::Arc<dyn Engine>, by: &'static str| async move {
        let mut told = 0;
        for turn in 0..EACH {
            loop {
                let from = Labels::after(&engine.label_changes(Some("desk")).await?).versions;
                let to = both.get(turn % 2).copied();
                let made = engine.relabel(labelled(from.get(Labels::STABLE).copied(), to, by)).await;
                match made {
                    Ok(()) => break,
                    Err(error) if error.code() == Code::Conflict => told += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(told)
    };
    let (first, second) =
        futures::future::try_join(change(here.engine(), "ann"), change(there.engine(), "bob")).await?;
    let changes = here.engine().label_changes(Some("desk")).await?;
    same("the changes", changes.len(), 2 * EACH)?;
    for by in ["ann", "bob"] {
        same("those of one", changes.iter().filter(|changed| changed.by == by).count(), EACH)?;
    }
    let mut labels = Labels::default();
    for changed in &changes {
        check(labels.change(&changed.change).is_ok(), || format!("{changed:?} does not follow"))?;
    }
    let stale = labelled(None, Some(one.definition), "eve");
    fails(there.engine().relabel(stale).await, Code::Conflict)?;
    check(first + second < 1_000, || "they were in each other's way for long".to_owned())
}
