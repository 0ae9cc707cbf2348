//! The loop over the wire: a provider that checks every request that it gets.

use adjutant_agent::definition::steps;
use adjutant_agent::{Agent, Stop};
use adjutant_core::limit::Limit;
use adjutant_core::message::{Message, Part};
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error};
use adjutant_durable::Observed;
use adjutant_durable::stream::Piece;
use adjutant_model::openai::OPENAI;
use adjutant_model::provider::{Config, Provider};
use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider};
use futures::StreamExt;
use serde_json::json;

use crate::bench::{Bench, Roles, agent, tool};

async fn bench(agent: Agent, answers: impl IntoIterator<Item = Answer>) -> (Bench, MockProvider) {
    let mock = MockProvider::answering(answers).start().await.unwrap();
    let model = OPENAI.model(&Config::new("mock/m", mock.base_url(), "m")).unwrap();
    (Bench::with(agent, Roles::main(model)), mock)
}

fn text(text: &str) -> serde_json::Value {
    json!({ "text": text })
}

#[tokio::test]
async fn requests_keep_the_rules_of_the_wire_whatever_the_model_does() {
    let broken = tool("broken", |_| Err(Error::new(Code::ToolFailed, "no").into()));
    let answers = [
        Answer::calls([("a", "echo", text("1")), ("b", "broken", text("2")), ("c", "unheard_of", json!({}))]),
        Answer::text(""),
        // The same ids once more.
        Answer::calls([("a", "echo", json!({ "txt": 1 })), ("b", "echo", text("4"))]),
        Answer::calls([("a", "echo", text("5"))]),
        Answer::text("That is all."),
    ];
    let (bench, mock) = bench(agent().tool(broken).limit(steps(4)), answers).await;
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("That is all.", Stop::LimitReached(Limit::Steps)));
    mock.assert_clean();
    assert_eq!(mock.requests().len(), 5);
    bench.check(&run).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_and_watchers_are_told() {
    let answers =
        [Answer::text("It is on its way to you").with(Fault::Cut(3)), Answer::text("It is on its way.")];
    let (bench, mock) = bench(agent(), answers).await;
    let run = bench.begin("go", None).await;
    let mut watch = bench.engine.watch(&run, 0);
    bench.serve();
    let mut shown = String::new();
    let mut resets = 0;
    while let Some(observed) = watch.next().await {
        if let Observed::Delta(delta) = observed.unwrap() {
            match delta.piece {
                Piece::Text(piece) => shown.push_str(&piece),
                Piece::Reset => {
                    shown.clear();
                    resets += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(bench.end(&run).await.unwrap().text, "It is on its way.");
    // What an ended step said is read in the journal; a watcher may have missed the deltas.
    assert!("It is on its way.".starts_with(&shown), "{shown}");
    assert_eq!(resets, 1);
    mock.assert_clean();
}

/// What was said, without what providers add for themselves: ids of calls, and parts of their own.
fn said(messages: &[Message]) -> Vec<String> {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::ToolCall(call) => {
            let arguments: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
            format!("{} {arguments}", call.name)
        }
        Part::ToolResult(result) => format!("{} = {}", result.name, result.as_text()),
        other => format!("{other:?}"),
    };
    let own = |part: &&Part| !matches!(part, Part::Native(_));
    let parts =
        |message: &Message| message.parts.iter().filter(own).map(part).collect::<Vec<_>>().join(" | ");
    messages.iter().map(|message| format!("{:?}: {}", message.role, parts(message))).collect()
}

#[tokio::test]
async fn the_same_agent_says_the_same_whatever_the_interface() {
    let script = [
        ("openai", Interface::Chat),
        ("openai-responses", Interface::Responses),
        ("anthropic", Interface::Messages),
        ("gemini", Interface::Gemini),
        ("bedrock", Interface::Converse),
    ];
    let mut transcripts = Vec::new();
    for (provider, interface) in script {
        let answers = [
            Answer::calls([("c1", "echo", text("one")), ("c2", "echo", text("two"))]).saying("Let me see."),
            Answer::calls([("c3", "echo", json!({ "txt": 1 }))]),
            Answer::calls([("c4", "unheard_of", json!({}))]),
            Answer::text("One and two."),
        ];
        let mock = MockProvider::answering(answers).key("sk-1").start().await.unwrap();
        let mut config = Config::new("mock/m", mock.base_url_of(interface), "anthropic.claude-opus-4-6-v1");
        config.key = Some(Secret::new("sk-1"));
        config.options.insert("region".into(), "eu-west-1".into());
        let model = Provider::named(provider).unwrap().model(&config).unwrap();
        let bench = Bench::with(agent(), Roles::main(model));
        bench.serve();
        let run = bench.begin("go", None).await;
        assert_eq!(bench.end(&run).await.unwrap().text, "One and two.", "{provider}");
        assert_eq!(mock.faults(), Vec::<String>::new(), "{provider}");
        let messages = bench.check(&run).await;
        transcripts.push((provider, said(&messages)));
    }
    let (_, first) = &transcripts[0];
    assert!(first.len() > 6, "{first:#?}");
    for (provider, transcript) in &transcripts {
        assert_eq!(transcript, first, "{provider}");
    }
}
