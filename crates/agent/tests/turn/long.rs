//! Conversations that outgrow their model, and runs that outgrow a segment.

use adjutant_agent::definition::{ContextWindow, repeats, steps, tokens};
use adjutant_agent::{Agent, Stop, session};
use adjutant_core::event::EventKind;
use adjutant_core::id::{Scope, SessionId};
use adjutant_core::message::Role;
use adjutant_core::{Code, Error};
use adjutant_durable::Entry;
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::token;
use adjutant_store::{Options, Store};
use adjutant_tool::Output;
use serde_json::json;

use crate::bench::{Bench, Roles, agent, assert_rebuilt, echoes, tape, tool};

/// An agent whose tool `t` gives so many bytes, with a window of so many tokens.
fn reader(bytes: usize, window: u64) -> Agent {
    let long = tool("t", move |text| Ok(Output::text(format!("{text} {}", "x".repeat(bytes)))));
    let context = ContextWindow { tokens: Some(window), ..ContextWindow::default() };
    Agent::new("desk").instructions("You read.").tool(long).context(context)
}

/// Reads so many times, and then answers.
fn reads(times: usize) -> impl Fn(usize) -> Turn + Send + Sync + 'static {
    move |place| match place < times {
        true => Turn::calls([("t", json!({ "text": format!("page {place}") }))]),
        false => Turn::text("read"),
    }
}

fn compacted(records: &[adjutant_durable::Record]) -> usize {
    let is_compaction = |record: &&adjutant_durable::Record| match &record.entry {
        Entry::Answered { operation, .. } | Entry::Issued { operation, .. } => {
            operation.input.to::<EventKind>().is_ok_and(|event| matches!(event, EventKind::Compacted { .. }))
        }
        _ => false,
    };
    records.iter().filter(is_compaction).count()
}

#[tokio::test]
async fn old_results_are_shortened_first() {
    // 4 kB each: twelve fill the window, and 500 tokens each do not.
    let (model, sent) = tape(reads(12));
    let bench = Bench::with(reader(4_000, 14_000), Roles::main(model));
    bench.serve();
    let run = bench.begin("Read all.", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "read");
    let records = bench.records(&run).await;
    assert_eq!(compacted(&records), 0);
    let sent = sent.lock().unwrap().clone();
    assert_rebuilt(&records, &bench.definition(), None, &sent);
    assert!(sent.iter().all(|request| token::estimate_request(request) <= 14_000));
    let last = &sent.last().unwrap().messages;
    let lengths: Vec<_> =
        last.iter().flat_map(|m| m.results()).map(|result| result.as_text().len()).collect();
    assert!(lengths[0] < 2_200 && *lengths.last().unwrap() > 4_000, "{lengths:?}");
    bench.check(&run).await;
}

#[tokio::test]
async fn then_the_history_gives_way_to_a_summary() {
    let (model, sent) = tape(reads(40));
    let summary = || Turn::text("Pages up to here were read.");
    let fast = Scripted::from_fn(move |request, _| {
        assert!(request.tools.is_empty() && request.messages.len() == 2);
        assert!(request.messages[1].text().contains("Read all."));
        Some(summary())
    });
    let bench = Bench::with(
        reader(1_000, 4_000).limit(repeats(50)),
        Roles::main(model).with("fast", fast.with_id("fast-1")),
    );
    bench.serve();
    let run = bench.begin("Read all.", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "read");
    let records = bench.records(&run).await;
    assert!(compacted(&records) >= 2, "{}", compacted(&records));
    let sent = sent.lock().unwrap().clone();
    assert_rebuilt(&records, &bench.definition(), None, &sent);
    for request in &sent {
        assert!(token::estimate_request(request) <= 4_000);
        let says = |text: &str| request.messages.iter().any(|message| message.text().contains(text));
        assert!(says("Read all."), "the task is never lost");
        assert!(request.messages[0].role == Role::System);
    }
    assert!(sent.last().unwrap().messages.iter().any(|m| m.text().contains("Pages up to here were read.")));
    bench.check(&run).await;
}

#[tokio::test]
async fn without_a_summary_the_oldest_are_left_out() {
    let (model, sent) = tape(reads(40));
    let fast = Scripted::new([]).with_id("fast-1");
    let bench = Bench::with(reader(1_000, 4_000), Roles::main(model).with("fast", fast));
    bench.serve();
    let run = bench.begin("Read all.", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "read");
    let sent = sent.lock().unwrap().clone();
    assert_rebuilt(&bench.records(&run).await, &bench.definition(), None, &sent);
    let last = &sent.last().unwrap().messages;
    assert!(last.iter().any(|m| m.text().contains("earlier messages were left out")));
    assert!(last.iter().any(|m| m.text() == "Read all."));
    bench.check(&run).await;
}

#[tokio::test]
async fn a_provider_that_finds_it_too_long_is_sent_half() {
    // The model takes in less than anybody says.
    let read = std::sync::atomic::AtomicUsize::new(0);
    let small = Scripted::from_fn(move |request, _| {
        if token::estimate_request(request) > 3_000 {
            return Some(Turn::error(Error::new(Code::ModelContextExceeded, "too long")));
        }
        Some(reads(6)(read.fetch_add(1, std::sync::atomic::Ordering::SeqCst)))
    });
    let fast = Scripted::from_fn(|_, _| Some(Turn::text("Some pages."))).with_id("fast-1");
    let bench = Bench::with(reader(4_000, 100_000).limit(steps(20)), Roles::main(small).with("fast", fast));
    bench.serve();
    let run = bench.begin("Read all.", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "read");
    bench.check(&run).await;
}

#[tokio::test]
async fn what_cannot_be_made_to_fit_is_said() {
    let never =
        Scripted::from_fn(|_, _| Some(Turn::error(Error::new(Code::ModelContextExceeded, "too long"))));
    let bench = Bench::with(reader(10, 10_000), Roles::main(never));
    assert_eq!(bench.run("Read all.").await.unwrap_err().code(), Code::ModelContextExceeded);
}

#[tokio::test]
async fn a_long_run_goes_on_in_segments() {
    let (model, sent) =
        tape(|place| if place < 1_400 { echoes(&place.to_string()) } else { Turn::text("ok") });
    let agent = agent()
        .limit(steps(2_000))
        .limit(tokens(1_000_000_000))
        .context(ContextWindow { tokens: Some(10_000_000), ..ContextWindow::default() });
    let bench = Bench::with(agent, Roles::main(model));
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!((reply.stop, reply.turns), (Stop::Answered, 1_401));
    let records = bench.records(&run).await;
    assert!(records.iter().any(|record| record.segment == 2));
    assert_eq!(bench.check(&run).await.len(), 2_803);
    assert_rebuilt(&records, &bench.definition(), None, &sent.lock().unwrap());
}

#[tokio::test]
async fn a_long_run_keeps_no_copy_of_what_others_said_before() {
    const SECRET: &str = "the-very-secret-address-17";
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("a.db"), Options::default()).unwrap();
    // The first turn is one person's; the second is another's, and goes on in a segment of its own.
    let (model, sent) = tape(|place| match place {
        0 => echoes(SECRET),
        1 => Turn::text(&format!("noted: {SECRET}")),
        2..720 => echoes(&place.to_string()),
        _ => Turn::text("ok"),
    });
    let agent = agent()
        .limit(steps(2_000))
        .limit(tokens(1_000_000_000))
        .context(ContextWindow { tokens: Some(10_000_000), ..ContextWindow::default() });
    let bench = Bench::on(store.engine(Scope::default()), agent, Roles::main(model));
    bench.serve();
    let first = bench.begin_for(Some("bob"), SECRET, Some("s")).await;
    bench.end(&first).await.unwrap();
    let engine = bench.engine.as_ref();
    let earlier = session::whole(engine, &SessionId::from("s")).await.unwrap();
    let second = bench.begin_for(Some("alice"), "go on", Some("s")).await;
    assert_eq!(bench.end(&second).await.unwrap().text, "ok");
    let records = bench.records(&second).await;
    assert!(records.iter().any(|record| record.segment == 1));
    let requests = sent.lock().unwrap()[2..].to_vec();
    assert!(requests.last().unwrap().messages.iter().any(|message| message.text().contains(SECRET)));
    assert_rebuilt(&records, &bench.definition(), earlier.as_deref(), &requests);

    assert!(holds(folder.path(), SECRET), "the check would not see it");
    assert_eq!(engine.erase_user("bob", "admin").await.unwrap(), 1);
    assert!(!holds(folder.path(), SECRET));
    // What is left is what the other said, and the session goes on with it.
    let third = bench.begin_for(Some("alice"), "and now?", Some("s")).await;
    assert_eq!(bench.end(&third).await.unwrap().text, "ok");
    let seen = sent.lock().unwrap().last().unwrap().messages.clone();
    assert!(seen.iter().any(|message| message.text() == "go on"));
    assert!(!seen.iter().any(|message| format!("{message:?}").contains(SECRET)));
    bench.check(&third).await;
}

/// Whether a text is in any file of a folder.
fn holds(folder: &std::path::Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().any(|file| {
        // The log and its index come and go.
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
