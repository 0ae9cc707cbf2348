//! Gives an answer again that was given before to exactly the same request.

use std::fmt;
use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::message::Part;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::collect::Collector;
use crate::delta::{Delta, Deltas, Instead, Start, StopReason};
use crate::model::{Call, Model};
use crate::profile::Profile;
use crate::request::Request;
use crate::response::Response;

/// Where answers are kept. It is a convenience: what cannot be read or written is as if it were not there.
pub trait Answers: Send + Sync + fmt::Debug + 'static {
    /// The answer of that key, if it is still there.
    fn get(&self, key: Digest) -> BoxFuture<'_, Option<Response>>;

    /// Keeps an answer under a key.
    fn put(&self, key: Digest, answer: Response) -> BoxFuture<'_, ()>;
}

/// A model that gives an answer again which it gave before to exactly the same request: the same body to the same model.
#[derive(Clone)]
pub struct Cache {
    model: Arc<dyn Model>,
    answers: Arc<dyn Answers>,
    owner: Digest,
}

impl Cache {
    /// Keeps the answers of this model. `owner` tells it from others: bodies of requests do not always say which model is
    /// asked, and never where.
    pub fn new(model: Arc<dyn Model>, answers: Arc<dyn Answers>, owner: Digest) -> Self {
        Self { model, answers, owner }
    }

    async fn ask(self, request: Request, call: Call) -> Result<Deltas> {
        let key = self.key(&request)?;
        if let Some(answer) = self.answers.get(key).await {
            return Ok(again(self.model.id(), answer));
        }
        let collector = Collector::for_request(&request);
        let deltas = self.model.stream(request, call).await?;
        Ok(self.keeping(key, collector, deltas))
    }

    fn key(&self, request: &Request) -> Result<Digest> {
        let body = self.model.preview(request)?;
        Ok(Digest::of_parts(&[self.owner.as_bytes(), self.model.id().as_bytes(), body.as_str().as_bytes()]))
    }

    /// The same answer, kept when it is complete. It is kept before its end is told, so that whoever asks next finds it.
    fn keeping(self, key: Digest, collector: Collector, deltas: Deltas) -> Deltas {
        let state = (self.answers, Some(collector), deltas);
        futures::stream::unfold(state, move |(answers, mut collector, mut deltas)| async move {
            let delta = deltas.next().await?;
            match (&delta, &mut collector) {
                (Ok(Delta::End(_)), _) => {
                    if let (Some(mut whole), Ok(delta)) = (collector.take(), &delta) {
                        whole.push(delta.clone());
                        if let Ok(response) = whole.finish()
                            && is_worth_keeping(&response)
                        {
                            answers.put(key, response).await;
                        }
                    }
                }
                (Ok(delta), Some(collector)) => collector.push(delta.clone()),
                (Ok(_), None) => {}
                (Err(_), _) => collector = None,
            }
            Some((delta, (answers, collector, deltas)))
        })
        .boxed()
    }
}

/// An answer that was cut off, held back or given by another model would come out better the next time.
fn is_worth_keeping(response: &Response) -> bool {
    matches!(response.stop, StopReason::EndTurn | StopReason::ToolCalls | StopReason::StopSequence)
        && response.instead.is_none()
}

/// An answer that was kept, as deltas. Its usage tells the size of the conversation; nothing of it was used now.
fn again(model: &str, answer: Response) -> Deltas {
    let mut deltas = vec![
        Delta::Start(Start { request_id: answer.request_id, model: answer.model, rate_limits: Vec::new() }),
        Delta::Instead(Instead { model: model.to_owned(), prices: None, cached: true }),
    ];
    let mut index = 0;
    for part in answer.message.parts {
        deltas.extend(match part {
            Part::Text { text } => Some(Delta::Text(text)),
            Part::Reasoning(reasoning) => Some(Delta::ReasoningDone(reasoning)),
            Part::Native(native) => Some(Delta::Native(native)),
            Part::ToolCall(call) => {
                index += 1;
                Some(Delta::ToolCall {
                    index: index - 1,
                    id: Some(call.id),
                    name: Some(call.name),
                    arguments: call.arguments,
                })
            }
            // A model says none of these.
            Part::Image(_) | Part::Audio(_) | Part::File(_) | Part::ToolResult(_) => None,
        });
    }
    deltas.extend(answer.usage.map(Delta::Usage));
    deltas.extend(answer.unknown.into_iter().map(Delta::Unknown));
    deltas.push(Delta::End(answer.stop));
    futures::stream::iter(deltas.into_iter().map(Ok)).boxed()
}

impl Model for Cache {
    fn id(&self) -> &str {
        self.model.id()
    }

    fn profile(&self) -> &Profile {
        self.model.profile()
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        self.clone().ask(request, call).boxed()
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        self.model.preview(request)
    }
}
