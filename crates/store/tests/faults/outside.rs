//! The world outside, which remembers what was done to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::tool::Effect;
use adjutant_durable::Attempt;
use futures::future::BoxFuture;

/// Something that runs do something to.
pub(crate) trait World: Send + Sync + 'static {
    /// Something is done.
    fn call(&self, attempt: Attempt, effect: Effect) -> BoxFuture<'_, ()>;
}

/// What was done, by idempotency key.
#[derive(Default)]
pub(crate) struct Outside {
    calls: Mutex<BTreeMap<Arc<str>, Calls>>,
    /// How long a call may take.
    slowest: Duration,
}

#[derive(Debug)]
struct Calls {
    step: String,
    effect: Effect,
    times: u32,
}

impl Outside {
    /// Calls take up to so long.
    pub(crate) fn slow(slowest: Duration) -> Self {
        Self { calls: Mutex::default(), slowest }
    }

    async fn done(&self, attempt: Attempt, effect: Effect) {
        let step = format!("{}{}", attempt.run, attempt.key);
        // Some calls are broken off before they do something, and some after.
        let wait = self.slowest.mul_f64(f64::from(step.bytes().map(u32::from).sum::<u32>() % 8) / 8.0);
        tokio::time::sleep(wait / 2).await;
        {
            let mut calls = self.calls.lock().unwrap();
            let key = Arc::clone(&attempt.idempotency_key);
            let calls = calls.entry(key).or_insert_with(|| Calls { step: step.clone(), effect, times: 0 });
            assert_eq!((&calls.step, calls.effect), (&step, effect), "two steps have the same key");
            calls.times += 1;
        }
        tokio::time::sleep(wait / 2).await;
    }

    /// How many steps of a class did something.
    pub(crate) fn steps(&self, effect: Effect) -> usize {
        self.calls.lock().unwrap().values().filter(|calls| calls.effect == effect).count()
    }

    /// How often something was done that was done before.
    pub(crate) fn repeats(&self, effect: Effect) -> u32 {
        let calls = self.calls.lock().unwrap();
        calls.values().filter(|calls| calls.effect == effect).map(|calls| calls.times - 1).sum()
    }
}

impl World for Outside {
    fn call(&self, attempt: Attempt, effect: Effect) -> BoxFuture<'_, ()> {
        Box::pin(self.done(attempt, effect))
    }
}
