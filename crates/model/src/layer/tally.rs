//! What models were asked by this process, for those who watch over it.
//!
//! It is a tally and no ledger: it begins with the process and ends with it. What may be spent is decided elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::Result;
use adjutant_core::json::Json;
use adjutant_core::usage::Usage;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::delta::{Delta, Deltas};
use crate::model::{Call, Model};
use crate::profile::Profile;
use crate::request::Request;

/// The most models that are told apart; those that come later are counted together.
const MOST: usize = 200;

/// What those are called that are counted together.
const OTHERS: &str = "others";

static TALLY: Mutex<BTreeMap<String, Asked>> = Mutex::new(BTreeMap::new());

/// What a model was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// How often it answered to the end.
    pub answered: u64,
    /// How often it did not, or nobody waited for the end.
    pub failed: u64,
    /// The tokens that it read.
    pub input: u64,
    /// The tokens that it wrote.
    pub output: u64,
    /// What that cost where its prices are known, in billionths of a dollar.
    pub nanos: i64,
}

/// What each model was asked by this process, by its id; each attempt counts.
pub fn tally() -> BTreeMap<String, Asked> {
    TALLY.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A model whose calls are counted.
pub(super) struct Counted(pub(super) Arc<dyn Model>);

impl Model for Counted {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn profile(&self) -> &Profile {
        self.0.profile()
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        let mut count = Count { model: Arc::clone(&self.0), usage: None, is_whole: false };
        let asked = self.0.stream(request, call);
        async move {
            let deltas = asked.await?;
            Ok(deltas.inspect(move |delta| count.hear(delta)).boxed())
        }
        .boxed()
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        self.0.preview(request)
    }
}

/// One call, which counts once it is let go of.
struct Count {
    model: Arc<dyn Model>,
    usage: Option<Usage>,
    is_whole: bool,
}

impl Count {
    fn hear(&mut self, delta: &Result<Delta>) {
        match delta {
            Ok(Delta::Usage(usage)) => self.usage = Some(*usage),
            Ok(Delta::End(_)) => self.is_whole = true,
            _ => {}
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        let mut tally = TALLY.lock().unwrap_or_else(PoisonError::into_inner);
        let id = self.model.id();
        let id = if tally.len() < MOST || tally.contains_key(id) { id } else { OTHERS };
        let asked = tally.entry(id.to_owned()).or_default();
        match self.is_whole {
            true => asked.answered += 1,
            false => asked.failed += 1,
        }
        let Some(usage) = self.usage else { return };
        asked.input = asked.input.saturating_add(usage.input);
        asked.output = asked.output.saturating_add(usage.output);
        if let Some(prices) = self.model.profile().prices {
            asked.nanos = asked.nanos.saturating_add(prices.cost(&usage).nanos());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, Turn};

    #[tokio::test]
    async fn a_call_is_counted_once_it_is_over_or_given_up() {
        let model = Counted(Arc::new(Scripted::new([Turn::text("One two."), Turn::text("Three four.")])));
        let before = tally().get(model.id()).copied().unwrap_or_default();
        let ask = || model.stream(Request::default(), Call::default());
        ask().await.unwrap().collect::<Vec<_>>().await;
        // Dropped after its first piece.
        drop(ask().await.unwrap().next().await);
        drop(ask());
        let after = tally()[model.id()];
        assert_eq!(after.answered, before.answered + 1);
        assert_eq!(after.failed, before.failed + 2);
        assert!(after.output > before.output);
    }
}
