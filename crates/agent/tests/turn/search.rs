//! Agents with many tools, which find them.

use std::sync::Arc;

use adjutant_agent::approval::Decision;
use adjutant_agent::definition::{ContextWindow, Named, ToolSearchSettings, steps, tokens};
use adjutant_agent::{Agent, history, start};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::message::ToolResult;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Edit, Entry, Fork};
use adjutant_model::embed::{Embedder, Embeddings, Profile, Purpose};
use adjutant_model::scripted::Turn;
use adjutant_model::{Call, Request};
use adjutant_tool::{FunctionTool, Output};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::bench::{Bench, Roles, agent, assert_rebuilt, echoes, shown, spec, tape};

/// What the tools do besides `echo`.
const DEEDS: [(&str, &str); 6] = [
    ("refund_order", "Pays the money for an order back to the customer."),
    ("track_parcel", "Says where a parcel is."),
    ("book_room", "Reserves a meeting room."),
    ("weather", "Tells the weather of a city."),
    ("reimburse", "Compensates an employee for expenses."),
    ("translate", "Translates a text."),
];

fn deed(name: &str, description: &str) -> FunctionTool {
    let mut spec = spec(name, adjutant_core::tool::Effect::Pure);
    spec.description = description.to_owned();
    FunctionTool::new(spec, |arguments: Value, _| async move {
        Ok(Output::text(format!("done {}", arguments["text"])))
    })
}

/// An agent with seven tools that is shown `echo` alone, and finds two at a time.
fn searcher() -> Agent {
    let settings = ToolSearchSettings { above: Some(5), results: Some(2), always: vec![Named::new("echo")] };
    DEEDS.iter().fold(agent(), |agent, (name, about)| agent.tool(deed(name, about))).tool_search(settings)
}

fn search(query: &str) -> Turn {
    Turn::calls([("search_tools", json!({ "query": query }))])
}

fn offered(request: &Request) -> Vec<&str> {
    request.tools.iter().map(|tool| tool.name.as_str()).collect()
}

#[tokio::test]
async fn a_tool_is_found_and_called() {
    let (model, sent) = tape(|place| match place {
        0 => search("give the customer of this order their money back"),
        1 => Turn::calls([("refund_order", json!({ "text": "1042" }))]),
        2 => search("weather"),
        _ => Turn::text("ok"),
    });
    let bench = Bench::with(searcher(), Roles::main(model));
    bench.serve();
    let run = bench.begin("Refund 1042.", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    let said = shown(&bench.check(&run).await);
    assert!(
        said[3].starts_with("tool: This tool fits best") && said[3].contains("\n- refund_order: Pays"),
        "{said:?}"
    );
    assert_eq!(said[5], r#"tool: done "1042""#);
    let sent = sent.lock().unwrap().clone();
    assert_eq!(offered(&sent[0]), ["echo", "search_tools"]);
    assert_eq!(offered(&sent[1])[..3], ["echo", "search_tools", "refund_order"]);
    // What was offered stays where it is, so that a provider's cache of it holds.
    assert_eq!(offered(&sent[3])[..3], offered(&sent[2])[..]);
    assert!(offered(&sent[3]).contains(&"weather"));
    assert_rebuilt(&bench.records(&run).await, &bench.definition(), None, &sent);

    // The next turn of a session, or another run, finds anew.
    let other = bench.begin("Hello.", None).await;
    bench.end(&other).await.unwrap();
    let records = bench.records(&other).await;
    let again = history::requests(&records, None, &bench.definition()).unwrap();
    assert_eq!(offered(&again[0].request), ["echo", "search_tools"]);
}

#[tokio::test]
async fn a_tool_that_was_not_found_may_be_called_and_joins() {
    let (model, sent) = tape(|place| match place {
        0 => Turn::calls([("book_room", json!({ "wrong": 1 })), ("evil", json!({}))]),
        _ => Turn::text("ok"),
    });
    let bench = Bench::with(searcher(), Roles::main(model));
    bench.serve();
    let run = bench.begin("Book.", None).await;
    bench.end(&run).await.unwrap();
    let said = shown(&bench.check(&run).await);
    assert!(said[3].contains("tool-arguments"), "{said:?}");
    assert!(
        said[4].contains("you have no tool `evil`\nhint: find the right one with `search_tools`"),
        "{said:?}"
    );
    assert_eq!(offered(&sent.lock().unwrap()[1]), ["echo", "search_tools", "book_room"]);
}

#[tokio::test]
async fn what_was_found_survives_segments_and_a_full_window() {
    let (model, sent) = tape(|place| match place {
        0 => search("weather of a city"),
        1..1_100 => echoes(&place.to_string()),
        _ => Turn::text("ok"),
    });
    let agent = searcher()
        .limit(steps(2_000))
        .limit(tokens(1_000_000_000))
        .context(ContextWindow { tokens: Some(12_000), ..ContextWindow::default() });
    let bench = Bench::with(agent, Roles::main(model));
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    let records = bench.records(&run).await;
    assert!(records.iter().any(|record| record.segment == 1));
    let rebuilt = history::requests(&records, None, &bench.definition()).unwrap();
    assert!(rebuilt[1..].iter().all(|sent| offered(&sent.request).contains(&"weather")));
    assert!(rebuilt.len() > 500);
    let sent = sent.lock().unwrap();
    assert!(offered(sent.last().unwrap()).contains(&"weather"));
    let longest = sent.iter().map(|request| request.messages.len()).max().unwrap();
    assert!(longest < 1_500, "nothing was compacted");
}

#[tokio::test]
async fn what_was_found_survives_a_crash_and_a_fork() {
    let play = |place| match place {
        0 => search("weather of a city"),
        1 => echoes("waits for a person"),
        _ => Turn::text("ok"),
    };
    let (model, sent) = tape(play);
    let bench = Bench::with(searcher().approve("echo"), Roles::main(model));
    bench.serve();
    let run = bench.begin("go", None).await;
    let asks = |record: &adjutant_durable::Record| matches!(&record.entry, Entry::Issued { operation, .. } if operation.kind == adjutant_durable::Kind::Signal);
    bench.until(&run, asks).await;
    let signal = bench.records(&run).await.iter().find_map(|record| match &record.entry {
        Entry::Issued { operation, .. } if operation.kind == adjutant_durable::Kind::Signal => {
            Some(operation.name.clone())
        }
        _ => None,
    });
    let (engine, models) = (Arc::clone(&bench.engine), bench.models.clone());
    drop(bench);
    let bench = Bench::on(engine, searcher().approve("echo"), models);
    start::approve(bench.engine.as_ref(), &run, &signal.unwrap(), &Decision::Approve.into_answer())
        .await
        .unwrap();
    bench.serve();
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    let whole = sent.lock().unwrap().clone();
    assert!(offered(&whole[2]).contains(&"weather"));
    assert_rebuilt(&bench.records(&run).await, &bench.definition(), None, &whole);

    let key = StepKey::parse("/turn#0/call#0/search_tools#0");
    let found = json!({ "output": { "content": [], "data": { "tools": ["translate", "evil"] } } });
    let edit = Edit { key: key.clone(), outcome: Ok(found.into()) };
    let fork = Fork {
        by: None,
        of: run.clone(),
        run: RunId::from_bytes([200; 10]),
        from: key,
        segment: None,
        edits: vec![edit],
    };
    let forked = bench.engine.fork(fork).await.unwrap().run;
    bench.end(&forked).await.unwrap();
    let requests = history::requests(&bench.records(&forked).await, None, &bench.definition()).unwrap();
    assert_eq!(offered(&requests[1].request), ["echo", "search_tools", "translate"]);
}

/// A model for which what pays money is one direction, and all else another.
struct Meaning {
    profile: Profile,
    fails: bool,
}

impl Meaning {
    fn new(fails: bool) -> Self {
        Self { profile: Profile { dimensions: Some(2), most_texts: 100, ..Profile::default() }, fails }
    }
}

impl Embedder for Meaning {
    fn id(&self) -> &str {
        "test/meaning"
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn embed(&self, texts: Vec<String>, _: Purpose, _: Call) -> BoxFuture<'static, Result<Embeddings>> {
        let fails = self.fails;
        async move {
            if fails {
                return Err(Error::new(Code::ModelUnavailable, "the server is down"));
            }
            let pays = |text: &String| text.contains("expenses") || text.contains("wallet");
            let vectors = texts.iter().map(|text| if pays(text) { vec![1.0, 0.0] } else { vec![0.0, 1.0] });
            let usage = Some(Usage { input: texts.len() as u64, ..Usage::default() });
            Ok(Embeddings { vectors: vectors.collect(), usage })
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_model_that_makes_vectors_finds_what_words_do_not() {
    for (fails, expected) in [(false, "reimburse"), (true, "No tool of yours")] {
        let (model, sent) = tape(|place| match place {
            0 => search("my own wallet"),
            _ => Turn::text("ok"),
        });
        let bench = Bench::with(searcher(), Roles::main(model).with_embedder(Meaning::new(fails)));
        bench.serve();
        let run = bench.begin("go", None).await;
        bench.end(&run).await.unwrap();
        let said = bench.check(&run).await;
        let found: String = said[3].results().map(ToolResult::as_text).collect();
        assert!(found.contains(expected), "{found}");
        assert_eq!(offered(&sent.lock().unwrap()[1]).contains(&"reimburse"), !fails);
        // Why words alone had to do stands in the journal.
        let records = format!("{:?}", bench.records(&run).await);
        assert_eq!(records.contains("the server is down"), fails);
    }
}

#[test]
fn an_agent_that_lacks_what_it_names_is_refused() {
    let settings = |name: &str| ToolSearchSettings { always: vec![Named::new(name)], ..Default::default() };
    let error = searcher().tool_search(settings("weathr")).build().unwrap_err();
    assert_eq!(error.message(), "`tool_search.always` names `weathr`, which is not a tool of this agent");
    assert_eq!(error.help(), Some("did you mean `weather`?"));
    let error = searcher().tool(deed("search_tools", "Mine.")).build().unwrap_err();
    assert!(error.message().contains("`search_tools`, as one of the runtime is"), "{error}");
}
