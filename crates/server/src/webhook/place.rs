//! [`Place`]: how far an address has come, and who tells it.

use std::time::Duration;

use adjutant::durable::{Draft, Engine, Expected};
use adjutant::project::OutgoingWebhook;
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// The kind of the documents in which places stand.
const KIND: &str = "webhook";

/// How long a process that says nothing is taken to be at it, in milliseconds.
const HOLD: i64 = 30_000;

/// How far an address has come, and who tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The last place in the order of what was recorded that it has taken.
    pub(crate) at: u64,
    /// The process that tells it, and until when that is taken to live, in milliseconds since 1970.
    #[serde(default)]
    holder: Option<(String, i64)>,
    /// What went wrong, where it does not take what comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failing: Option<Failing>,
}

/// An address that does not take what comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failing {
    /// Since when, in milliseconds since 1970.
    pub(crate) since: i64,
    /// Since when it refuses this very message, which it may take no better tomorrow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<i64>,
    /// How often it was tried.
    pub(crate) tries: u32,
    /// What went wrong the last time.
    pub(crate) why: String,
}

/// How long it is tried to tell an address of what it refuses: an hour is what it takes to mend a receiver that should have taken it, and
/// whatever waits behind one message that nobody will ever take has waited long enough.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

impl Failing {
    /// How it stands after it failed once more.
    pub(super) fn after(before: Option<Self>, error: &Error, now: Timestamp) -> Self {
        let is_refused = error.code() == Code::InputInvalid;
        let (since, refused, tries) =
            before.map_or((now.0, None, 0), |failing| (failing.since, failing.refused, failing.tries));
        Self {
            since,
            refused: is_refused.then(|| refused.unwrap_or(now.0)),
            tries: tries.saturating_add(1),
            why: error.message().to_owned(),
        }
    }

    /// Whether it was tried for long enough, where `patience` is what the address is given.
    pub(super) fn is_hopeless(&self, patience: Duration, now: Timestamp) -> bool {
        let is_over = |since: i64, patience: Duration| now.since(Timestamp(since)) > patience;
        is_over(self.since, patience)
            || self.refused.is_some_and(|since| is_over(since, REFUSED_FOR.min(patience)))
    }
}

/// A place that this process holds.
pub(super) struct Held {
    pub(super) place: Place,
    revision: u64,
    key: String,
    holder: String,
}

/// What an address is known by.
pub(crate) fn name(hook: &OutgoingWebhook) -> String {
    Digest::of(hook.url.as_str().as_bytes()).short()
}

/// The places of all addresses of a tenant, by their names.
pub(crate) async fn places(engine: &dyn Engine) -> Result<Vec<(String, Place)>> {
    let documents = engine.documents(KIND, "", None, 1_000).await?;
    Ok(documents.into_iter().filter_map(|document| Some((document.key, document.body.to().ok()?))).collect())
}

impl Held {
    /// Takes the place of an address. None where another process holds it. One that was never told begins with what comes from now on.
    pub(super) async fn take(
        engine: &dyn Engine,
        key: String,
        holder: &str,
        now: Timestamp,
    ) -> Result<Option<Self>> {
        let there = engine.document(KIND, &key).await?;
        let (mut place, expected) = match &there {
            Some(document) => (document.body.to::<Place>()?, Expected::Revision(document.revision)),
            None => (Place { at: engine.recorded_until().await?, ..Place::default() }, Expected::Nothing),
        };
        if place.holder.as_ref().is_some_and(|(other, until)| other != holder && now.0 < *until) {
            return Ok(None);
        }
        place.holder = Some((holder.to_owned(), now.0 + HOLD));
        let draft = Draft::new(KIND, &key, Json::of(&place)?).over(expected);
        match engine.put_document(draft).await {
            Ok(revision) => Ok(Some(Self { place, revision, key, holder: holder.to_owned() })),
            Err(error) if error.code() == Code::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it down, and goes on holding it. Fails with [`Code::Conflict`] where another process has taken it meanwhile.
    pub(super) async fn keep(&mut self, engine: &dyn Engine, now: Timestamp) -> Result<()> {
        self.place.holder = Some((self.holder.clone(), now.0 + HOLD));
        self.write(engine).await
    }

    /// Whether it must soon be written down again to be held.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        self.place.holder.as_ref().is_none_or(|(_, until)| now.0 + HOLD / 2 > *until)
    }

    /// Lets go of it.
    pub(super) async fn let_go(mut self, engine: &dyn Engine) -> Result<()> {
        self.place.holder = None;
        self.write(engine).await
    }

    async fn write(&mut self, engine: &dyn Engine) -> Result<()> {
        let draft =
            Draft::new(KIND, &self.key, Json::of(&self.place)?).over(Expected::Revision(self.revision));
        self.revision = engine.put_document(draft).await?;
        Ok(())
    }
}
