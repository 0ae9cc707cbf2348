//! What is sent: the mock finds nothing wrong with it, and nothing of it is lost.

use adjutant_core::Code;
use adjutant_core::message::{Media, MediaSource, Message, Part, Role, ToolResult};
use adjutant_model::{Effort, OutputSchema, Request, Response, ToolChoice};
use adjutant_testkit::provider::{Answer, Interface};
use serde_json::{Value, json};

use crate::subject::{ALL, Subject, ask, look, question};

/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn picture() -> Part {
    Part::Image(Media {
        media_type: "image/png".into(),
        name: Some("pixel.png".into()),
        source: MediaSource::Base64(PIXEL.into()),
    })
}

fn document() -> Part {
    Part::File(Media {
        media_type: "application/pdf".into(),
        name: Some("invoice.pdf".into()),
        source: MediaSource::Base64("JVBERi0xLjQK".into()),
    })
}

/// Asks, lets the tools answer, and asks again; the bodies that were sent.
async fn twice(
    subject: Subject,
    first: Answer,
    results: impl Fn(&Response) -> Vec<ToolResult>,
) -> Vec<Value> {
    let (model, mock) = subject.answering([first, Answer::text("done")]).await;
    let mut request = question();
    let heard = ask(&model, request.clone()).await.unwrap();
    let results = results(&heard);
    request.messages.push(heard.message.into());
    request.messages.extend(results.into_iter().map(|result| Message::tool(result).into()));
    let end = ask(&model, request).await.unwrap_or_else(|error| panic!("{subject:?}: {error:?}"));
    assert_eq!(end.message.text(), "done", "{subject:?}");
    assert_eq!(mock.faults(), Vec::<String>::new(), "{subject:?}");
    mock.requests()
}

#[tokio::test]
async fn results_go_back_with_errors_and_pictures_in_any_order() {
    for subject in ALL {
        let calls = [
            ("c1", "look", json!({"what": "a"})),
            ("c2", "look", json!({"what": "b"})),
            ("c3", "look", json!({"what": "c"})),
        ];
        let sent = twice(subject, Answer::calls(calls), |heard| {
            let calls: Vec<_> = heard.message.calls().cloned().collect();
            let mut seen = ToolResult::text(&calls[0], "a picture");
            seen.content.push(picture());
            let mut data = ToolResult::text(&calls[2], "");
            (data.content, data.data) = (Vec::new(), Some(json!({"total": 3})));
            vec![seen, ToolResult::error(&calls[1], "there is no b"), data]
        })
        .await;
        let body = sent[1].to_string();
        for part in ["a picture", PIXEL, "there is no b", "total"] {
            assert!(body.contains(part), "{subject:?} lost `{part}`: {body}");
        }
    }
}

#[tokio::test]
async fn reasoning_goes_back_to_its_own_provider_as_it_came() {
    for subject in ALL.into_iter().filter(|subject| subject.interface != Interface::Chat) {
        let first =
            Answer::calls([("c1", "look", json!({"what": "a"}))]).reasoning("Hm, a.").signed("c2lnbmF0dXJl");
        let sent = twice(subject, first, |heard| {
            heard.message.calls().map(|call| ToolResult::text(call, "found")).collect()
        })
        .await;
        assert!(sent[1].to_string().contains("c2lnbmF0dXJl"), "{subject:?}: {}", sent[1]);
    }
}

/// What one provider has said goes on with any other: ids, reasoning and parts of its own are no hindrance.
#[tokio::test]
async fn a_conversation_goes_on_with_another_provider() {
    for first in ALL {
        let answer =
            Answer::calls([("c1", "look", json!({"what": "a"})), ("c2", "look", json!({"what": "b"}))]);
        let heard = first.hears(answer.reasoning("Hm.").signed("c2lnbmF0dXJl"), question()).await.unwrap();
        let mut request = question();
        let results: Vec<_> =
            heard.message.calls().map(|call| Message::tool(ToolResult::text(call, "found"))).collect();
        request.messages.push(heard.message.into());
        request.messages.extend(results.into_iter().map(Into::into));
        for second in ALL {
            let (model, mock) = second.answering([Answer::text("done")]).await;
            ask(&model, request.clone())
                .await
                .unwrap_or_else(|error| panic!("{first:?} to {second:?}: {error:?}"));
            assert_eq!(mock.faults(), Vec::<String>::new(), "{first:?} to {second:?}");
            let sealed = mock.requests()[0].to_string().contains("c2lnbmF0dXJl");
            assert!(
                !sealed || first.interface == second.interface,
                "{second:?} was sent what {first:?} has signed"
            );
        }
    }
}

#[tokio::test]
async fn pictures_and_documents_arrive_and_what_cannot_is_refused_before() {
    for subject in ALL {
        let with =
            |part: Part| Request::new([Message::new(Role::User, vec![Part::text("What is this?"), part])]);
        for part in [picture(), document()] {
            let (model, mock) = subject.answering([Answer::text("a thing")]).await;
            ask(&model, with(part)).await.unwrap_or_else(|error| panic!("{subject:?}: {error:?}"));
            assert_eq!(mock.faults(), Vec::<String>::new(), "{subject:?}");
        }
        let (_, mock) = subject.answering([Answer::text("a thing")]).await;
        let mut config = subject.config(&mock);
        config.profile.abilities.images = false;
        let error = ask(&subject.model(&config), with(picture())).await.unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported, "{subject:?}: {error}");
        assert_eq!(mock.count(), 0, "{subject:?} sent it all the same");
    }
}

#[tokio::test]
async fn the_form_of_an_answer_is_asked_for_natively_or_by_a_tool() {
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["city", "count"],
        "additionalProperties": false,
    });
    let output = OutputSchema { name: "place".into(), schema, strict: true };
    let said = json!({"city": "Bergen", "count": 3});
    for subject in ALL {
        let request = Request {
            output: Some(output.clone()),
            max_output_tokens: Some(4_096),
            ..Request::new([Message::user("Where?")])
        };
        let native = subject.hears(Answer::text(said.to_string()), request.clone()).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&native.message.text()).unwrap(), said, "{subject:?}");

        let mock = adjutant_testkit::provider::MockProvider::answering([Answer::calls([(
            "c1",
            "place",
            said.clone(),
        )])]);
        let mock = mock.key(crate::subject::KEY).start().await.unwrap();
        let mut config = subject.config(&mock);
        config.profile.abilities.structured_output = false;
        let by_tool = ask(&subject.model(&config), request)
            .await
            .unwrap_or_else(|error| panic!("{subject:?}: {error:?}"));
        assert_eq!(serde_json::from_str::<Value>(&by_tool.message.text()).unwrap(), said, "{subject:?}");
        assert_eq!(
            (by_tool.message.calls().count(), by_tool.stop),
            (0, adjutant_model::StopReason::EndTurn),
            "{subject:?}"
        );
        assert_eq!(mock.faults(), Vec::<String>::new(), "{subject:?}");
    }
}

#[tokio::test]
async fn every_choice_of_tools_and_every_setting_is_understood() {
    for subject in ALL {
        for choice in
            [ToolChoice::Auto, ToolChoice::None, ToolChoice::Required, ToolChoice::Named("look".into())]
        {
            let request = Request { tool_choice: choice.clone(), ..question() };
            let heard = subject.hears(Answer::text("ok"), request).await;
            assert!(heard.is_ok(), "{subject:?} with {choice:?}: {heard:?}");
        }
        for effort in [Effort::Off, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Max] {
            let request = Request { effort: Some(effort), max_output_tokens: Some(60_000), ..question() };
            let heard = subject.hears(Answer::text("ok"), request).await;
            assert!(heard.is_ok(), "{subject:?} with {effort:?}: {heard:?}");
        }
    }
}

/// A long conversation of everything that can be said, with messages of one role after another.
#[tokio::test]
async fn a_conversation_of_everything_is_right() {
    for subject in ALL {
        let call = |id: &str| adjutant_core::message::ToolCall {
            id: id.into(),
            name: "look".into(),
            arguments: r#"{"what":"x"}"#.into(),
        };
        let mut broken = call("b:2/é");
        broken.arguments = "{not json".into();
        let request = Request {
            tools: [look()].into(),
            max_output_tokens: Some(4_096),
            ..Request::new([
                Message::system("Be brief."),
                Message::system("Be kind."),
                Message::user("hi"),
                Message::user("are you there?"),
                Message::assistant(vec![Part::text("")]),
                Message::assistant(vec![
                    Part::text("yes "),
                    Part::text("I am"),
                    Part::ToolCall(call("a|1")),
                    Part::ToolCall(broken.clone()),
                ]),
                Message::tool(ToolResult::text(&call("a|1"), "")),
                Message::tool(ToolResult::error(&broken, "the arguments are no JSON")),
                Message::user("and?"),
                Message::assistant(vec![Part::ToolCall(call("c"))]),
                Message::tool(ToolResult::text(&call("c"), "c")),
                Message::assistant(vec![Part::text("well")]),
                Message::user("  "),
                Message::new(Role::User, vec![picture(), Part::text("go on")]),
            ])
        };
        let heard = subject.hears(Answer::text("ok"), request).await;
        assert!(heard.is_ok(), "{subject:?}: {heard:?}");
    }
}
