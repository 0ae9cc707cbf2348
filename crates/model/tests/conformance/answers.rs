//! What is understood of answers.

use std::time::Duration;

use adjutant_core::Code;
use adjutant_core::message::Part;
use adjutant_core::usage::Usage;
use adjutant_model::{Call, Delta, StopReason};
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface};
use futures::StreamExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::subject::{ALL, Subject, ask, question};

#[tokio::test]
async fn text_comes_in_pieces_and_makes_a_whole() {
    let said = "It is on its way to you, ünd it should be there on Tuesday: 🚚.";
    for subject in ALL {
        let (model, mock) = subject.answering([Answer::text(said)]).await;
        let deltas: Vec<_> = model.stream(question(), Call::default()).await.unwrap().collect().await;
        let pieces: Vec<String> = deltas
            .into_iter()
            .filter_map(|delta| match delta.unwrap() {
                Delta::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        assert!(pieces.len() > 1, "{subject:?}: {pieces:?}");
        assert_eq!(pieces.concat(), said, "{subject:?}");
        mock.assert_clean();
    }
}

#[tokio::test]
async fn an_answer_means_the_same_however_it_is_cut_or_dressed() {
    for subject in ALL {
        let answer = || Answer::text("On its way.").saying("On its way.");
        let whole = subject.hears(answer(), question()).await.unwrap();
        assert_eq!(
            (whole.message.text().as_str(), &whole.stop),
            ("On its way.", &StopReason::EndTurn),
            "{subject:?}"
        );
        for fault in [Fault::Trickle, Fault::ByteOrderMark, Fault::Whole] {
            // Marks and whole answers have no place in frames of bytes.
            if subject.interface == Interface::Converse && !matches!(fault, Fault::Trickle) {
                continue;
            }
            let heard = subject.hears(answer().with(fault.clone()), question()).await;
            let heard = heard.unwrap_or_else(|error| panic!("{subject:?} with {fault:?}: {error:?}"));
            assert_eq!(
                (&heard.message, &heard.stop),
                (&whole.message, &whole.stop),
                "{subject:?} with {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn calls_in_parallel_keep_their_arguments_and_have_ids_of_their_own() {
    for subject in ALL {
        let calls = [
            ("c1", "look", json!({"what": "order \"1042\" \u{e9}\n"})),
            ("c2", "look", json!({"what": "", "deep": {"list": [1, 2.5, null, true]}})),
            ("c3", "look", json!({})),
        ];
        for answer in [Answer::calls(calls.clone()), Answer::calls(calls.clone()).saying("Let me see.")] {
            let heard = subject.hears(answer, question()).await.unwrap();
            assert_eq!(heard.stop, StopReason::ToolCalls, "{subject:?}");
            let made: Vec<_> = heard.message.calls().collect();
            let arguments: Vec<serde_json::Value> =
                made.iter().map(|call| serde_json::from_str(&call.arguments).unwrap()).collect();
            assert_eq!(arguments, calls.clone().map(|(_, _, arguments)| arguments), "{subject:?}");
            let mut ids: Vec<&str> = made.iter().map(|call| call.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 3, "{subject:?}: {ids:?}");
        }
    }
}

#[tokio::test]
async fn tokens_are_counted_with_what_was_cached_and_reasoned() {
    for subject in ALL {
        let used = Usage {
            input: 900,
            output: 70,
            cached: 400,
            cache_write: 100,
            reasoning: 30,
            ..Usage::default()
        };
        let used = match subject.interface {
            // Their counts have no place for these.
            Interface::Chat | Interface::Gemini => Usage { cache_write: 0, ..used },
            Interface::Converse => Usage { reasoning: 0, ..used },
            Interface::Responses | Interface::Messages => used,
        };
        let heard = subject.hears(Answer::text("ok").using(used), question()).await.unwrap();
        let usage = heard.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.cached), (900, 70, 400), "{subject:?}: {usage:?}");
    }
}

#[tokio::test]
async fn an_answer_says_why_it_ended() {
    for subject in ALL {
        for (finish, expected) in [
            (Finish::Stop, vec![StopReason::EndTurn]),
            (Finish::Length, vec![StopReason::MaxTokens]),
            (Finish::Filter, vec![StopReason::ContentFilter, StopReason::Refusal]),
        ] {
            let heard =
                subject.hears(Answer::text("so far").ending(finish.clone()), question()).await.unwrap();
            assert!(expected.contains(&heard.stop), "{subject:?} with {finish:?}: {:?}", heard.stop);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_one() {
    // Gemini has no word for it: it declines in text, or a filter holds the answer back.
    for subject in ALL.into_iter().filter(|subject| subject.interface != Interface::Gemini) {
        let heard =
            subject.hears(Answer::text("").refusing("I cannot help with that."), question()).await.unwrap();
        let withheld = matches!(heard.stop, StopReason::Refusal | StopReason::ContentFilter);
        assert!(withheld, "{subject:?}: {:?}", heard.stop);
    }
}

#[tokio::test]
async fn a_request_has_a_name_to_quote_and_the_limits_are_told() {
    for subject in ALL {
        let answer = Answer::text("ok").header("x-ratelimit-remaining-requests", "17");
        let (model, _mock) = subject.answering([answer]).await;
        let mut deltas = model.stream(question(), Call::default()).await.unwrap();
        let start = match deltas.next().await.unwrap().unwrap() {
            Delta::Start(start) => start,
            other => panic!("{subject:?} begins with {other:?}"),
        };
        assert!(start.request_id.is_some(), "{subject:?}");
        let told = ("x-ratelimit-remaining-requests".to_owned(), "17".to_owned());
        assert!(start.rate_limits.contains(&told), "{subject:?}: {start:?}");
    }
}

#[tokio::test]
async fn ten_megabytes_come_whole() {
    for subject in ALL {
        let said = "0123456789 abcdef ".repeat(10 << 20 >> 4);
        let heard = subject.hears(Answer::text(said.clone()), question()).await.unwrap();
        assert!(heard.message.text() == said, "{subject:?}: {} bytes", heard.message.text().len());
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_ends_at_once_wherever_it_is() {
    for subject in ALL {
        for fault in
            [Fault::Never, Fault::SlowFirstByte(Duration::from_secs(60)), Fault::Stall(2), Fault::Endless]
        {
            let (model, _mock) = subject.answering([Answer::text("a b c d").with(fault.clone())]).await;
            let cancel = CancellationToken::new();
            let call = Call { cancel: cancel.clone(), ..Call::default() };
            let asking = async {
                let mut deltas = model.stream(question(), call).await?;
                while let Some(delta) = deltas.next().await {
                    delta?;
                }
                Ok(())
            };
            let stopping = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                cancel.cancel();
            };
            let (asked, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), asking), stopping);
            let error: adjutant_core::Error = asked.unwrap().unwrap_err();
            assert_eq!(error.code(), Code::RunCancelled, "{subject:?} with {fault:?}: {error}");
        }
    }
}

#[tokio::test]
async fn reasoning_is_kept_with_its_signature() {
    for subject in ALL {
        let answer = Answer::text("42.").reasoning("Six times seven.").signed("c2lnbmF0dXJl");
        let heard = subject.hears(answer, question()).await.unwrap();
        let thought: Vec<_> = heard
            .message
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning(reasoning) => Some(reasoning),
                _ => None,
            })
            .collect();
        let text: String = thought.iter().map(|reasoning| reasoning.text.as_str()).collect();
        assert_eq!(text, "Six times seven.", "{subject:?}: {:?}", heard.message);
        if subject.interface != Interface::Chat {
            let sealed = thought.iter().any(|reasoning| {
                let seals = [&reasoning.signature, &reasoning.encrypted];
                seals.into_iter().flatten().any(|seal| seal == "c2lnbmF0dXJl") && reasoning.provider.is_some()
            });
            assert!(sealed, "{subject:?}: {thought:?}");
        }
    }
}

/// Most servers end the body a moment after the last event.
#[tokio::test]
async fn one_connection_carries_call_after_call() {
    let ten_calls = |subject: Subject| async move {
        let answer = || Answer::text("ok").with(Fault::LateEnd(Duration::from_millis(5)));
        let (model, mock) = subject.answering(std::iter::repeat_with(answer).take(10)).await;
        for _ in 0..10 {
            ask(&model, question()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // One, but on a machine that is busy with something else.
        assert!(mock.connections() <= 3, "{subject:?}: {} connections", mock.connections());
    };
    futures::future::join_all(ALL.map(ten_calls)).await;
}

#[tokio::test]
async fn an_answer_is_there_before_its_connection_ends() {
    for subject in ALL.into_iter().filter(|subject| subject.interface != Interface::Gemini) {
        let late = Answer::text("ok").with(Fault::LateEnd(Duration::from_secs(60)));
        let (model, _mock) = subject.answering([late]).await;
        // Of one that comes whole, the end of the body is the end of the answer.
        let heard = tokio::time::timeout(Duration::from_secs(20), ask(&model, question())).await;
        assert_eq!(heard.unwrap().unwrap().message.text(), "ok", "{subject:?}");
    }
}
