//! What every request passes before its format is looked at: who asks, whether they may, and how much they send.

use adjutant::gateway::Asker;
use adjutant_core::role::Right;
use adjutant_core::{Code, Error};
use axum::extract::Request;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use crate::access::Caller;
use crate::endpoint;
use crate::service::Service;
use crate::wire::Fault;
use crate::{anthropic, openai};

/// Whose format a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

impl Vendor {
    /// Whose format is spoken at a path; none where it is our own.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path.strip_prefix("/v1/")? {
            rest if rest.starts_with("messages") => Some(Self::Anthropic),
            _ => Some(Self::OpenAi),
        }
    }

    /// The body that says what went wrong.
    pub(crate) fn fault(self, fault: &Fault) -> Value {
        match self {
            Self::OpenAi => openai::fault_body(fault),
            Self::Anthropic => anthropic::fault_body(fault),
        }
    }

    /// The status that goes with it.
    pub(crate) fn status(self, code: Code) -> u16 {
        match self {
            Self::OpenAi => openai::fault_status(code),
            Self::Anthropic => anthropic::fault_status(code),
        }
    }
}

/// A request that was taken in.
pub(crate) struct Given {
    /// Who asks.
    pub(crate) caller: Caller,
    /// The service.
    pub(crate) service: Service,
    /// What was sent; `null` where nothing was.
    pub(crate) body: Value,
    /// The room that its body takes.
    _room: Option<OwnedSemaphorePermit>,
}

impl Given {
    /// Who asks a model, on behalf of whom the body says.
    pub(crate) fn asker(&self, user: Option<String>) -> Asker {
        let who = self.caller.who();
        Asker { name: who.name.clone(), user: who.user.clone().or(user), claims: who.claims.clone() }
    }
}

/// Takes a request in. Fails where nobody says who asks, where they may not, and where the body is no JSON.
pub(crate) async fn take(service: Service, request: Request, needs: Right) -> Result<Given, Fault> {
    let (parts, body) = request.into_parts();
    let caller = service.identify(&parts).await?;
    caller.must(needs)?;
    let taken = endpoint::taken(&service, &parts.headers, body, service.largest_body()).await?;
    let body = match taken.bytes.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&taken.bytes).map_err(|error| {
            let message = format!("the body is not JSON: {error}");
            Fault::from(Error::new(Code::InputInvalid, message).with_help("send JSON, as UTF-8"))
        })?,
    };
    Ok(Given { caller, service, body, _room: taken.room })
}
