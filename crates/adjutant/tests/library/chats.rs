//! Conversations of several, as files.

use adjutant::durable::Wait;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::{Adjutant, Project};
use adjutant::tool::Answer;
use serde_json::json;

use crate::crews::told;
use crate::events::asked;
use crate::workflows::folder;

/// A model that says how much it was shown, and chooses who speaks.
fn speak(request: &Request, _: usize) -> Option<Turn> {
    let system = request.messages.first()?.text();
    let shown = request.messages.last()?.text();
    if system.contains("You lead a conversation") {
        let next = match shown.matches("\n\nwriter: ").count() {
            0 => "writer",
            1 if !shown.contains("\n\nfragile: ") => "fragile",
            _ => "nobody",
        };
        return Some(Turn::text(&json!({ "reason": "now", "next": next }).to_string()));
    }
    let who = shown.split('`').nth(1)?;
    Some(Turn::text(&format!("{who} after {}", shown.matches("\n\n").count() - 1)))
}

fn open(folder: &tempfile::TempDir) -> Adjutant {
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    Adjutant::builder().project(project).model("main", Scripted::from_fn(speak)).build().unwrap()
}

async fn made(workflow: &str) -> String {
    match open(&folder(workflow)).run("flow", "Go").await {
        Ok(reply) => reply.data.map_or(reply.text, |data| data.to_string()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn they_speak_in_turn_until_a_rule_ends_it() {
    let flow = "
steps:
  - chat: { speakers: [writer, fragile], until: \"turns >= 3 || last.contains('stop')\" }
";
    assert_eq!(
        made(flow).await,
        "opening: Go\n\nwriter: writer after 0\n\nfragile: fragile after 1\n\nwriter: writer after 2"
    );
    let two = "
steps:
  - chat: { opening: 'On {{ input }}', speakers: [writer, fragile], turns: 2, output: '= {\"last\": last, \"of\": speaker, \"first\": said[0].what}' }
";
    assert_eq!(made(two).await, r#"{"first":"On Go","last":"fragile after 1","of":"fragile"}"#);
}

#[tokio::test]
async fn who_speaks_is_said_by_an_expression_or_a_model() {
    let rule = "
steps:
  - chat:
      speakers: [writer, fragile]
      next: \"= turns == 0 ? 'fragile' : turns == 1 ? 'writer' : ''\"
      output: \"= said.map(one, one.who)\"
";
    assert_eq!(made(rule).await, r#"["opening","fragile","writer"]"#);
    let model = rule.replace("\"= turns == 0 ? 'fragile' : turns == 1 ? 'writer' : ''\"", "model");
    assert_eq!(made(&model).await, r#"["opening","writer","fragile"]"#);
    let nobody = rule.replace("'fragile' : turns", "'fragil' : turns");
    assert!(made(&nobody).await.contains("`fragil` is to speak next, and is no speaker"));
}

#[tokio::test]
async fn a_person_speaks_when_it_is_their_turn() {
    let folder = folder("steps: { chat: { speakers: [person, writer], turns: 2 } }");
    let adjutant = open(&folder);
    let run = adjutant.start("flow", "Go").await.unwrap();
    let updates = run.drive();
    for wait in asked(&run).await {
        let Wait::Signal { name, request, .. } = wait else { continue };
        assert!(request.as_str().contains("opening: Go"), "{}", request.as_str());
        let answer = Answer::Accept(json!({ "answer": "I am Ann." }).as_object().cloned());
        run.answer(&name, answer).await.unwrap();
    }
    let text = run.reply().await.unwrap().text;
    assert_eq!(text, "opening: Go\n\nperson: I am Ann.\n\nwriter: writer after 1");
    drop(updates);
}

#[test]
fn what_is_wrong_with_a_conversation_is_told_with_its_place() {
    let wrong = "
steps:
  - chat:
      speakers: [writer, writer]
      next: rond
      until: trns > 3
      turns: 0
";
    let errors = adjutant::workflow::plan::parse("flow.yaml", wrong).unwrap_err();
    let told = told(&errors);
    for expected in [
        "4:26 `writer` is there twice",
        "5:13 `steps[1].chat.next` must be `round`, `model`, a table that says who chooses, or an expression",
        "6:14 there is no value `trns` here | did you mean `turns`?",
        "7:14 `steps[1].chat.turns` must be a whole number from 1 to 10000",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}
