//! [`Versions`]: the definitions that were published, and what their labels mean.

use std::fmt;

use adjutant_agent::{Definition, start};
use adjutant_core::hash::Digest;
use adjutant_core::id::RunId;
use adjutant_core::message::Message;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_durable::{Change, Changed, Chosen, Labels, Share, Version, before};
use serde::Serialize;

use crate::adjutant::{Adjutant, type_more};
use crate::difference::{Difference, differences};
use crate::runnable::Runnable;
use crate::task::Task;

/// What stands for the project's files where a version is named: `desk@files`.
pub const FILES: &str = "files";

/// The fewest digits of a hash that name a version.
const FEWEST_DIGITS: usize = 4;

/// The definitions of agents and workflows that were published, by name, and what their labels mean.
///
/// Without labels a run uses the project's files. As soon as a version of a name is labelled `stable`, or its new runs are
/// split among labels, runs use that; `desk@canary`, `desk@3f2a91` and `desk@files` say otherwise.
#[derive(Clone)]
pub struct Versions(Adjutant);

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The version.
    pub version: Version,
    /// Whether it is new; otherwise it is what was published before.
    pub new: bool,
}

/// One line of the history of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionEvent {
    /// A version was published.
    Published(Version),
    /// A label, or the split, was changed.
    Changed(Changed),
}

impl VersionEvent {
    /// When it was.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Published(version) => version.at,
            Self::Changed(changed) => changed.at,
        }
    }
}

/// The name and the version that a text names: `desk@canary` is the canary of `desk`.
pub fn version_of(named: &str) -> (&str, Option<&str>) {
    named.split_once('@').map_or((named, None), |(name, version)| (name, Some(version)))
}

impl Versions {
    pub(crate) fn new(adjutant: Adjutant) -> Self {
        Self(adjutant)
    }

    /// The versions of a name, or of all names, the newest first.
    pub async fn list(&self, name: Option<&str>) -> Result<Vec<Version>> {
        self.0.engine().versions(name).await
    }

    /// What the labels of a name mean.
    pub async fn labels(&self, name: &str) -> Result<Labels> {
        Ok(Labels::after(&self.0.engine().label_changes(Some(name)).await?))
    }

    /// All that was published and changed of a name, the oldest first.
    pub async fn log(&self, name: &str) -> Result<Vec<VersionEvent>> {
        let versions = self.list(Some(name)).await?.into_iter().rev().map(VersionEvent::Published);
        let changes = self.0.engine().label_changes(Some(name)).await?;
        let mut events: Vec<_> = versions.chain(changes.into_iter().map(VersionEvent::Changed)).collect();
        events.sort_by_key(VersionEvent::at);
        Ok(events)
    }

    /// The version of a name that has this label, or whose hash begins so.
    ///
    /// Fails with [`Code::NotFound`], and with [`Code::InputInvalid`] where several begin so.
    pub async fn find(&self, name: &str, version: &str) -> Result<Chosen> {
        let labels = self.labels(name).await?;
        if let Some(definition) = labels.versions.get(version) {
            return Ok(Chosen { definition: *definition, label: Some(version.to_owned()) });
        }
        let versions = self.list(Some(name)).await?;
        let hashes: Vec<String> = versions.iter().map(|version| version.definition.to_string()).collect();
        let found: Vec<_> = hashes.iter().filter(|hash| hash.starts_with(version)).collect();
        match found.as_slice() {
            [only] if version.len() >= FEWEST_DIGITS => Ok(Chosen { definition: only.parse()?, label: None }),
            [_, _, ..] if version.len() >= FEWEST_DIGITS => Err(Error::new(
                Code::InputInvalid,
                format!("several versions of `{name}` begin with `{version}`"),
            )
            .with_help(type_more(found.iter().map(|hash| hash.as_str())))),
            _ => {
                let error = Error::new(Code::NotFound, format!("`{name}` has no version `{version}`"));
                Err(match nearest(version, labels.versions.keys().map(String::as_str).chain([FILES])) {
                    Some(meant) => error.with_help(format!("did you mean `{name}@{meant}`?")),
                    None => {
                        error.with_help(format!("`adjutant versions list {name}` lists those that there are"))
                    }
                })
            }
        }
    }

    /// What a version is.
    ///
    /// Fails with [`Code::RunDefinitionMissing`] where a newer program published it.
    pub async fn definition(&self, version: &Digest) -> Result<Definition> {
        Definition::read(&self.0.engine().definition(*version).await?)
    }

    /// What a name is by the project's files, as it would be published.
    ///
    /// Fails as [`publish`](Self::publish) does.
    pub fn of_files(&self, agent: &(impl Runnable + ?Sized)) -> Result<Definition> {
        // What it is asked is known later; what its model must be able to do in any case is known now.
        let nothing = Message::user("");
        let definition = start::pin(agent.definition(&self.0)?, &self.0.models(), &nothing)?;
        self.0.project().pinned_policies(&definition)?;
        self.0.agents().check(&definition, &nothing)?;
        Ok(definition)
    }

    /// How two versions of a name differ, each a label, the beginning of a hash, or [`FILES`], in the order of the places.
    ///
    /// Fails as [`find`](Self::find) and [`definition`](Self::definition) do.
    pub async fn differences(&self, name: &str, from: &str, to: &str) -> Result<Vec<Difference>> {
        let (from, to) = (self.named(name, from).await?, self.named(name, to).await?);
        let value = |definition| serde_json::to_value(definition).unwrap_or_default();
        Ok(differences(&value(&from), &value(&to)))
    }

    async fn named(&self, name: &str, version: &str) -> Result<Definition> {
        match version {
            FILES => self.of_files(name),
            _ => self.definition(&self.find(name, version).await?.definition).await,
        }
    }

    /// Publishes an agent or a workflow as it is now, with all that it asks, its tools as they are described, and the ids of its
    /// models. Policies are not part of it: they are the project's, and a run is under those of its time.
    ///
    /// Fails with what would keep a run from beginning.
    pub async fn publish(&self, agent: &(impl Runnable + ?Sized), by: &str) -> Result<Published> {
        let definition = self.of_files(agent)?;
        let engine = self.0.engine();
        let digest = engine.put_definition(start::sorted(&definition)?).await?;
        let version =
            Version { name: definition.name, definition: digest, by: by.to_owned(), at: self.0.now() };
        let new = engine.publish(version.clone()).await?;
        let there = engine.versions(Some(&version.name)).await?;
        let version = there.into_iter().find(|there| there.definition == digest).unwrap_or(version);
        Ok(Published { version, new })
    }

    /// Gives a label to a version, and takes it from the one that has it.
    ///
    /// Fails as [`find`](Self::find) does, with [`Code::InputInvalid`] for what cannot be a label, and with [`Code::Conflict`] where
    /// somebody else changes the same label at the same time.
    pub async fn label(&self, name: &str, version: &str, label: &str, by: &str) -> Result<Changed> {
        check_label(label)?;
        let to = self.find(name, version).await?.definition;
        let from = self.labels(name).await?.versions.get(label).copied();
        self.change(name, Change::Label { label: label.to_owned(), from, to: Some(to), back: false }, by)
            .await
    }

    /// Takes a label away. Fails with [`Code::NotFound`] where no version has it, and with [`Code::Conflict`] where the split names
    /// it, or somebody else changes it at the same time.
    pub async fn unlabel(&self, name: &str, label: &str, by: &str) -> Result<Changed> {
        let from = self.labels(name).await?.versions.get(label).copied();
        let from = from.ok_or_else(|| unlabelled(name, label))?;
        let change = Change::Label { label: label.to_owned(), from: Some(from), to: None, back: false };
        self.change(name, change, by).await
    }

    /// Moves `stable` back to what it was before. Fails with [`Code::NotFound`] where there is no `stable`, and with
    /// [`Code::Conflict`] where it was nothing before, or somebody else changes it at the same time.
    pub async fn roll_back(&self, name: &str, by: &str) -> Result<Changed> {
        let changes = self.0.engine().label_changes(Some(name)).await?;
        let label = Labels::STABLE;
        let from = Labels::after(&changes).versions.get(label).copied();
        let from = from.ok_or_else(|| unlabelled(name, label))?;
        let to = before(&changes, label).ok_or_else(|| {
            Error::new(Code::Conflict, format!("`{label}` of `{name}` has been no other version before"))
                .with_help(format!(
                    "`adjutant versions unlabel {name} {label}` lets new runs use the project's files"
                ))
        })?;
        let change = Change::Label { label: label.to_owned(), from: Some(from), to: Some(to), back: true };
        self.change(name, change, by).await
    }

    /// Shares new runs among labels, in percent; with no shares, all of them use `stable` again.
    ///
    /// Fails with [`Code::InputInvalid`] where the shares are no hundred together, and with [`Code::Conflict`] where no version has
    /// one of the labels, or somebody else changes the split at the same time.
    pub async fn split(&self, name: &str, to: Vec<Share>, by: &str) -> Result<Changed> {
        let from = self.labels(name).await?.split;
        self.change(name, Change::Split { from, to }, by).await
    }

    async fn change(&self, name: &str, change: Change, by: &str) -> Result<Changed> {
        let changed = Changed { name: name.to_owned(), change, by: by.to_owned(), at: self.0.now() };
        self.0.engine().relabel(changed.clone()).await?;
        Ok(changed)
    }
}

impl Adjutant {
    /// The definition that a run is started with: of a name the version that it names or that its labels give it, otherwise
    /// what the project's files or the program say.
    pub(crate) async fn meant(
        &self,
        agent: &(impl Runnable + ?Sized),
        run: &RunId,
        task: &Task,
    ) -> Result<(Definition, Option<Chosen>)> {
        let Some((name, version)) = agent.named().map(version_of) else {
            return Ok((agent.definition(self)?, None));
        };
        let chosen = match version {
            Some(FILES) => None,
            Some(version) => Some(self.versions().find(name, version).await?),
            None => {
                // The turns of a conversation stay with one version.
                let of = task.session.as_ref().map_or(run.as_str(), |session| session.as_str());
                self.versions().labels(name).await?.choose(name, of)
            }
        };
        let Some(chosen) = chosen else { return Ok((name.definition(self)?, None)) };
        if task.model.is_some() {
            let message = format!("a version of `{name}` has its own model, and is asked for another one");
            return Err(Error::new(Code::InputInvalid, message)
                .with_help(format!("leave the model out, or use the project's files: `{name}@{FILES}`")));
        }
        let usable = async {
            let definition = self.versions().definition(&chosen.definition).await?;
            self.agents().check(&definition, &task.message)?;
            Ok(definition)
        };
        let definition = usable.await.map_err(|error| unusable(name, &chosen, &error))?;
        Ok((definition, Some(chosen)))
    }
}

/// Says of a version that it cannot be run here and now, and why.
pub(crate) fn unusable(name: &str, chosen: &Chosen, error: &Error) -> Error {
    let label = chosen.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
    let short = chosen.definition.short();
    let message = format!("the version `{short}`{label} of `{name}` cannot be run here: {}", error.message());
    Error::new(Code::VersionUnusable, message).with_help(format!(
        "publish what the project's files say now, go back with `adjutant versions rollback {name}`, or run `{name}@{FILES}`"
    ))
}

fn unlabelled(name: &str, label: &str) -> Error {
    Error::new(Code::NotFound, format!("no version of `{name}` has the label `{label}`"))
        .with_help(format!("`adjutant versions list {name}` lists the versions and their labels"))
}

/// Checks what a label is called.
fn check_label(label: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let is_name = label.starts_with(|c: char| c.is_ascii_lowercase()) && label.len() <= 64;
    match is_name && label != FILES && label.bytes().all(fits) {
        true => Ok(()),
        false => Err(Error::new(Code::InputInvalid, format!("`{label}` cannot be a label")).with_help(
            "use 1 to 64 characters of a-z, 0-9, - and _, a letter first; `files` means the project's files",
        )),
    }
}

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Versions").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_behind_its_name() {
        assert_eq!(version_of("desk"), ("desk", None));
        assert_eq!(version_of("desk@canary"), ("desk", Some("canary")));
    }

    #[test]
    fn a_label_is_a_word() {
        assert!(["stable", "canary", "v2", "a-b_c"].into_iter().all(|label| check_label(label).is_ok()));
        for wrong in ["", "files", "Stable", "2", "a b", "a@b", "-a"] {
            assert_eq!(check_label(wrong).unwrap_err().code(), Code::InputInvalid, "{wrong}");
        }
    }
}
