//! The agent that the tests run, and its tools.

use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use serde_json::json;

/// Counts what was sold.
#[derive(Default)]
pub(crate) struct Till(pub(crate) AtomicUsize);

/// Finds an order by its number.
#[tool(pure)]
fn order(number: u32) -> Result<String, ToolError> {
    match number {
        1042 => Ok("Order 1042 is on its way.".to_owned()),
        _ => Err(ToolError::new(format!("there is no order {number}"))),
    }
}

/// Takes money.
#[tool(at_most_once)]
fn pay(cents: usize, till: &Till) -> Result<String, ToolError> {
    match till.0.fetch_add(cents, Ordering::Relaxed) {
        // The first payment breaks off, and nobody knows whether it went through.
        0 if cents == 13 => Err(ToolError::unknown("the connection broke")),
        _ => Ok(format!("{cents} cents paid")),
    }
}

/// Waits until it is cancelled.
#[tool(idempotent)]
async fn wait(context: &Context) -> Result<String, ToolError> {
    context.progress("waiting");
    context.cancelled().cancelled().await;
    Err(ToolError::new("cancelled"))
}

/// The desk, with all of its tools.
pub(crate) fn desk() -> Agent {
    Agent::new("desk").instructions("You run the desk.").tool(order).tool(pay).tool(wait).limit(steps(20))
}

/// An Adjutant in memory whose model says this.
pub(crate) fn saying(turns: impl IntoIterator<Item = Turn>) -> Adjutant {
    Adjutant::builder()
        .in_memory()
        .model("main", Scripted::new(turns))
        .resource(Till::default())
        .build()
        .unwrap()
}

/// A turn that looks order 1042 up.
pub(crate) fn look_up() -> Turn {
    Turn::calls([("order", json!({ "number": 1042 }))])
}

/// A turn that pays.
pub(crate) fn pay_cents(cents: usize) -> Turn {
    Turn::calls([("pay", json!({ "cents": cents }))])
}
