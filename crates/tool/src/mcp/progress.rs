//! [`Ear`]: what we hear from a server without having asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ErrorCode, ErrorData,
    Implementation, ProgressNotificationParam, ProgressToken, ProtocolVersion,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, RoleClient};

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

impl Ear {
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

impl Drop for Listening {
    fn drop(&mut self) {
        self.ear.0.listeners.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

impl ClientHandler for Ear {
    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let message = "this client asks people nothing on behalf of servers";
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None))
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

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.stale.store(true, Ordering::Release);
    }

    fn get_info(&self) -> ClientConfig {
        let us = Implementation::new("adjutant", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), us)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
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
