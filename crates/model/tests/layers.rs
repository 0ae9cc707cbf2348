//! The layers around a model: what each does when the model fails, is busy, or was asked before.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::message::{Media, MediaSource, Message, Part, Role, ToolCall, ToolResult};
use adjutant_core::money::Prices;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_model::layer::{Fallback, Kept, Layers, breaker, limit, retry};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::{
    Abilities, Call, Delta, Model, OutputSchema, Profile, Request, Response, StopReason, collect,
};
use futures::StreamExt;
use serde_json::json;

/// A model that counts how often it is asked, and answers by its count.
fn counting(
    id: &str,
    answer: impl Fn(usize) -> Turn + Send + Sync + 'static,
) -> (Arc<dyn Model>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let model = Scripted::from_fn(move |_, _| Some(answer(asked.fetch_add(1, Ordering::SeqCst)))).with_id(id);
    (Arc::new(model), count)
}

fn down() -> Error {
    Error::new(Code::ModelUnavailable, "down")
}

/// No layer does anything, but for what the test sets.
fn bare() -> Layers {
    Layers {
        cache: None,
        breaker: breaker::Policy { failures: 0, ..breaker::Policy::default() },
        retry: retry::Policy {
            attempts: 1,
            first_wait: Duration::from_millis(1),
            ..retry::Policy::default()
        },
        limits: limit::Policy::default(),
    }
}

fn retrying(attempts: u32) -> Layers {
    let layers = bare();
    Layers { retry: retry::Policy { attempts, ..layers.retry }, ..layers }
}

fn question() -> Request {
    Request::new([Message::user("hi")])
}

async fn ask(model: &Arc<dyn Model>, call: Call) -> Result<Response> {
    collect(model.stream(question(), call).await?, |_| {}).await
}

/// A call whose notes are kept as they are shown.
fn listening() -> (Call, Arc<Mutex<Vec<String>>>) {
    let notes: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&notes);
    let listener = move |note: adjutant_model::Note| heard.lock().unwrap().push(note.to_string());
    (Call { listener: Some(Arc::new(listener)), ..Call::default() }, notes)
}

#[tokio::test]
async fn a_failure_that_passes_is_tried_again_and_told() {
    let (model, count) = counting("a", |n| if n < 2 { Turn::error(down()) } else { Turn::text("up") });
    let model = retrying(3).around(model);
    let (call, notes) = listening();
    assert_eq!(ask(&model, call).await.unwrap().message.text(), "up");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let notes = notes.lock().unwrap();
    assert_eq!(notes.len(), 2);
    assert!(notes[0].starts_with("down; it is asked again in "), "{notes:?}");
}

#[tokio::test]
async fn what_does_not_pass_or_lasts_is_given_back() {
    let refused = || Error::new(Code::ModelKeyRefused, "no");
    let (model, count) = counting("a", move |_| Turn::error(refused()));
    assert_eq!(ask(&retrying(3).around(model), Call::default()).await.unwrap_err().attempts(), Some(1));
    assert_eq!(count.load(Ordering::SeqCst), 1);

    let (model, count) = counting("a", |_| Turn::error(down()));
    let error = ask(&retrying(3).around(model), Call::default()).await.unwrap_err();
    assert_eq!((error.code(), error.attempts()), (Code::ModelUnavailable, Some(3)));
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn nothing_is_tried_again_after_content() {
    let broken = |before: Delta| counting("a", move |_| Turn::deltas([Ok(before.clone()), Err(down())]));
    for content in [Delta::Text("a".into()), Delta::Reasoning("a".into())] {
        let (model, count) = broken(content);
        let model = Layers { breaker: breaker::Policy::default(), ..retrying(3) }.around(model);
        let chain: Arc<dyn Model> = Arc::new(Fallback::new(&model, [counting("b", |_| Turn::text("b")).0]));
        assert_eq!(ask(&chain, Call::default()).await.unwrap_err().code(), Code::ModelUnavailable);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
    for nothing in [Delta::Text(String::new()), Delta::Usage(Usage::default()), Delta::Unknown(json!(1))] {
        let (model, count) = broken(nothing);
        assert!(ask(&retrying(3).around(model), Call::default()).await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 3, "nobody has seen anything");
    }
}

#[tokio::test]
async fn a_cancelled_call_is_not_tried_again() {
    let (model, count) = counting("a", |_| Turn::error(down()));
    let layers = bare();
    let slow = retry::Policy { attempts: 5, first_wait: Duration::from_secs(60), ..layers.retry };
    let model = Layers { retry: slow, ..layers }.around(model);
    let call = Call::default();
    let cancel = call.cancel.clone();
    let asked = tokio::spawn(async move { ask(&model, call).await });
    while count.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    assert!(asked.await.unwrap().is_err());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_chain_moves_on_and_says_why() {
    let cheap = Prices::new(1.into(), 1.into());
    let profile = Profile { prices: Some(cheap), ..Profile::default() };
    let last: Arc<dyn Model> =
        Arc::new(Scripted::new([Turn::text("here")]).with_id("c").with_profile(profile));
    let blind = Profile {
        abilities: Abilities { structured_output: false, tools: false, ..Abilities::default() },
        ..Profile::default()
    };
    let unable: Arc<dyn Model> = Arc::new(Scripted::new([Turn::text("no")]).with_id("b").with_profile(blind));
    let (first, _) = counting("a", |_| Turn::error(Error::new(Code::ModelKeyRefused, "who are you")));
    let chain: Arc<dyn Model> = Arc::new(Fallback::new(&first, [unable, last]));
    assert_eq!(chain.id(), "a");
    assert_eq!(
        (chain.profile().prices, chain.most_prices()),
        (None, None),
        "what two of them cost is not known"
    );
    let output = OutputSchema { name: "o".into(), schema: json!({"type": "object"}), strict: true };
    let request = Request { output: Some(output), ..question() };
    let (call, notes) = listening();
    let answer = collect(chain.stream(request, call).await.unwrap(), |_| {}).await.unwrap();
    assert_eq!(answer.message.text(), "here");
    let tried: Vec<(&str, Code)> =
        answer.tried.iter().map(|tried| (tried.model.as_str(), tried.error.code())).collect();
    assert_eq!(tried, [("a", Code::ModelKeyRefused), ("b", Code::ModelUnsupported)]);
    let instead = answer.instead.unwrap();
    assert_eq!((instead.model.as_str(), instead.prices, instead.cached), ("c", Some(cheap), false));
    assert_eq!(notes.lock().unwrap()[0], "who are you; `b` is asked now");
}

#[tokio::test]
async fn a_chain_costs_what_the_model_costs_that_answers() {
    let priced = |id: &str, price: u32, turn: Turn| -> Arc<dyn Model> {
        let prices = Some(Prices::new(price.into(), price.into()));
        Arc::new(Scripted::new([turn]).with_id(id).with_profile(Profile { prices, ..Profile::default() }))
    };
    let chain: Arc<dyn Model> =
        Arc::new(Fallback::new(&priced("a", 1, Turn::text("a")), [priced("b", 9, Turn::text("b"))]));
    assert_eq!(chain.profile().prices, Some(Prices::new(1.into(), 1.into())));
    assert_eq!(chain.most_prices(), Some(Prices::new(9.into(), 9.into())), "that much is set aside");
    assert_eq!(ask(&chain, Call::default()).await.unwrap().instead, None);
    let chain: Arc<dyn Model> =
        Arc::new(Fallback::new(&priced("a", 1, Turn::error(down())), [priced("b", 9, Turn::text("b"))]));
    let instead = ask(&chain, Call::default()).await.unwrap().instead.unwrap();
    assert_eq!(instead.prices, Some(Prices::new(9.into(), 9.into())));
}

#[tokio::test]
async fn a_conversation_too_long_for_the_first_is_said_to_be_so() {
    let (first, _) = counting("a", |_| Turn::error(Error::new(Code::ModelContextExceeded, "too long")));
    let (second, _) = counting("b", |_| Turn::error(down()));
    let chain: Arc<dyn Model> = Arc::new(Fallback::new(&first, [second]));
    assert_eq!(ask(&chain, Call::default()).await.unwrap_err().code(), Code::ModelContextExceeded);
}

#[tokio::test]
async fn who_is_asked_once_is_not_asked_again_by_others() {
    let (model, _) = counting("a", |_| Turn::error(down()));
    let error = ask(&bare().around(model), Call::default()).await.unwrap_err();
    assert_eq!((error.attempts(), error.retry()), (Some(1), adjutant_core::error::Retry::Never));
    let (model, _) = counting("a", |_| Turn::deltas([Ok(Delta::Text("a".into())), Err(down())]));
    let error = ask(&bare().around(model), Call::default()).await.unwrap_err();
    assert_eq!(error.attempts(), Some(1), "nor after a part of the answer");
    let late = || down().with_retry_after(Duration::from_secs(3_600));
    let (model, count) = counting("a", move |_| Turn::error(late()));
    let error = ask(&retrying(4).around(model), Call::default()).await.unwrap_err();
    assert_eq!((error.attempts(), count.load(Ordering::SeqCst)), (Some(1), 1), "so long is not waited");
}

#[tokio::test]
async fn a_chain_that_fails_tells_what_each_said() {
    let (first, _) = counting("a", |_| Turn::error(down().with_retry_after(Duration::from_secs(9))));
    let (second, _) = counting("b", |_| Turn::error(Error::new(Code::ModelKeyRefused, "no")));
    let chain: Arc<dyn Model> = Arc::new(Fallback::new(&first, [second]));
    let error = ask(&chain, Call::default()).await.unwrap_err();
    assert_eq!(error.message(), "no model of the chain answered: `a`: down; `b`: no");
    assert_eq!((error.code(), error.retry_after()), (Code::ModelUnavailable, Some(Duration::from_secs(9))));
}

#[tokio::test]
async fn a_chain_does_not_outlive_a_cancelled_call() {
    let (first, _) = counting("a", |_| Turn::error(Error::new(Code::RunCancelled, "stop")));
    let (second, count) = counting("b", |_| Turn::text("b"));
    let chain: Arc<dyn Model> = Arc::new(Fallback::new(&first, [second]));
    assert_eq!(ask(&chain, Call::default()).await.unwrap_err().code(), Code::RunCancelled);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_model_that_fails_and_fails_is_left_alone() {
    let (model, count) = counting("a", |_| Turn::error(down()));
    let policy = breaker::Policy { failures: 2, rest: Duration::from_secs(60) };
    let model = Layers { breaker: policy, ..bare() }.around(model);
    for _ in 0..5 {
        assert_eq!(ask(&model, Call::default()).await.unwrap_err().code(), Code::ModelUnavailable);
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let error = ask(&model, Call::default()).await.unwrap_err();
    assert!(error.message().contains("left alone for"), "{error}");
    assert!(error.message().ends_with("it failed 2 times in a row, last with: down"), "{error}");
}

#[tokio::test]
async fn what_breaks_after_content_counts_too() {
    let half = || {
        let pieces = [Ok(Delta::Text("half".into())), Err(Error::new(Code::ModelUnreachable, "broke"))];
        Turn::deltas(pieces)
    };
    let (model, count) = counting("a", move |_| half());
    let layers = Layers { breaker: breaker::Policy { failures: 2, ..breaker::Policy::default() }, ..bare() };
    let model = layers.around(model);
    for _ in 0..2 {
        assert_eq!(ask(&model, Call::default()).await.unwrap_err().code(), Code::ModelUnreachable);
    }
    let error = ask(&model, Call::default()).await.unwrap_err();
    assert!(error.message().contains("is left alone"), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // A whole answer between them begins the count anew.
    let (model, _) = counting("b", move |n| if n == 1 { Turn::text("up") } else { half() });
    let model = layers.around(model);
    for place in 0..3 {
        assert_eq!(ask(&model, Call::default()).await.is_ok(), place == 1);
    }
    assert_eq!(ask(&model, Call::default()).await.unwrap_err().code(), Code::ModelUnreachable);
}

#[tokio::test]
async fn each_model_of_a_chain_is_shown_what_it_can_see() {
    let image = || {
        let source = MediaSource::Url("https://example.com/a".into());
        Part::Image(Media { media_type: "image/png".into(), name: Some("plan".into()), source })
    };
    let call = ToolCall { id: "1".into(), name: "draw".into(), arguments: "{}".into() };
    let result = ToolResult { content: vec![image()], ..ToolResult::text(&call, "") };
    let returned = Request::new([
        Message::user("draw"),
        Message::assistant(vec![Part::ToolCall(call)]),
        Message::tool(result),
    ]);
    let shown = Request::new([Message::new(Role::User, vec![image()])]);
    let blind = Abilities { images: false, ..Abilities::default() };
    let model = |id: &str, abilities, is_down: bool| -> Arc<dyn Model> {
        let play = move |request: &Request, _| {
            let last = request.messages.last().unwrap();
            let mut parts = last.parts.iter().chain(last.results().flat_map(|result| &result.content));
            let sees = parts.any(|part| matches!(part, Part::Image(_)));
            Some(if is_down { Turn::error(down()) } else { Turn::text(if sees { "seen" } else { "told" }) })
        };
        Arc::new(
            Scripted::from_fn(play).with_id(id).with_profile(Profile { abilities, ..Profile::default() }),
        )
    };
    let cases = [
        // Who sees, asked first or after one that does not.
        (model("a", Abilities::default(), false), model("b", blind, false), "seen", Some("seen")),
        (model("a", blind, true), model("b", Abilities::default(), false), "seen", Some("seen")),
        // Who does not see is told of what a tool returned, and is not asked about what a person shows.
        (model("a", Abilities::default(), true), model("b", blind, false), "told", None),
        (model("a", blind, false), model("b", Abilities::default(), false), "told", Some("seen")),
    ];
    for (place, (first, second, of_tool, of_person)) in cases.into_iter().enumerate() {
        let chain = Fallback::new(&first, [second]);
        assert!(chain.profile().abilities.images, "one of them sees");
        let ask = async |request: &Request| {
            let deltas = chain.stream(request.clone(), Call::default()).await?;
            Ok::<String, Error>(collect(deltas, |_| {}).await?.message.text())
        };
        assert_eq!(ask(&returned).await.unwrap(), of_tool, "case {place}");
        assert_eq!(ask(&shown).await.ok().as_deref(), of_person, "case {place}");
    }
}

#[tokio::test]
async fn only_so_many_calls_are_under_way() {
    let under_way = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (model, _) = counting("a", |_| Turn::text("one two three").every(Duration::from_millis(2)));
    let model = Layers { limits: limit::Policy { concurrency: Some(2), ..Default::default() }, ..bare() }
        .around(model);
    let calls = (0..8).map(|_| {
        let (model, under_way, most) = (Arc::clone(&model), Arc::clone(&under_way), Arc::clone(&most));
        async move {
            let mut deltas = model.stream(question(), Call::default()).await.unwrap();
            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            while let Some(delta) = deltas.next().await {
                if matches!(delta, Ok(Delta::End(StopReason::EndTurn))) {
                    under_way.fetch_sub(1, Ordering::SeqCst);
                }
            }
        }
    });
    futures::future::join_all(calls).await;
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_that_is_dropped_makes_room() {
    let (model, _) = counting("a", |_| Turn::text("one two").every(Duration::from_secs(60)));
    let policy = limit::Policy { concurrency: Some(1), ..Default::default() };
    let model: Arc<dyn Model> = Arc::new(limit::Limit::new(model, policy));
    for _ in 0..3 {
        drop(model.stream(question(), Call::default()).await.unwrap());
    }
    let _held = model.stream(question(), Call::default()).await.unwrap();
    let (call, notes) = listening();
    call.cancel.cancel();
    let refused = model.stream(question(), call).await.err().unwrap();
    assert_eq!(refused.code(), Code::RunCancelled);
    assert_eq!(*notes.lock().unwrap(), ["the limits of the model `a` are reached; waiting"]);
}

#[tokio::test]
async fn an_answer_is_given_again_to_the_same_request_only() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(Kept::new(folder.path(), Duration::from_secs(60)));
    let usage = Usage { input: 7, output: 2, ..Usage::default() };
    let (model, count) = counting("a", move |n| match n {
        0 => Turn::calls([("look", json!({"what": 1}))]).with_usage(usage),
        _ => Turn::text("new"),
    });
    let model = Layers { cache: Some((kept, Digest::of(b"test"))), ..bare() }.around(model);
    let first = ask(&model, Call::default()).await.unwrap();
    let again = ask(&model, Call::default()).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!((&again.message, again.usage, &again.stop), (&first.message, Some(usage), &first.stop));
    assert!(again.instead.unwrap().cached);
    let other = Request { temperature: Some(0.5), ..question() };
    let other = collect(model.stream(other, Call::default()).await.unwrap(), |_| {}).await.unwrap();
    assert_eq!((other.message.text().as_str(), other.instead), ("new", None));
}

#[tokio::test]
async fn an_answer_is_not_given_in_the_name_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    for owner in ["here", "there"] {
        let kept = Arc::new(Kept::new(folder.path(), Duration::from_secs(60)));
        let (model, _) = counting("a", move |_| Turn::text(owner));
        let model = Layers { cache: Some((kept, Digest::of(owner.as_bytes()))), ..bare() }.around(model);
        said.push(ask(&model, Call::default()).await.unwrap().message.text());
    }
    assert_eq!(said, ["here", "there"]);
}

#[tokio::test]
async fn an_answer_that_was_not_finished_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let turns = |n| match n {
        0 => Turn::deltas([Ok(Delta::Text("half".into())), Err(down())]),
        1 => Turn::deltas([Ok(Delta::Text("cut".into())), Ok(Delta::End(StopReason::MaxTokens))]),
        2 => Turn::deltas([Ok(Delta::Text("dropped".into())), Ok(Delta::Text("x".into()))]),
        _ => Turn::text("whole"),
    };
    let (model, count) = counting("a", turns);
    let kept = Arc::new(Kept::new(folder.path(), Duration::from_secs(60)));
    let model = Layers { cache: Some((kept, Digest::of(b"test"))), ..bare() }.around(model);
    assert!(ask(&model, Call::default()).await.is_err());
    assert_eq!(ask(&model, Call::default()).await.unwrap().message.text(), "cut");
    assert!(ask(&model, Call::default()).await.is_err());
    for _ in 0..2 {
        assert_eq!(ask(&model, Call::default()).await.unwrap().message.text(), "whole");
    }
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn the_layers_are_told_from_the_outside_in() {
    let limits = limit::Policy { concurrency: Some(4), tokens_per_minute: Some(1_000), ..Default::default() };
    let layers = Layers { limits, ..Layers::default() };
    assert_eq!(
        layers.to_string(),
        "breaker: left alone for 30s after 5 failures in a row\n\
         retry: asked 4 times in all, after 500ms first and 1m at most\n\
         limits: 4 calls at once, 1000 tokens a minute"
    );
}
