//! What it costs to tell where the arguments of a call came from, late in a long conversation: 400 messages, 1 MB. This is
//! the work of an agent around a decision; prints one line per measure.
//!
//! `cargo bench -p adjutant-policy --bench origins`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use adjutant_core::label::Label;
use adjutant_core::tool::{Effect, Flow, Role, ToolSpec};
use adjutant_policy::facts::Evidence;
use adjutant_policy::flow::{Known, Read, origins};
use serde_json::{Map, Value, json};

const MESSAGES: usize = 400;
/// Every fourth message is a person's, of 200 bytes; the others are results of this many bytes, which makes 1 MB.
const RESULT: usize = 3_400;
const ROUNDS: usize = 2_000;

fn main() {
    let mut times = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let known = conversation(MESSAGES);
        times.push(began.elapsed());
        drop(known);
    }
    print("the first decision reads all of it", &mut times);

    let spec = spec();
    let said = json!({ "to": "user16@example.org", "amount": 250, "order": 1016 });
    let read =
        json!({ "to": "office301@example.org", "amount": 12, "order": 5_301_000, "path": "reports/301.md" });
    let account = json!({ "to": "office301@example.org", "account": "DE00 3704 0044 0532 0003 01" });
    let made = json!({ "to": "nobody@example.net", "body": "A text that stands nowhere. ".repeat(40) });
    for (name, arguments, evidence) in [
        ("values that a person has said", said, Evidence::Words),
        ("values that stand in a result", read, Evidence::Result),
        ("an account that stands in a result", account, Evidence::Result),
        ("values that stand nowhere", made, Evidence::None),
    ] {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        measure(name, &spec, &arguments, evidence);
    }
}

/// What a decision costs after those before it: the new message is read, and the arguments are held against all.
fn measure(name: &str, spec: &ToolSpec, arguments: &Map<String, Value>, evidence: Evidence) {
    let mut kept = conversation(MESSAGES);
    let (mut taken, mut told) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round.is_multiple_of(20) {
            kept = conversation(MESSAGES - 20);
        }
        let began = Instant::now();
        take(&mut kept, MESSAGES - 20 + round % 20);
        let known = kept.clone();
        taken.push(began.elapsed());
        let began = Instant::now();
        let found = origins(spec, arguments, &known);
        told.push(began.elapsed());
        assert_eq!(found.get("/to").map(|origin| origin.evidence), Some(evidence), "{found:?}");
    }
    print(&format!("{name}: one message is read"), &mut taken);
    print(&format!("{name}: the arguments are told"), &mut told);
}

fn conversation(messages: usize) -> Known {
    let mut known = Known::default();
    (0..messages).for_each(|place| take(&mut known, place));
    known
}

fn take(known: &mut Known, place: usize) {
    if place.is_multiple_of(4) {
        let text = format!(
            "Please look at order {} and write to user{place}@example.org; pay 250 EUR. ",
            place + 1000
        );
        return known.said(&format!("{text}{}", "It is not urgent. ".repeat(7)), &Label::default());
    }
    let rows: Vec<Value> = (0..RESULT / 170)
        .map(|row| {
            json!({
                "id": format!("{place}-{row}"), "order": 5_000_000 + place * 1000 + row,
                "mail": format!("office{}@example.org", if row == 0 { place } else { place * 1000 + row }),
                "account": format!("DE0037040044053200{:04}", if row == 0 { place } else { 1000 + row }),
                "path": format!("reports/{place}.md"), "note": "Left on Tuesday, was not signed for.",
            })
        })
        .collect();
    let (trusted, data) = (!place.is_multiple_of(2), Value::from(rows));
    let label = if trusted { Label::default() } else { Label::untrusted_from("web:shop.example") };
    let text = data.to_string();
    let read = Read {
        tool: "look",
        text: &text,
        data: Some(&data),
        asked: None,
        issued: &BTreeSet::new(),
        label: &label,
    };
    known.read(&read);
}

fn spec() -> ToolSpec {
    let roles = [
        ("to", Role::Recipient),
        ("account", Role::Recipient),
        ("amount", Role::Amount),
        ("body", Role::Content),
    ];
    ToolSpec {
        name: "send".to_owned(),
        description: String::new(),
        parameters: json!({ "type": "object", "properties": {
            "to": { "type": "string" }, "account": { "type": "string" }, "amount": { "type": "number" },
            "order": { "type": "integer" }, "path": { "type": "string" }, "body": { "type": "string" },
        } }),
        effect: Effect::AtMostOnce,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: Flow { arguments: roles.map(|(name, role)| (name.to_owned(), role)).into(), ..Flow::default() },
    }
}

fn print(name: &str, times: &mut [Duration]) {
    times.sort();
    let at =
        |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e6;
    println!("{name}: p50 {:.0} µs, p99 {:.0} µs", at(50), at(99));
}
