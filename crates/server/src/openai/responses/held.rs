//! [`Held`]: what a model is asked in the background, as work that outlives the process that does it.
//!
//! What is to be done is written down before the client is told that it is accepted, and beside it who holds it, for so long.
//! Whoever holds it says so again in time. Where nobody does, another process begins it anew. It is over when nobody can hold it any
//! more: whoever finishes it, cancels it or deletes its response takes that away, and is told if another was faster.

use adjutant::Adjutant;
use adjutant::durable::{Document, Draft, Engine, Expected};
use adjutant::gateway::Asker;
use adjutant::model::Request;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::Frame;
use super::store::KEPT;

/// The kinds of the documents: what is to be done, and who holds it.
const WORK: &str = "openai.work";
const HOLD: &str = "openai.hold";

/// How long a process that says nothing is taken to be at it, in milliseconds.
const HELD: i64 = 10_000;

/// How often one is begun. Whatever ends as many processes is left alone.
const TRIES: u32 = 5;

/// How many are looked at together.
const PAGE: usize = 1_000;

/// What is to be done, for whoever does it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Work {
    /// Who asks.
    name: String,
    /// The person that they ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// What policies are told of that person.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    claims: Map<String, Value>,
    /// Whom they ask, by the name that they use.
    pub(super) model: String,
    /// What.
    pub(super) request: Request,
    /// How many of its messages are instructions, which are for this answer alone.
    pub(super) instructions: usize,
    /// The response that is to come of it.
    pub(super) frame: Frame,
}

/// Until when somebody holds it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Hold {
    /// In milliseconds since 1970.
    until: i64,
    /// How often it was begun.
    tries: u32,
}

/// Work that this process holds.
pub(super) struct Held {
    adjutant: Adjutant,
    id: String,
    user: Option<String>,
    /// How often it was begun, this time included.
    tries: u32,
    /// Which state of who holds it this is; 0 before the first.
    revision: u64,
}

impl Work {
    pub(super) fn new(
        asker: Asker,
        model: &str,
        request: Request,
        instructions: usize,
        frame: Frame,
    ) -> Self {
        let Asker { name, user, claims } = asker;
        Self { name, user, claims, model: model.to_owned(), request, instructions, frame }
    }

    /// Who asks.
    pub(super) fn asker(&self) -> Asker {
        Asker { name: self.name.clone(), user: self.user.clone(), claims: self.claims.clone() }
    }
}

impl Held {
    /// Writes down what is to be done for a response, and holds it. It is the person's whose the response is.
    pub(super) async fn begin(adjutant: &Adjutant, work: &Work, user: Option<String>) -> Result<Self> {
        let now = adjutant.gateway().now();
        let id = work.frame.id.clone();
        let draft = draft(WORK, &id, user.clone(), now, Json::of(work)?);
        adjutant.engine().put_document(draft).await?;
        let mut held = Self { adjutant: adjutant.clone(), id, user, tries: 1, revision: 0 };
        held.write(HELD).await?;
        Ok(held)
    }

    /// Takes what a document says that nobody holds any more, with what is to be done. None where another process was faster.
    pub(super) async fn again(adjutant: &Adjutant, left: &Document) -> Result<Option<(Self, Work)>> {
        let hold = left.body.to::<Hold>()?;
        let (adjutant, id, user) = (adjutant.clone(), left.key.clone(), left.user.clone());
        let mut held = Self { adjutant, id, user, tries: hold.tries + 1, revision: left.revision };
        if !held.keep().await? {
            return Ok(None);
        }
        match held.adjutant.engine().document(WORK, &held.id).await? {
            Some(work) => Ok(Some((held, work.body.to()?))),
            None => held.done().await.map(|()| None),
        }
    }

    /// Goes on holding it; whether it still does.
    pub(super) async fn keep(&mut self) -> Result<bool> {
        match self.write(HELD).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Code::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it was begun so often that it is not begun again.
    pub(super) fn is_hopeless(&self) -> bool {
        self.tries > TRIES
    }

    /// Leaves it to another process, at once and as if it had not been begun here.
    pub(super) async fn leave(mut self) -> Result<()> {
        self.tries -= 1;
        self.write(0).await
    }

    async fn write(&mut self, held: i64) -> Result<()> {
        let now = self.adjutant.gateway().now();
        let hold = Hold { until: now.0 + held, tries: self.tries };
        let over = match self.revision {
            0 => Expected::Nothing,
            revision => Expected::Revision(revision),
        };
        let draft = draft(HOLD, &self.id, self.user.clone(), now, Json::of(&hold)?).over(over);
        self.revision = self.adjutant.engine().put_document(draft).await?;
        Ok(())
    }

    /// It is done.
    pub(super) async fn done(self) -> Result<()> {
        forget(self.adjutant.engine().as_ref(), &self.id).await.map(drop)
    }
}

/// What nobody holds any more.
pub(super) async fn left(adjutant: &Adjutant) -> Result<Vec<Document>> {
    let now = adjutant.gateway().now();
    let (mut left, mut after) = (Vec::new(), None);
    loop {
        let page = adjutant.engine().documents(HOLD, "", after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(left) };
        after = Some(last.key.clone());
        let runs_out = |document: &Document| document.body.to::<Hold>().is_ok_and(|hold| hold.until <= now.0);
        left.extend(page.into_iter().filter(runs_out));
    }
}

/// Whether something is still to be done for a response.
pub(super) async fn is_open(engine: &dyn Engine, id: &str) -> Result<bool> {
    engine.document(HOLD, id).await.map(|hold| hold.is_some())
}

/// Takes it from whoever holds it: nobody is to do it any more. Returns whether somebody was to.
pub(super) async fn forget(engine: &dyn Engine, id: &str) -> Result<bool> {
    let was_open = engine.delete_document(HOLD, id, Expected::Anything).await?;
    engine.delete_document(WORK, id, Expected::Anything).await?;
    Ok(was_open)
}

fn draft(kind: &str, id: &str, user: Option<String>, now: Timestamp, body: Json) -> Draft {
    Draft { user, expires: Some(Timestamp(now.0 + KEPT)), ..Draft::new(kind, id, body) }
}
