//! Calls that do not end at once: the server asks a person, or works on by itself.

use adjutant_core::tool::Effect;
use adjutant_tool::mcp::Config;
use adjutant_tool::{Answer, Failure, Output, Pending, Question, Resumed, Until, Wanted};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{Scene, file, process};

const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// The server that takes its time, and the folder where it notes what it does.
struct Patient {
    scene: Scene,
    folder: TempDir,
    config: Config,
}

impl Patient {
    async fn speaking(revision: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = ["python3", "-B", &file("servers/patient.py"), revision, folder.path().to_str().unwrap()];
        let config = process("x", &words.map(str::to_owned));
        Self { scene: Scene::accepting(config.clone()).await, folder, config }
    }

    /// What the server has noted.
    fn noted(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn note(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "one\n").unwrap();
    }

    /// As after the end of this process: the server is another one, and nothing is held.
    async fn started_again(self) -> Self {
        let scene = Scene::accepting(self.config.clone()).await;
        Self { scene, ..self }
    }

    async fn call(&self, tool: &str) -> Result<Output, Failure> {
        self.scene.call(tool, json!({})).await
    }

    async fn resume(&self, tool: &str, state: &Value, answer: Option<Answer>) -> Result<Output, Failure> {
        self.resume_as(tool, state, answer, 1).await
    }

    async fn resume_as(
        &self,
        tool: &str,
        state: &Value,
        answer: Option<Answer>,
        attempt: u32,
    ) -> Result<Output, Failure> {
        let resumed = Resumed { state: state.clone(), answer };
        let context = self.scene.context().with_attempt(attempt);
        self.scene.tool(tool).resume(json!({}), resumed, context).await
    }

    /// Goes on with a task until it is something else than not ready.
    async fn look(&self, tool: &str, mut state: Value) -> Result<Output, Failure> {
        for _ in 0..50 {
            match self.resume(tool, &state, None).await {
                Err(Failure::Pending(pending)) if matches!(pending.until, Until::Later { .. }) => {
                    assert_eq!(pending.effect.filter(|effect| *effect != Effect::Idempotent), None);
                    state = pending.state;
                }
                over => return over,
            }
        }
        panic!("it is never over")
    }
}

fn pending(outcome: Result<Output, Failure>) -> Pending {
    match outcome {
        Err(Failure::Pending(pending)) => *pending,
        other => panic!("not pending: {other:?}"),
    }
}

fn question(pending: &Pending) -> &Question {
    match &pending.until {
        Until::Answered(question) => question,
        Until::Later { .. } => panic!("no question: {pending:?}"),
    }
}

fn accept(pending: &Pending, content: &Value) -> Option<Answer> {
    Some(question(pending).fitting(Answer::Accept(content.as_object().cloned())).unwrap())
}

#[tokio::test]
async fn a_question_is_answered_and_the_call_goes_on() {
    for revision in REVISIONS {
        let patient = Patient::speaking(revision).await;
        let asks = pending(patient.call("x__book").await);
        assert_eq!(question(&asks).message, "Who is it for?");
        assert_eq!(question(&asks).from, "the MCP server `x`");
        assert!(question(&asks).requires("name") && !question(&asks).requires("seats"));
        assert_eq!(patient.noted("booked"), [""; 0]);
        let answer = accept(&asks, &json!({ "name": "Ann" }));
        let output = patient.resume("x__book", &asks.state, answer).await.unwrap();
        assert_eq!(output.as_text(), "book: Ann, 2 seats", "{revision}");
        assert_eq!(patient.noted("booked"), ["Ann, 2 seats"]);
    }
}

#[tokio::test]
async fn a_person_may_say_no() {
    for revision in REVISIONS {
        let patient = Patient::speaking(revision).await;
        for (answer, word) in [(Answer::Decline, "decline"), (Answer::Cancel, "cancel")] {
            let asks = pending(patient.call("x__book").await);
            let Err(Failure::Model(error)) = patient.resume("x__book", &asks.state, Some(answer)).await
            else {
                panic!("nothing was booked")
            };
            assert!(error.message().contains(&format!("the person said {word}")), "{error}");
        }
        assert_eq!(patient.noted("answers"), [r#"{"action": "decline"}"#, r#"{"action": "cancel"}"#]);
    }
}

#[tokio::test]
async fn a_person_is_sent_to_an_address() {
    for revision in REVISIONS {
        let patient = Patient::speaking(revision).await;
        let asks = pending(patient.call("x__sign").await);
        assert_eq!(question(&asks).wanted, Wanted::Visit("https://example.org/sign".into()));
        let answer = accept(&asks, &Value::Null);
        let output = patient.resume("x__sign", &asks.state, answer).await.unwrap();
        assert_eq!(output.as_text(), "signed", "{revision}");
    }
}

#[tokio::test]
async fn an_answer_reaches_a_server_that_was_started_again() {
    // Of a call that is held nothing is left. What may be made twice is made once more, and what was answered is not asked
    // again; of anything else nobody knows what came of it, until a person says so.
    for (revision, tool, is_known) in [
        ("2026-07-28", "x__book", true),
        ("2026-07-28", "x__greet", true),
        ("2025-11-25", "x__greet", true),
        ("2025-11-25", "x__book", false),
    ] {
        let patient = Patient::speaking(revision).await;
        let asks = pending(patient.call(tool).await);
        let patient = patient.started_again().await;
        let answer = accept(&asks, &json!({ "name": "Ann" }));
        let outcome = patient.resume(tool, &asks.state, answer.clone()).await;
        if is_known {
            assert!(outcome.unwrap().as_text().contains("Ann"), "{revision} {tool}");
            continue;
        }
        assert!(matches!(&outcome, Err(Failure::Unknown(why)) if why.contains("is gone")), "{outcome:?}");
        assert_eq!(patient.noted("booked"), [""; 0]);
        let output = patient.resume_as(tool, &asks.state, answer, 2).await.unwrap();
        assert_eq!(output.as_text(), "book: Ann, 2 seats");
        assert_eq!(patient.noted("booked"), ["Ann, 2 seats"]);
    }
}

#[tokio::test]
async fn a_call_that_nobody_answers_is_given_up() {
    let patient = Patient::speaking("2025-11-25").await;
    let asks = pending(patient.call("x__book").await);
    patient.scene.tool("x__book").abandon(asks.state, patient.scene.context()).await;
    // The next call comes after what was said of the one before.
    pending(patient.call("x__greet").await);
    for _ in 0..100 {
        if !patient.noted("answers").is_empty() && !patient.noted("unwanted").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(patient.noted("answers"), [r#"{"action": "cancel"}"#]);
    assert_eq!(patient.noted("unwanted"), ["one"]);
}

#[tokio::test]
async fn several_calls_are_asked_about_side_by_side() {
    let patient = Patient::speaking("2025-11-25").await;
    let mut asked = Vec::new();
    for (number, tool) in ["x__book", "x__greet"].into_iter().enumerate() {
        let context = patient.scene.context().with_idempotency_key(format!("key {number}"));
        asked.push((tool, pending(patient.scene.tool(tool).call(json!({}), context).await)));
    }
    for (tool, asks) in asked {
        let answer = accept(&asks, &json!({ "name": tool, "seats": 1 }));
        let output = patient.resume(tool, &asks.state, answer).await.unwrap();
        assert_eq!(output.as_text(), format!("{}: {tool}, 1 seats", tool.trim_start_matches("x__")));
    }
}

#[tokio::test]
async fn a_task_goes_on_over_the_end_of_everything() {
    let patient = Patient::speaking("2026-07-28").await;
    let begun = pending(patient.call("x__bake").await);
    assert!(matches!(&begun.until, Until::Later { note: Some(note), .. } if note == "it rises"), "{begun:?}");
    let patient = patient.started_again().await;
    let asks = pending(patient.look("x__bake", begun.state).await);
    assert_eq!(question(&asks).message, "Who is it for?");
    let patient = patient.started_again().await;
    let told =
        pending(patient.resume("x__bake", &asks.state, accept(&asks, &json!({ "name": "Ann" }))).await);
    patient.note("oven");
    let output = patient.look("x__bake", told.state).await.unwrap();
    assert_eq!(output.as_text(), "a cake for Ann");
    assert_eq!(patient.noted("baked").len(), 1);
}

#[tokio::test]
async fn a_task_is_cancelled() {
    let patient = Patient::speaking("2026-07-28").await;
    let begun = pending(patient.call("x__bake").await);
    patient.scene.tool("x__bake").abandon(begun.state, patient.scene.context()).await;
    assert_eq!(patient.noted("cancelled"), ["cake-7"]);
}

#[tokio::test]
async fn what_came_of_a_task_that_is_not_known_any_more_nobody_knows() {
    let patient = Patient::speaking("2026-07-28").await;
    let begun = pending(patient.call("x__bake").await);
    patient.note("thrown away");
    let outcome = patient.look("x__bake", begun.state).await;
    assert!(
        matches!(&outcome, Err(Failure::Unknown(why)) if why.contains("knows the task no more")),
        "{outcome:?}"
    );
    assert_eq!(patient.noted("baked").len(), 1);
}
