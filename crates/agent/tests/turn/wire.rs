//! The loop over the wire: a provider that checks every request that it gets.

use adjutant_agent::definition::steps;
use adjutant_agent::{Agent, Stop};
use adjutant_core::limit::Limit;
use adjutant_core::{Code, Error};
use adjutant_durable::Observed;
use adjutant_durable::stream::Piece;
use adjutant_model::openai::OPENAI;
use adjutant_model::provider::Config;
use adjutant_testkit::provider::{Answer, Fault, MockProvider};
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
