//! Agents that go about their tasks otherwise than by the plain loop.

use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::agent::definition::Strategy;
use adjutant::core::event::EventKind;
use adjutant::core::json::Json;
use adjutant::durable::Edit;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;
use serde_json::json;

fn asked(request: &Request) -> String {
    request.messages.last().map(|message| message.text()).unwrap_or_default()
}

/// Whether the model is asked as the helper that says this of itself.
fn is(request: &Request, says: &str) -> bool {
    request.messages.first().is_some_and(|message| message.text().contains(says))
}

fn adjutant(play: impl Fn(&Request, usize) -> Option<Turn> + Send + Sync + 'static) -> Adjutant {
    Adjutant::builder().in_memory().model("main", Scripted::from_fn(play)).build().unwrap()
}

/// Says these in turn, whoever asks.
fn saying(
    texts: &'static [&'static str],
) -> impl Fn(&Request, usize) -> Option<Turn> + Send + Sync + 'static {
    let said = AtomicUsize::new(0);
    move |_, _| texts.get(said.fetch_add(1, Ordering::SeqCst)).map(|text| Turn::text(text))
}

fn clerk(strategy: Strategy) -> Agent {
    Agent::new("clerk")
        .instructions("You work for {{ shop }}.")
        .variable("shop", "Bluebell")
        .strategy(strategy)
}

#[tokio::test]
async fn what_most_answers_say_is_the_answer() {
    let adjutant = adjutant(saying(&["Forty.", "42", "  forty", "41", "Forty"]));
    let reply = adjutant.run(&clerk(Strategy::Vote { of: 5 }), "How many?").await.unwrap();
    assert_eq!(reply.text.to_lowercase().trim().trim_end_matches('.'), "forty");
}

#[tokio::test]
async fn an_answer_is_made_better_until_its_critic_is_content() {
    let adjutant = adjutant(|request, _| {
        let text = asked(request);
        Some(Turn::text(&if is(request, "strict colleague") {
            json!({ "advice": "shorter", "passes": text.contains("short and kind") }).to_string()
        } else if text.contains("Your last answer was:\nlong") && text.contains("shorter") {
            "short and kind".to_owned()
        } else {
            "long".to_owned()
        }))
    });
    let run = adjutant.start(&clerk(Strategy::Refine { rounds: 4 }), "Write.").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "short and kind");
    let children = run.summary().await.unwrap().steps.iter().filter(|step| step.run.is_some()).count();
    assert_eq!(children, 4, "two answers and two critiques");
}

#[tokio::test]
async fn a_failed_attempt_is_a_lesson_for_the_next() {
    let adjutant = adjutant(|request, _| {
        let text = asked(request);
        Some(if is(request, "strict colleague") {
            Turn::text(&json!({ "advice": "use cents", "passes": text.contains("500") }).to_string())
        } else if text.contains("use cents") {
            assert!(!text.contains("Your last answer"), "it begins anew: {text}");
            Turn::text("500")
        } else {
            Turn::text("5.00")
        })
    });
    let reply = adjutant.run(&clerk(Strategy::Reflexion { attempts: 3 }), "How much?").await.unwrap();
    assert_eq!(reply.text, "500");
}

#[tokio::test]
async fn a_session_keeps_what_was_learned() {
    let adjutant = adjutant(|request, _| {
        let text: Vec<_> = request.messages.iter().map(|message| message.text()).collect();
        let text = text.join("\n");
        Some(Turn::text(&if is(request, "strict colleague") {
            json!({ "advice": "use cents", "passes": text.ends_with("00") }).to_string()
        } else if text.contains("It failed") {
            assert!(text.contains("use cents"), "{text}");
            "900".to_owned()
        } else if text.contains("use cents") {
            // Twice nothing is no answer.
            String::new()
        } else {
            "5.0".to_owned()
        }))
    });
    let clerk = clerk(Strategy::Reflexion { attempts: 3 });
    let session = adjutant.session("ann");
    let first = session.say(&clerk, "How much?").await.unwrap();
    assert_eq!(first.text, "900");
    let texts: Vec<&str> = first.lessons.iter().map(|lesson| lesson.text.as_str()).collect();
    assert!(matches!(texts[..], ["use cents", failed] if failed.starts_with("It failed")), "{texts:?}");
    let run = session.start(&clerk, "And that?").await.unwrap();
    let second = run.reply().await.unwrap();
    assert_eq!((second.text.as_str(), second.lessons.len()), ("900", 2));
    assert!(!second.label.unwrap().is_trusted(), "it was told why something failed");
    let children = run.summary().await.unwrap().steps.iter().filter(|step| step.run.is_some()).count();
    assert_eq!(children, 2, "the first attempt succeeds");
    // Nobody else has learned that.
    let other = adjutant.session("bob").say(&clerk, "How much?").await.unwrap();
    assert_eq!(other.lessons.len(), 2);
}

/// Lays something on the table.
#[tool(idempotent)]
fn lay(what: String) -> Result<String, ToolError> {
    match what.as_str() {
        "knife" => Err(ToolError::new("there is no knife")),
        what => Ok(format!("the {what} lies there")),
    }
}

#[tokio::test]
async fn a_list_is_worked_through_and_revised() {
    let adjutant = adjutant(|request, _| {
        let text = asked(request);
        let has_result = request.messages.last().is_some_and(|message| message.results().next().is_some());
        Some(if is(request, "You make the list") {
            let todo = match (
                text.contains("[x] lay the plate"),
                text.contains("no knife"),
                text.contains("[x] lay the fork"),
            ) {
                (false, ..) => json!(["lay the plate", "lay the knife"]),
                (true, false, _) => json!(["lay the knife"]),
                (true, true, false) => json!(["lay the fork"]),
                (true, true, true) => json!([]),
            };
            Turn::text(&json!({ "todo": todo }).to_string())
        } else if text.ends_with("Now answer the task with what was done.") {
            Turn::text(if text.contains("This was not done") { "Not all." } else { "The table is laid." })
        } else if has_result {
            Turn::text(&request.messages.last()?.results().next()?.as_text())
        } else {
            let what = text.rsplit("lay the ").next()?.to_owned();
            Turn::calls([("lay", json!({ "what": what }))])
        })
    });
    let laying = |steps: u32| clerk(Strategy::Plan { steps }).tool(lay);
    let mut updates = adjutant.stream(&laying(9), "Lay the table.").await.unwrap();
    let (mut lists, mut bound) = (Vec::new(), None);
    while let Some(update) = updates.next().await {
        let Update::Event(event) = update.unwrap() else { continue };
        match event.kind {
            EventKind::Strategy { name, most_model_calls } => bound = Some((name, most_model_calls)),
            EventKind::Todo { done, open } => lists.push((done.len(), open)),
            _ => {}
        }
    }
    let items = |items: &[&str]| items.iter().map(|item| format!("lay the {item}")).collect::<Vec<_>>();
    let expected =
        [(0, items(&["plate", "knife"])), (1, items(&["knife"])), (2, items(&["fork"])), (3, items(&[]))];
    assert_eq!(lists, expected);
    assert_eq!(bound, Some(("plan".to_owned(), 10 * 52 + 10 * 4)));
    updates.stop().await.unwrap();
    let reply = adjutant.run(&laying(9), "Lay the table.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.ending.unwrap().open.len()), ("The table is laid.", 0));
    let reply = adjutant.run(&laying(2), "Lay the table.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.ending.unwrap().open), ("Not all.", items(&["fork"])));
}

/// A model that does what is asked, and for which so much is left to do.
fn diligent(todo: &'static [&'static str]) -> Adjutant {
    adjutant(move |request, _| {
        let text = asked(request);
        Some(Turn::text(&if is(request, "You make the list") {
            let left: Vec<_> = todo.iter().filter(|what| !text.contains(&format!("[x] {what}"))).collect();
            json!({ "todo": left }).to_string()
        } else {
            text.rsplit("\n\n").next()?.to_owned()
        }))
    })
}

#[tokio::test]
async fn what_is_done_of_a_list_is_not_lost_at_a_limit() {
    let adjutant = diligent(&["first", "second", "third", "fourth", "fifth"]);
    let laying = |most| clerk(Strategy::Plan { steps: 9 }).limit(tokens(most));
    let whole = adjutant.run(&laying(1_000_000), "Go.").await.unwrap();
    assert_eq!(whole.text, "Now answer the task with what was done.");
    let mut cut = 0;
    for part in 8..24 {
        let Ok(reply) = adjutant.run(&laying(whole.usage.total() * part / 20), "Go.").await else { continue };
        let open = reply.ending.unwrap().open;
        if let Some(last) = open.last() {
            assert_eq!(last, "fifth", "{open:?}");
            assert!(!reply.text.trim().is_empty());
            assert_eq!(reply.text.contains("[x] first"), reply.text.contains("[ ] fifth"), "{}", reply.text);
            cut += 1;
        }
    }
    assert!(cut > 0, "one of them has ended in its middle");
}

#[tokio::test]
async fn a_fork_goes_on_with_another_list() {
    let adjutant = diligent(&["first", "second"]);
    let run = adjutant.start(&clerk(Strategy::Plan { steps: 9 }), "Go.").await.unwrap();
    run.reply().await.unwrap();
    let steps = run.summary().await.unwrap().steps;
    let list = steps.iter().find(|step| step.key.name() == "todo").unwrap().key.clone();
    let outcome = Ok(Json::of(&["something else"]).unwrap());
    let forked = run.fork(&list, vec![Edit { key: list.clone(), outcome }]).await.unwrap();
    let fork = adjutant.handle(&forked.run);
    fork.reply().await.unwrap();
    let steps = fork.summary().await.unwrap().steps;
    let lists = steps.iter().filter(|step| step.key.name() == "todo").map(|step| step.input.value());
    let done: Vec<_> = lists.map(|list| list["done"].clone()).collect();
    assert_eq!(
        done,
        [
            json!([]),
            json!(["something else"]),
            json!(["something else", "first"]),
            json!(["something else", "first", "second"])
        ]
    );
}

#[tokio::test]
async fn a_strategy_stands_in_the_front_matter() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    let write = |strategy: &str| {
        let text = format!("---\nmodel: main\nstrategy: {strategy}\n---\nHelp.\n");
        std::fs::write(folder.path().join("agents/desk.md"), text).unwrap();
        Project::load(folder.path())
    };
    let project = write("{ name: vote, of: 3 }").unwrap();
    assert_eq!(Strategy::of(project.definition("desk").unwrap()), Some(Strategy::Vote { of: 3 }));
    let model = Scripted::from_fn(saying(&["a", "b", "b"]));
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    let run = adjutant.start("desk", "Which?").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "b");
    let error = write("vots").unwrap_err().swap_remove(0);
    assert_eq!(error.help(), Some("did you mean `vote`?"));
    assert_eq!(Strategy::Plan { steps: 4 }.most_model_calls(10), 70);
}
