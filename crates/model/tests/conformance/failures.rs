//! What goes wrong, what it is called, and whether it is worth trying again.

use std::time::Duration;

use adjutant_core::Code;
use adjutant_core::error::Retry;
use adjutant_model::Call;
use adjutant_testkit::provider::{Answer, Fault};
use futures::StreamExt;

use crate::subject::{ALL, KEY, ask, question};

#[tokio::test]
async fn every_refusal_has_its_code() {
    let cases = [
        (400, Code::ModelRequestRefused),
        (401, Code::ModelKeyRefused),
        (403, Code::ModelKeyRefused),
        (404, Code::ModelRequestRefused),
        (413, Code::ModelContextExceeded),
        (429, Code::ModelRateLimited),
        (500, Code::ModelUnavailable),
        (503, Code::ModelUnavailable),
        (529, Code::ModelUnavailable),
    ];
    for subject in ALL {
        for (status, code) in cases {
            let refusal = Answer::text("").with(Fault::Refuse(status, format!("what went wrong, {KEY}")));
            let error = subject.fails(refusal).await;
            assert_eq!(error.code(), code, "{subject:?} with {status}: {error}");
            let expected = if status == 429 || status >= 500 { Retry::Later } else { Retry::Never };
            assert_eq!(error.retry(), expected, "{subject:?} with {status}");
            assert!(error.message().contains("what went wrong"), "{subject:?} with {status}: {error}");
            assert!(!format!("{error:?}").contains(KEY), "{subject:?} tells the key: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_asks_to_wait_is_heard() {
    for subject in ALL {
        let busy = || Answer::text("").with(Fault::Refuse(429, "slow down".into()));
        assert_eq!(subject.fails(busy()).await.retry_after(), None, "{subject:?}");
        let error = subject.fails(busy().header("retry-after", "7")).await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{subject:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_refused() {
    let whole = |kind: &str, body: &str| Fault::Body(kind.into(), body.into());
    for subject in ALL {
        for fault in [
            Fault::HalfJson,
            Fault::Garbage,
            Fault::Unfinished(2),
            whole("text/html", "<html><body>Welcome</body></html>"),
            whole("application/json", "{}"),
            whole("application/json", "{\"choices\""),
            whole("application/json", "[]"),
            whole("text/event-stream", ""),
            whole("text/event-stream", "data: 1\n\n"),
        ] {
            let error = subject.fails(Answer::text("one two three").with(fault.clone())).await;
            assert_eq!(error.code(), Code::ModelAnswerInvalid, "{subject:?} with {fault:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_an_answer_that_ends() {
    for subject in ALL {
        let error = subject.fails(Answer::text("one two three four").with(Fault::Cut(3))).await;
        assert_eq!(error.code(), Code::ModelUnreachable, "{subject:?}: {error}");
        assert_eq!(error.retry(), Retry::Later);
    }
}

#[tokio::test]
async fn what_came_before_an_error_is_not_lost() {
    for subject in ALL {
        let answer = Answer::text("one two three four").with(Fault::Fail(3, 529, "overloaded".into()));
        let (model, _mock) = subject.answering([answer]).await;
        let deltas: Vec<_> = model.stream(question(), Call::default()).await.unwrap().collect().await;
        let (last, before) = deltas.split_last().unwrap();
        let error = last.as_ref().unwrap_err();
        assert_eq!(error.retry(), Retry::Later, "{subject:?}: {error}");
        assert!(error.message().contains("overloaded"), "{subject:?}: {error}");
        assert!(!before.is_empty() && before.iter().all(Result::is_ok), "{subject:?}: {before:?}");
    }
}

#[tokio::test]
async fn a_provider_may_not_take_for_ever() {
    for subject in ALL {
        for (fault, said) in [
            (Fault::Never, "did not answer within"),
            (Fault::SlowFirstByte(Duration::from_secs(60)), "within"),
            (Fault::Stall(2), "stopped answering within"),
        ] {
            let mock = adjutant_testkit::provider::MockProvider::answering([
                Answer::text("a b c d").with(fault.clone())
            ]);
            let mock = mock.key(KEY).start().await.unwrap();
            let mut config = subject.config(&mock);
            (config.timeouts.first_byte, config.timeouts.idle) =
                (Duration::from_millis(150), Duration::from_millis(150));
            let error = ask(&subject.model(&config), question()).await.unwrap_err();
            assert_eq!(error.code(), Code::ModelTimeout, "{subject:?} with {fault:?}: {error}");
            assert!(error.message().contains(said), "{subject:?} with {fault:?}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    for subject in ALL {
        let error = subject.fails(Answer::text("").with(Fault::Endless)).await;
        assert_eq!(error.code(), Code::ModelAnswerInvalid, "{subject:?}: {error}");
        assert!(error.message().ends_with("is larger than 64 MiB"), "{subject:?}: {error}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_told_from_a_provider_in_trouble() {
    for subject in ALL {
        let (_, mock) = subject.answering([]).await;
        let mut config = subject.config(&mock);
        config.base_url = adjutant_testkit::provider::MockProvider::nowhere().await.unwrap();
        let error = ask(&subject.model(&config), question()).await.unwrap_err();
        assert_eq!(error.code(), Code::ModelUnreachable, "{subject:?}: {error}");
    }
}
