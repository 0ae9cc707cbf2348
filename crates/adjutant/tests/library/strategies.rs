//! Agents that go about their tasks otherwise than by the plain loop.

use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::agent::definition::Strategy;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
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
    assert_eq!(adjutant.run(&laying(9), "Lay the table.").await.unwrap().text, "The table is laid.");
    assert_eq!(adjutant.run(&laying(2), "Lay the table.").await.unwrap().text, "Not all.");
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
