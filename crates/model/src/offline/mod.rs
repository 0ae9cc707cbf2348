//! The built-in model that needs no key and no network. It works by rules and is no LLM, and says so.
//!
//! The rules, in the order in which a turn meets them: `words` and `facts` read what the person says; `choose` finds
//! the tools that it speaks of, and `program` writes one where a tool runs programs; `fill` gives them arguments; `wish` decides whether a tool that changes something was
//! asked for; `quote` picks what of the results answers; `shape` puts the answer in the form of a schema. [`answer`]
//! is all of them: a pure function of the request, without a clock and without chance.

mod choose;
mod facts;
mod field;
mod fill;
mod plan;
mod program;
mod quote;
mod shape;
mod sql;
mod stream;
mod turn;
mod wish;
mod words;

use adjutant_core::json::Json;
use adjutant_core::money::Prices;
use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use futures::future::BoxFuture;

use crate::delta::Deltas;
use crate::model::{Call, Model};
use crate::profile::{Abilities, Profile};
use crate::request::Request;

pub use plan::answer;

/// What the model is called.
pub const ID: &str = "offline";

/// The built-in model.
#[derive(Clone, Debug)]
pub struct Offline {
    profile: Profile,
}

impl Offline {
    /// The model, which has nothing to configure.
    pub fn new() -> Self {
        let abilities = Abilities { images: false, ..Abilities::default() };
        let prices = Prices::new(0.into(), 0.into());
        let (context_window, prices) = (Some(128_000), Some(prices));
        Self { profile: Profile { context_window, abilities, prices, ..Profile::default() } }
    }
}

impl Default for Offline {
    fn default() -> Self {
        Self::new()
    }
}

impl Model for Offline {
    fn id(&self) -> &str {
        ID
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        let checked = self.profile.check(ID, &request);
        Box::pin(async move {
            checked?;
            let deltas = stream::deltas(&request, answer(&request)).into_iter();
            let cancelled = || Error::new(Code::RunCancelled, "the call of the model was cancelled");
            let deltas = futures::stream::unfold((deltas, false), move |(mut deltas, over)| {
                let stop = call.cancel.is_cancelled();
                let next = if over {
                    None
                } else if stop {
                    Some(Err(cancelled()))
                } else {
                    deltas.next().map(Ok)
                };
                std::future::ready(next.map(|next| (next, (deltas, stop))))
            });
            Ok(deltas.boxed())
        })
    }

    /// The request itself: there is no other wire.
    fn preview(&self, request: &Request) -> Result<Json> {
        self.profile.check(ID, request)?;
        Json::of(request)
    }
}
