//! Agents whose models cannot call tools, and write their calls as text.

use std::time::Duration;

use adjutant::agent::Stop;
use adjutant::agent::definition::Strategy;
use adjutant::core::event::EventKind;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::model::{Abilities, Profile, Request};
use adjutant::prelude::*;
use futures::StreamExt;
use serde_json::json;

/// What something costs.
#[tool(pure)]
fn price(what: String) -> Result<String, ToolError> {
    match what.as_str() {
        "red" => Ok("5 crowns".to_owned()),
        _ => Err(ToolError::new("there is no such thing")),
    }
}

/// A model without calls of tools that says these in turn, and is asked with what `looks` looks at.
fn adjutant(texts: &'static [&'static str], looks: fn(&Request, usize)) -> Adjutant {
    let abilities = Abilities { tools: false, structured_output: false, ..Abilities::default() };
    let model = Scripted::from_fn(move |request, position| {
        looks(request, position);
        texts.get(position).map(|text| Turn::text(text).every(Duration::from_millis(5)))
    });
    let model = model.with_profile(Profile { abilities, ..Profile::default() });
    Adjutant::builder().in_memory().model("main", model).build().unwrap()
}

fn clerk() -> Agent {
    Agent::new("clerk").instructions("You sell.").tool(price)
}

#[tokio::test]
async fn a_model_without_tools_calls_them_by_text() {
    let looks = |request: &Request, position: usize| {
        let text: Vec<_> = request.messages.iter().map(|message| message.text()).collect();
        assert!(text[0].contains("- price: What something costs."), "{text:?}");
        assert_eq!(request.stop, ["\nObservation:"]);
        if position == 2 {
            assert_eq!(text[2], "Thought: I look.\nAction: price\nAction Input: {\"what\":\"blue\"}");
            assert!(text[3].starts_with("Observation: it failed: "), "{text:?}");
            assert_eq!(text[5], "Observation: 5 crowns");
        }
    };
    let texts = &[
        "Thought: I look.\nAction: price\nAction Input: {\"what\":\"blue\"}",
        "Thought: red then\nAction: price\nAction Input: red\nObservation: 900 crowns\nFinal Answer: 900",
        "Thought: I know it.\nFinal Answer: The red one costs 5 crowns.",
    ];
    let adjutant = adjutant(texts, looks);
    let run = adjutant.start(&clerk().react(), "What is the red one?").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "The red one costs 5 crowns.");
    let sent = run.requests().await.unwrap();
    assert!(sent[1].body.as_str().contains("Observation: it failed"), "{}", sent[1].body.as_str());
    // What a strategy asks is no tool of a model's.
    let voting = Agent::new("voter").instructions("You vote.").strategy(Strategy::Vote { of: 2 });
    assert_eq!(self::adjutant(&["Yes."], |_, _| {}).run(&voting, "Is it?").await.unwrap().text, "Yes.");
    // Without, nothing is sent.
    let error = adjutant.run(&clerk(), "What is the red one?").await.unwrap_err();
    assert!(error.help().unwrap().contains("`strategy: react`"), "{error:?}");
}

#[tokio::test]
async fn an_answer_by_text_is_seen_while_it_comes() {
    let adjutant = adjutant(&["Thought: I know it.\nFinal Answer: It costs five crowns."], |_, _| {});
    let mut updates = adjutant.stream(&clerk().react(), "How much?").await.unwrap();
    let (mut thoughts, mut texts) = (Vec::new(), Vec::new());
    while let Some(update) = updates.next().await {
        let Update::Event(event) = update.unwrap() else { continue };
        match event.kind {
            EventKind::ReasoningDelta { text, .. } => thoughts.push(text),
            EventKind::TextDelta { text, .. } if !text.is_empty() => texts.push(text),
            _ => {}
        }
    }
    updates.stop().await.unwrap();
    assert_eq!(
        (thoughts.concat().as_str(), texts.concat().as_str()),
        ("I know it.", "It costs five crowns.")
    );
    assert!(texts.len() > 1, "{texts:?}");
}

#[tokio::test]
async fn what_is_no_call_goes_back_once() {
    let looks = |request: &Request, position: usize| {
        let last = request.messages.last().unwrap().text();
        assert_eq!(position == 1, last.contains("names no tool. Write `Action:`"), "{position}: {last}");
    };
    let reply = adjutant(&["Thought: I look.\nAction:", "Final Answer: 5"], looks);
    assert_eq!(reply.run(&clerk().react(), "How much?").await.unwrap().text, "5");
    let again = adjutant(&["Thought: I look.\nAction:", "Thought: It is 5.\nAction:"], looks);
    let reply = again.run(&clerk().react(), "How much?").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("It is 5.", Stop::Answered));
}

#[tokio::test]
async fn an_answer_by_text_has_its_form_and_a_last_turn_has_no_calls() {
    let looks = |request: &Request, _: usize| {
        assert!(request.output.is_none());
        assert!(request.messages[0].text().contains("fits this JSON schema"));
    };
    let form = json!({ "type": "object", "properties": { "crowns": { "type": "integer" } }, "required": ["crowns"] });
    let agent = clerk().react().output_schema(form);
    let texts = &["Action: price\nAction Input: red", "Final Answer: {\"crowns\": 5}"];
    let reply = adjutant(texts, looks).run(&agent, "How much?").await.unwrap();
    assert_eq!(reply.data, Some(json!({ "crowns": 5 })));
    let texts = &["Action: price\nAction Input: red", "Thought: 5 it is\nAction: price\nAction Input: red"];
    let looks = |request: &Request, position: usize| {
        let told = request.messages[0].text();
        assert_eq!(position == 1, told.contains("Tools are no longer available"), "{told}");
    };
    let reply = adjutant(texts, looks).run(&clerk().react().limit(steps(1)), "How much?").await.unwrap();
    assert!(reply.text.starts_with("5 it is"), "{}", reply.text);
}

#[test]
fn a_project_is_told_of_a_model_that_cannot_call_tools() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    let toml = "[models.main]\nprovider = \"openai\"\nmodel = \"small\"\nabilities = { tools = false }\n";
    std::fs::write(folder.path().join("adjutant.toml"), toml).unwrap();
    let read = |keys: &str| {
        let text = format!("---\nmodel: main\n{keys}---\nHelp.\n");
        std::fs::write(folder.path().join("agents/desk.md"), text).unwrap();
        Project::load(folder.path())
    };
    let error = read("tools: [calculator]\n").unwrap_err().swap_remove(0);
    assert_eq!(
        error.message(),
        "the model `openai/small` cannot call tools, and this agent has some",
        "{error:?}"
    );
    assert!(error.help().unwrap().starts_with("write `strategy: react`"), "{error:?}");
    assert_eq!(error.location().and_then(|at| at.line), Some(2));
    assert!(read("").is_ok());
    let project = read("tools: [calculator]\nstrategy: react\n").unwrap();
    let definition = project.definition("desk").unwrap();
    assert!(definition.react && Strategy::of(definition).is_none());
    let project = read("tools: [calculator]\nstrategy: { name: vote, react: true }\n").unwrap();
    let definition = project.definition("desk").unwrap();
    assert_eq!(Strategy::of(definition), Some(Strategy::Vote { of: 5 }));
    assert!(definition.agents.iter().all(|asked| asked.definition.react));
    let error = read("strategy: raect\n").unwrap_err().swap_remove(0);
    assert_eq!(error.help(), Some("did you mean `react`?"));
}
