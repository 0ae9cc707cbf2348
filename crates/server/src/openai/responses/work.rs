//! Has a response told to its end, and keeps it.

use std::time::Duration;

use adjutant::durable::Expected;
use adjutant::model::Delta;
use adjutant_core::message::Message;
use adjutant_core::{Code, Error, Result};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Sender;

use super::background::Working;
use super::held::Held;
use super::store::{Conversation, Kept, Session, Shelf};
use super::stream::{Event, Events};
use crate::gateway::{Heard, Talk};
use crate::wire::Fault;

/// How often what there is of a response in the background is written down.
const SO_FAR: Duration = Duration::from_secs(20);

/// How often it is said that somebody works on one.
const HOLD: Duration = Duration::from_secs(3);

/// What becomes of a response once it is whole.
pub(super) struct Keeping {
    pub(super) shelf: Shelf,
    /// Its id, without what says that it is one.
    pub(super) id: String,
    /// Over what it is kept: over nothing at first, and then for as long as nobody has deleted it. None where it is not kept.
    pub(super) over: Option<Expected>,
    /// What was said before it, without its instructions, and what it answers.
    pub(super) said: Vec<Message>,
    /// The items that it answers.
    pub(super) input: Vec<Value>,
    /// The session of the agent that answers, or that answered before; none in a conversation, which has its own.
    pub(super) session: Option<Session>,
    /// The conversation that it is a turn of.
    pub(super) conversation: Option<String>,
    /// Whether an agent answers.
    pub(super) by_agent: bool,
    pub(super) user: Option<String>,
}

impl Keeping {
    /// Keeps a whole response, and adds it to its conversation.
    pub(super) async fn whole(&self, response: &Value, answer: &Message, events: Vec<Value>) -> Result<()> {
        let mut said = self.said.clone();
        said.push(answer.clone());
        if let Some(id) = &self.conversation {
            let (mut conversation, revision) = self.shelf.conversation(id).await?;
            // A process may have died just after it added an answer that another then made anew.
            if !self.is_in(&conversation) {
                conversation.items.extend(self.input.iter().cloned());
                let output = response.get("output").and_then(Value::as_array).into_iter().flatten();
                conversation.items.extend(output.cloned());
                conversation.said.clone_from(&said);
                conversation.user = conversation.user.or_else(|| self.user.clone());
                if self.by_agent {
                    conversation.heard = said.len();
                }
                self.shelf.converse(id, &conversation, Expected::Revision(revision)).await?;
            }
        }
        let mut session = self.session.clone();
        if let Some(session) = session.as_mut().filter(|_| self.by_agent) {
            session.heard = said.len();
        }
        self.keep(Kept { said, session, events, ..self.kept(response, None) }).await
    }

    /// Whether a conversation has its first item already.
    fn is_in(&self, conversation: &Conversation) -> bool {
        let first = self.input.first().and_then(|item| item.get("id"));
        first.is_some() && conversation.items.iter().any(|item| item.get("id") == first)
    }

    /// Keeps a response that is not whole: under way, failed or cancelled.
    pub(super) async fn partial(
        &self,
        response: &Value,
        run: Option<String>,
        events: Vec<Value>,
    ) -> Result<()> {
        self.keep(Kept { events, ..self.kept(response, run) }).await
    }

    async fn keep(&self, kept: Kept) -> Result<()> {
        match self.over {
            Some(over) => self.shelf.keep(&self.id, &kept, over).await,
            None => Ok(()),
        }
    }

    fn kept(&self, response: &Value, run: Option<String>) -> Kept {
        Kept {
            response: response.clone(),
            input: self.input.clone(),
            said: self.said.clone(),
            session: self.session.clone(),
            run,
            events: Vec::new(),
            user: self.user.clone(),
            by: None,
        }
    }
}

/// Who hears a response.
pub(super) enum Listener {
    /// A client. Once it is gone, the response is let go of.
    Client {
        to: Sender<String>,
        /// Its place among the streams.
        _place: OwnedSemaphorePermit,
    },
    /// Whoever comes back.
    Later {
        to: Working,
        /// Its place among the streams: what goes on in the background takes as much as what is listened to.
        _place: OwnedSemaphorePermit,
    },
}

/// Has a response told to its end. One that is held is let be as soon as it is not held any more: another works on it, or nobody is to.
pub(super) async fn work(
    mut talk: Talk,
    mut events: Events,
    keeping: Keeping,
    listener: Listener,
    mut held: Option<Held>,
) {
    let run = talk.tells().run;
    let [mut so_far, mut hold] = [SO_FAR, HOLD].map(every);
    loop {
        let mut out = Vec::new();
        let delta = tokio::select! {
            biased;
            () = listener.left() => {
                if let Listener::Later { to, .. } = &listener
                    && is_held(&mut held).await
                {
                    events.cancel(&mut out);
                    keep(&keeping, &events, to, &out).await;
                    to.tell(out);
                    let_go(held).await;
                }
                return;
            }
            () = listener.is_leaving(), if held.is_some() => {
                // What cannot be written runs out by itself.
                if let Some(held) = held.take() {
                    let _ = held.leave().await;
                }
                return;
            }
            delta = talk.next() => delta,
            _ = hold.tick(), if held.is_some() => match is_held(&mut held).await {
                true => continue,
                false => return,
            },
            _ = so_far.tick(), if matches!(listener, Listener::Later { .. }) => {
                let response = events.so_far();
                // What cannot be written now is written the next time.
                let _ = keeping.partial(&response, run.clone(), Vec::new()).await;
                continue;
            }
        };
        let ends = match delta {
            None => return,
            Some(Ok(_)) if listener.is_full() => {
                let error = Error::new(Code::RunLimit, "the response has more events than are remembered");
                events.fail(&Fault::from(error), &mut out);
                true
            }
            Some(Ok(delta)) => {
                events.push(&delta, &mut out);
                matches!(delta, Delta::End(_))
            }
            Some(Err(error)) if error.code() == Code::RunCancelled => {
                events.cancel(&mut out);
                true
            }
            Some(Err(error)) => {
                events.fail(&Fault::from(error), &mut out);
                true
            }
        };
        if ends {
            if !is_held(&mut held).await {
                return;
            }
            let written = finish(talk.heard(), &events, &keeping, &listener, &out).await;
            if let Err(error) = written {
                // The client must not take for kept what is not.
                out.pop();
                events.fail(&Fault::from(error), &mut out);
            }
        }
        if ends {
            let_go(held.take()).await;
        }
        if !listener.hear(out).await || ends {
            return;
        }
    }
}

fn every(time: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(time);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

/// Whether it is still this process that is to work on it. What cannot be found out is taken to be so: whoever takes it over finds what
/// was written, or writes over it.
async fn is_held(held: &mut Option<Held>) -> bool {
    match held {
        Some(held) => held.keep().await.unwrap_or(true),
        None => true,
    }
}

/// It is done. Where that cannot be written, whoever takes it over finds the response over.
async fn let_go(held: Option<Held>) {
    if let Some(held) = held {
        let _ = held.done().await;
    }
}

async fn finish(
    heard: Option<Heard>,
    events: &Events,
    keeping: &Keeping,
    listener: &Listener,
    last: &[Event],
) -> Result<()> {
    let Some(response) = events.response() else {
        return Err(Error::new(Code::Internal, "a response ended without being over"));
    };
    let told = match listener {
        Listener::Later { to, .. } => all(to, last),
        Listener::Client { .. } => Vec::new(),
    };
    match heard {
        Some(heard) => keeping.whole(response, &heard.response.message, told).await,
        None => keeping.partial(response, None, told).await,
    }
}

async fn keep(keeping: &Keeping, events: &Events, working: &Working, last: &[Event]) {
    if let Some(response) = events.response() {
        let _ = keeping.partial(response, None, all(working, last)).await;
    }
}

fn all(working: &Working, last: &[Event]) -> Vec<Value> {
    working.all().into_iter().chain(last.iter().cloned()).map(|event| event.data).collect()
}

impl Listener {
    /// Waits until nobody wants to hear it any more.
    async fn left(&self) {
        match self {
            Self::Client { to, .. } => to.closed().await,
            Self::Later { to, .. } => to.cancel.cancelled().await,
        }
    }

    /// Waits until this process is to leave it to another.
    async fn is_leaving(&self) {
        match self {
            Self::Client { .. } => std::future::pending().await,
            Self::Later { to, .. } => to.left().await,
        }
    }

    /// Whether no more events can be remembered.
    fn is_full(&self) -> bool {
        matches!(self, Self::Later { to, .. } if to.is_full())
    }

    /// Tells events; whether anybody heard them.
    async fn hear(&self, events: Vec<Event>) -> bool {
        match self {
            Self::Later { to, .. } => {
                to.tell(events);
                true
            }
            Self::Client { to, .. } => {
                let mut out = String::new();
                events.iter().for_each(|event| event.write(&mut out));
                out.is_empty() || to.send(out).await.is_ok()
            }
        }
    }
}
