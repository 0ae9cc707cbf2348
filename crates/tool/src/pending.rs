//! [`Pending`]: a call that is not over, and what it waits for.

use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::arguments::Validator;

/// A call that is not over. [`Tool::resume`](crate::Tool::resume) goes on with it once that is there what it waits for,
/// be it days later and in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What it waits for.
    pub until: Until,
    /// What the tool needs to go on. It is recorded, so it holds no secret.
    pub state: Value,
    /// What happens if the call is gone on with twice; none where that is as with the call itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

/// What a call waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The answer of a person.
    Answered(Question),
    /// A time, after which the tool looks how far the work is.
    Later {
        /// How long, in milliseconds.
        after_ms: u64,
        /// How far the work is, for those who watch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// What a call asks a person before it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Who asks, for the person to judge what to tell them.
    pub from: String,
    /// What is asked, in the words of who asks.
    pub message: String,
    /// What an answer is.
    pub wanted: Wanted,
}

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Values that fit this JSON schema of a flat object.
    Values(Value),
    /// That the person has been to this address and has done there what is to be done. What they enter there is not seen
    /// here.
    Visit(String),
}

/// What a person answers. As JSON it is `{"action": "accept", "content": {..}}`, `{"action": "decline"}` or
/// `{"action": "cancel"}`, which are the words of the Model Context Protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", content = "content", rename_all = "snake_case")]
pub enum Answer {
    /// The values that are asked for; none for an address that was visited.
    Accept(Option<Map<String, Value>>),
    /// The person does not say it. The call may go on without.
    Decline,
    /// The person wants to have nothing to do with it. The call should be given up.
    Cancel,
}

/// What a pending call goes on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The state that the tool left.
    pub state: Value,
    /// What the person answered, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Question {
    /// Makes an answer fit to be given: what is left out and has a default gets it, `"5"` for a number becomes one.
    ///
    /// Fails with [`Code::InputInvalid`] when it still does not fit.
    pub fn fitting(&self, answer: Answer) -> Result<Answer> {
        let Answer::Accept(content) = answer else { return Ok(answer) };
        let Wanted::Values(schema) = &self.wanted else { return Ok(Answer::Accept(None)) };
        let mut content = content.unwrap_or_default();
        for (name, field) in self.fields() {
            if let Some(default) = field.get("default")
                && !content.contains_key(name)
            {
                content.insert(name.to_owned(), default.clone());
            }
        }
        let form = Validator::of("answer", schema).map_err(|why| {
            Error::new(Code::ToolBroken, format!("what {} asks cannot be answered: {why}", self.from))
        })?;
        match form.fitting(Value::Object(content)) {
            Ok(Value::Object(content)) => Ok(Answer::Accept(Some(content))),
            Ok(_) => Ok(Answer::Accept(None)),
            Err(unfit) => {
                let why = format!("the answer does not fit what is asked: {}", unfit.violations);
                let help = format!("what is asked is {}", unfit.expected);
                Err(Error::new(Code::InputInvalid, why).with_help(help))
            }
        }
    }

    /// The fields that are asked for, each with its schema.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        let fields = match &self.wanted {
            Wanted::Values(schema) => schema.get("properties").and_then(Value::as_object),
            Wanted::Visit(_) => None,
        };
        fields.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
    }

    /// Whether an answer without this field does not do.
    pub fn requires(&self, field: &str) -> bool {
        let Wanted::Values(schema) = &self.wanted else { return false };
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|name| name == field))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question() -> Question {
        let wanted = Wanted::Values(json!({ "type": "object", "required": ["name"], "properties": {
            "name": { "type": "string", "minLength": 2 }, "age": { "type": "integer", "default": 30 } } }));
        Question { from: "the MCP server `x`".into(), message: "Who are you?".into(), wanted }
    }

    #[test]
    fn an_answer_is_made_to_fit() {
        let accept = |content: Value| Answer::Accept(content.as_object().cloned());
        for (given, fits) in [
            (json!({ "name": "Ann" }), json!({ "name": "Ann", "age": 30 })),
            (json!({ "name": "Ann", "age": "7" }), json!({ "name": "Ann", "age": 7 })),
        ] {
            assert_eq!(question().fitting(accept(given)).unwrap(), accept(fits));
        }
        for (unfit, why) in [
            (json!({}), "\"name\" is missing"),
            (json!({ "name": "A" }), "name"),
            (json!({ "name": "Ann", "age": "old" }), "age"),
        ] {
            let error = question().fitting(accept(unfit)).unwrap_err();
            assert_eq!(error.code(), Code::InputInvalid);
            assert!(error.message().contains(why), "{error}");
        }
        assert_eq!(question().fitting(Answer::Decline).unwrap(), Answer::Decline);
    }

    #[test]
    fn an_answer_reads_as_the_protocol_has_it() {
        for (text, answer) in [
            (
                json!({ "action": "accept", "content": { "a": 1 } }),
                Answer::Accept(json!({ "a": 1 }).as_object().cloned()),
            ),
            (json!({ "action": "decline" }), Answer::Decline),
            (json!({ "action": "cancel" }), Answer::Cancel),
        ] {
            assert_eq!(serde_json::to_value(&answer).unwrap(), text);
            assert_eq!(serde_json::from_value::<Answer>(text).unwrap(), answer);
        }
        let bare = serde_json::from_value::<Answer>(json!({ "action": "accept" })).unwrap();
        assert_eq!(bare, Answer::Accept(None));
        assert!(serde_json::from_value::<Answer>(json!({ "action": "accept", "content": "Ann" })).is_err());
    }
}
