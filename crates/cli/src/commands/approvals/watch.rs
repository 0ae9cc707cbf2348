//! `adjutant approvals watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use adjutant::Adjutant;
use clap::Args;
use serde_json::json;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, clean, first_line};
use crate::turn::Interrupts;

/// How often to look.
const LOOK: Duration = Duration::from_millis(500);

/// How much of a call is shown, in characters.
const LONGEST: usize = 100;

/// Tells of each call that comes to wait for a person, and of each that waits no more, until it is interrupted. With
/// --json each is one line.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Leave when so many calls were told of.
    #[arg(long, value_name = "COUNT")]
    most: Option<usize>,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let mut interrupts = Interrupts::new()?;
    let mut known = BTreeMap::new();
    let mut told = 0;
    loop {
        let mut waiting = BTreeMap::new();
        for approval in adjutant.approvals().waiting().await? {
            if approval.answer.is_none() {
                waiting.insert(approval.id.clone(), approval);
            }
        }
        for (id, approval) in &waiting {
            if known.contains_key(id) {
                continue;
            }
            told += 1;
            if output.json {
                output.json(&json!({ "waits": approval }))?;
            } else {
                let call = format!("{} {}", approval.request.tool, approval.request.arguments);
                output.line(&format!("waits  {id}  {}", clean(&first_line(&call, LONGEST))))?;
            }
        }
        for id in known.keys().filter(|id| !waiting.contains_key(*id)) {
            if output.json {
                output.json(&json!({ "over": id }))?;
            } else {
                output.line(&format!("over   {id}"))?;
            }
        }
        known = waiting;
        if arguments.most.is_some_and(|most| told >= most) {
            return Ok(Exit::Success);
        }
        tokio::select! {
            biased;
            interrupt = interrupts.next() => return Ok(Exit::from(interrupt)),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
