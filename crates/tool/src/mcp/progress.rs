//! [`Ear`]: what we hear from a server without having asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationCapability, ErrorData, FormElicitationCapability, Implementation, JsonObject,
    ProgressNotificationParam, ProgressToken, ProtocolVersion, TASKS_EXTENSION_ID, UrlElicitationCapability,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, RoleClient};
use tokio::sync::{mpsc, oneshot};

use super::clean;
use crate::context::Context;

/// How much progress of one call is shown.
const MOST: usize = 1_000;

/// How long one line of progress may be, in characters.
const LONGEST: usize = 500;

/// What we hear from a server without having asked. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Ear(Arc<Inner>);

#[derive(Default)]
struct Inner {
    listeners: Mutex<HashMap<ProgressToken, Listener>>,
    /// Where questions of the server are put, one place for each call under way; the newest is last.
    floors: Mutex<Vec<(u64, mpsc::UnboundedSender<Asking>)>>,
    floor: AtomicU64,
    stale: AtomicBool,
}

#[derive(Clone)]
struct Listener {
    context: Context,
    heard: Arc<AtomicUsize>,
}

/// As long as this lives, the progress of a call is shown.
pub(super) struct Listening {
    ear: Ear,
    token: ProgressToken,
}

/// A question of the server. When it is dropped, the server is told that nobody answers.
pub(super) struct Asking {
    pub(super) asked: ElicitRequestParams,
    pub(super) reply: oneshot::Sender<ElicitResult>,
}

/// As long as this lives, a call takes questions of the server.
pub(super) struct Floor {
    ear: Ear,
    place: u64,
    asked: mpsc::UnboundedReceiver<Asking>,
}

impl Floor {
    /// The next question.
    pub(super) async fn next(&mut self) -> Asking {
        match self.asked.recv().await {
            Some(asking) => asking,
            // It has closed its ear, and says nothing any more.
            None => std::future::pending().await,
        }
    }
}

impl Listening {
    /// Shows the progress to another step of the same call.
    pub(super) fn show_in(&self, context: &Context) {
        let mut listeners = self.ear.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listeners.get_mut(&self.token) {
            listener.context = context.clone();
        }
    }
}

impl Ear {
    /// Has questions of the server put to a call. Up to the revision 2025-11-25 they do not say which call they belong to;
    /// the one that began last is put them, and whichever it is, the answer reaches who asked.
    pub(super) fn floor(&self) -> Floor {
        let (sender, asked) = mpsc::unbounded_channel();
        let place = self.0.floor.fetch_add(1, Ordering::Relaxed);
        self.0.floors.lock().unwrap_or_else(PoisonError::into_inner).push((place, sender));
        Floor { ear: self.clone(), place, asked }
    }

    /// Puts a question to a call; where none is under way there is nobody to be asked.
    fn put(&self, asking: Asking) -> bool {
        let floors = self.0.floors.lock().unwrap_or_else(PoisonError::into_inner);
        floors.last().is_some_and(|(_, floor)| floor.send(asking).is_ok())
    }

    /// Shows the progress of a call.
    pub(super) fn listen(&self, token: ProgressToken, context: &Context) -> Listening {
        let listener = Listener { context: context.clone(), heard: Arc::default() };
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), listener);
        Listening { ear: self.clone(), token }
    }

    /// Whether the server has said that its tools are others, since this was asked last.
    pub(super) fn take_stale(&self) -> bool {
        self.0.stale.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let mut floors = self.ear.0.floors.lock().unwrap_or_else(PoisonError::into_inner);
        floors.retain(|(place, _)| *place != self.place);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ear.0.listeners.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

impl ClientHandler for Ear {
    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let (reply, answered) = oneshot::channel();
        let put = self.put(Asking { asked, reply });
        let nobody = || ElicitResult::new(ElicitationAction::Cancel);
        Ok(if put { answered.await.unwrap_or_else(|_| nobody()) } else { nobody() })
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listener) = listeners.get(&progress.progress_token).cloned() else { return };
        drop(listeners);
        if listener.heard.fetch_add(1, Ordering::Relaxed) < MOST {
            listener.context.progress(shown(&progress));
        }
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.stale.store(true, Ordering::Release);
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.stale.store(true, Ordering::Release);
    }

    fn get_info(&self) -> ClientConfig {
        let us = Implementation::new("adjutant", env!("CARGO_PKG_VERSION"));
        let mut able = ClientCapabilities::default();
        able.elicitation = Some(
            ElicitationCapability::new()
                .with_form(FormElicitationCapability::new())
                .with_url(UrlElicitationCapability::new()),
        );
        able.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), JsonObject::new())].into());
        ClientConfig::new(able, us).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }
}

fn shown(progress: &ProgressNotificationParam) -> String {
    let count = match progress.total {
        Some(total) => format!("{} of {total}", progress.progress),
        None => progress.progress.to_string(),
    };
    match progress
        .message
        .as_deref()
        .map(|message| clean::line(message, LONGEST))
        .filter(|text| !text.is_empty())
    {
        Some(message) => format!("{message} ({count})"),
        None => count,
    }
}
