//! The built-in model that needs no key and no network. It works by rules and is no LLM.

use adjutant_core::Result;
use adjutant_core::json::Json;
use futures::StreamExt;
use futures::future::BoxFuture;

use crate::delta::{Delta, Deltas, StopReason};
use crate::model::{Call, Model};
use crate::profile::{Abilities, Profile};
use crate::request::Request;
use crate::token;

/// The built-in model.
#[derive(Clone, Debug)]
pub struct Offline {
    profile: Profile,
}

impl Offline {
    /// The model, which has nothing to configure.
    pub fn new() -> Self {
        let abilities = Abilities { images: false, ..Abilities::default() };
        Self { profile: Profile { context_window: Some(128_000), abilities, ..Profile::default() } }
    }
}

impl Default for Offline {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Offline {
    fn id(&self) -> &str {
        "offline"
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn stream(&self, request: Request, _call: Call) -> BoxFuture<'static, Result<Deltas>> {
        let checked = self.profile.check("offline", &request);
        Box::pin(async move {
            checked?;
            let said = request.messages.last().map(|message| message.text()).unwrap_or_default();
            let answer =
                adjutant_core::message::Message::assistant(vec![adjutant_core::message::Part::text(
                    format!("I am the offline model, no LLM. You said: {said}"),
                )]);
            let usage = token::estimate_usage(&request, &answer);
            let deltas =
                [Delta::Text(answer.text()), Delta::Usage(usage), Delta::End(StopReason::EndTurn)].map(Ok);
            Ok(futures::stream::iter(deltas).boxed())
        })
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        Json::of(request)
    }
}
