//! Questions: calls that ask a person something before they go on.

use adjutant_core::Result;
use adjutant_core::id::CallId;
use adjutant_core::json::Json;
use adjutant_durable::Ctx;
use adjutant_tool::{Answer, Question};
use serde::{Deserialize, Serialize};

use crate::approval;
use crate::returned::Called;

/// How the names of the signals begin that answers are given to.
pub const PREFIX: &str = "answer:";

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The call, as the model names it.
    pub call: CallId,
    /// The tool that was called.
    pub tool: String,
    /// What it asks.
    pub question: Question,
}

/// The name of the signal that the answer to a question is given to: where the call stands in the run, and which of its
/// questions it is, from 0.
fn signal(ctx: &Ctx, number: u32) -> String {
    let place = approval::place(ctx);
    match number {
        0 => format!("{PREFIX}{place}"),
        number => format!("{PREFIX}{place}.{}", number + 1),
    }
}

/// Waits for a person to answer. What cannot be read as an answer, or does not fit, is as if the person had gone away.
pub(crate) async fn ask(ctx: &Ctx, called: &Called, question: &Question, number: u32) -> Result<Answer> {
    let request =
        Request { call: called.call.clone(), tool: called.name.clone(), question: question.clone() };
    let answer = ctx.signal(&signal(ctx, number), Json::of(&request)?).await?;
    Ok(judge(question, &answer))
}

fn judge(question: &Question, answer: &Json) -> Answer {
    let answer = answer.to::<Answer>().and_then(|answer| question.fitting(answer));
    answer.unwrap_or(Answer::Cancel)
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::Scope;
    use adjutant_durable::Moment;
    use adjutant_tool::Wanted;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_answer_is_none() {
        let schema =
            json!({ "type": "object", "properties": { "age": { "type": "integer" } }, "required": ["age"] });
        let question =
            Question { from: "x".into(), message: "How old?".into(), wanted: Wanted::Values(schema) };
        let age = json!({ "age": 7 }).as_object().cloned();
        for (answer, expected) in [
            (r#"{"action":"accept","content":{"age":7}}"#, Answer::Accept(age)),
            (r#"{"action":"accept","content":{"age":"old"}}"#, Answer::Cancel),
            (r#"{"action":"accept"}"#, Answer::Cancel),
            (r#"{"action":"decline"}"#, Answer::Decline),
            (r#"{"approve":true}"#, Answer::Cancel),
            ("null", Answer::Cancel),
        ] {
            assert_eq!(judge(&question, &Json::parse(answer).unwrap()), expected, "{answer}");
        }
    }

    #[test]
    fn each_question_of_a_call_has_a_name_of_its_own() {
        let ctx = Ctx::new("r".into(), Scope::default(), 0, Moment::default());
        let ctx = ctx.scope("turn").scope("call");
        assert_eq!(signal(&ctx, 0), "answer:turn0.call0");
        assert_eq!(signal(&ctx, 1), "answer:turn0.call0.2");
    }
}
