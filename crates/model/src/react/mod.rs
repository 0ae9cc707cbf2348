//! [`React`]: tools for a model that cannot call any, as text.
//!
//! After Yao et al., *ReAct: Synergizing Reasoning and Acting in Language Models* (2022). It is a translation at the edge: what goes in
//! is a request with tools and calls, and so is what comes out. So whoever asks need not know of it.

mod action;
mod mark;
mod prompt;
mod read;

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::id::CallId;
use adjutant_core::json::Json;
use adjutant_core::money::Prices;
use adjutant_core::tool::ToolSpec;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde_json::json;

use crate::delta::{Delta, Deltas, StopReason};
use crate::model::{Call, Model};
use crate::profile::{Abilities, Profile};
use crate::request::{Request, ToolChoice};
use crate::response::Response;
use read::{Piece, Reader};

/// What stands before what is wrong with the form of an answer, among what of it is not understood.
const FAULT: &str = "malformed_action";
/// What the ids of calls begin with; whoever takes them makes each its own.
const CALL: &str = "action";
/// The place of the one call of an answer, behind any that the model itself may make.
const LAST: u32 = u32::MAX;

/// A model that is told of tools in words, and writes its calls as text.
#[derive(Clone)]
pub struct React {
    model: Arc<dyn Model>,
    profile: Arc<Profile>,
}

impl React {
    /// Lets a model call tools by text, whether it could call them otherwise or not.
    pub fn new(model: Arc<dyn Model>) -> Self {
        let known = model.profile();
        let abilities = Abilities { tools: true, parallel_tools: false, ..known.abilities };
        let profile = Arc::new(Profile { abilities, ..known.clone() });
        Self { model, profile }
    }

    /// What is wrong with the form of an answer, so that it could not be read as a call.
    pub fn fault(response: &Response) -> Option<&str> {
        response.unknown.iter().find_map(|unknown| unknown.get(FAULT)?.as_str())
    }

    /// The request as the model reads it. Whatever it would write after its call is no result, so it is stopped there, where its
    /// interface can do that.
    fn written(&self, request: &Request) -> Request {
        let written = prompt::written(request, &self.model.profile().abilities);
        if request.tools.is_empty() {
            return written;
        }
        let mut stop = written.stop.clone();
        stop.push(format!("\n{}", mark::OBSERVATION));
        let stopped = Request { stop, ..written.clone() };
        if self.model.preview(&stopped).is_ok() { stopped } else { written }
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let written = self.written(&request);
        let deltas = self.model.stream(written, call).await?;
        if request.tools.is_empty() {
            return Ok(deltas);
        }
        let may_act = request.tool_choice != ToolChoice::None;
        let mut reader = Reader::new(may_act);
        let read = move |delta| stream::iter(translated(delta, &mut reader, &request.tools));
        Ok(deltas.flat_map(read).boxed())
    }
}

/// What one delta of the model means.
fn translated(delta: Result<Delta>, reader: &mut Reader, tools: &[ToolSpec]) -> Vec<Result<Delta>> {
    match delta {
        Ok(Delta::Text(text)) => {
            let read: Vec<_> = reader.push(&text).into_iter().map(shown).map(Ok).collect();
            // What is not shown yet is a sign of life all the same.
            if read.is_empty() { vec![Ok(Delta::Text(String::new()))] } else { read }
        }
        Ok(Delta::End(stop)) => {
            let ended = reader.finish();
            let mut read: Vec<Delta> = ended.pieces.into_iter().map(shown).collect();
            read.extend(ended.fault.map(|fault| Delta::Unknown(json!({ FAULT: fault }))));
            let stop = match ended.action {
                None => stop,
                Some(action) => {
                    let tool = tools.iter().find(|tool| tool.name == action.name);
                    // What may be half of a text is not taken for the whole.
                    let tool = tool.filter(|_| stop != StopReason::MaxTokens || action.is_whole);
                    read.push(Delta::ToolCall {
                        index: LAST,
                        id: Some(CallId::from(CALL)),
                        arguments: action::arguments(&action.input, tool),
                        name: Some(action.name),
                    });
                    if stop == StopReason::StopSequence { StopReason::ToolCalls } else { stop }
                }
            };
            read.push(Delta::End(stop));
            read.into_iter().map(Ok).collect()
        }
        other => vec![other],
    }
}

fn shown(piece: Piece) -> Delta {
    match piece {
        Piece::Thought(text) => Delta::Reasoning(text),
        Piece::Text(text) => Delta::Text(text),
    }
}

impl Model for React {
    fn id(&self) -> &str {
        self.model.id()
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn most_prices(&self) -> Option<Prices> {
        self.model.most_prices()
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        self.clone().ask(request, call).boxed()
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        self.model.preview(&self.written(request))
    }
}
