//! A value of a body together with its place, so that whoever reads it can say where it is wrong.

use adjutant::core::nearest;
use serde_json::{Map, Value};

use super::fault::Fault;

/// A value, and where it stands. Places are written down only when something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    place: Place<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Place<'a> {
    Body,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn write(&self, to: &mut String) {
        match self {
            Self::Body => {}
            Self::Field(within, name) => {
                within.write(to);
                if !to.is_empty() {
                    to.push('.');
                }
                to.push_str(name);
            }
            Self::Item(within, index) => {
                within.write(to);
                to.push_str(&format!("[{index}]"));
            }
        }
    }
}

impl<'a> Node<'a> {
    /// A whole body.
    pub(crate) fn body(value: &'a Value) -> Self {
        Self { value, place: Place::Body }
    }

    /// The value itself.
    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        let mut place = String::new();
        self.place.write(&mut place);
        place
    }

    /// A fault at this place.
    pub(crate) fn wrong(&self, word: &'static str, message: impl Into<String>) -> Fault {
        Fault::at(self.place(), word, message)
    }

    /// What this place should hold, and does not.
    pub(crate) fn expected(&self, what: &str) -> Fault {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let place = self.place();
        let at = if place.is_empty() { "the body".to_owned() } else { format!("`{place}`") };
        self.wrong("invalid_type", format!("{at} must be {what}, and is {found}"))
    }

    /// The fields of an object.
    pub(crate) fn fields(&self) -> Result<&'a Map<String, Value>, Fault> {
        self.value.as_object().ok_or_else(|| self.expected("an object"))
    }

    /// A field that is there and is not `null`.
    pub(crate) fn get<'b>(&'b self, name: &'b str) -> Option<Node<'b>> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Node { value, place: Place::Field(&self.place, name) })
    }

    /// A field that must be there.
    pub(crate) fn need<'b>(&'b self, name: &'b str) -> Result<Node<'b>, Fault> {
        self.fields()?;
        self.get(name).ok_or_else(|| {
            let place = Node { value: &Value::Null, place: Place::Field(&self.place, name) }.place();
            Fault::at(place.clone(), "missing_required_parameter", format!("`{place}` is missing"))
        })
    }

    /// The items of an array.
    pub(crate) fn items<'b>(&'b self) -> Result<impl Iterator<Item = Node<'b>>, Fault> {
        let items = self.value.as_array().ok_or_else(|| self.expected("an array"))?;
        let place = &self.place;
        Ok(items
            .iter()
            .enumerate()
            .map(move |(index, value)| Node { value, place: Place::Item(place, index) }))
    }

    /// Fails where a field is none of these: with the nearest of them.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Fault> {
        let strange = self.fields()?.keys().find(|name| !known.contains(&name.as_str()));
        strange.map_or(Ok(()), |name| Err(self.unknown(name, known.iter().copied())))
    }

    /// A field that nobody knows.
    pub(crate) fn unknown<'b>(&self, name: &str, known: impl IntoIterator<Item = &'b str>) -> Fault {
        let place = Node { value: &Value::Null, place: Place::Field(&self.place, name) }.place();
        let fault = Fault::at(place.clone(), "unknown_parameter", format!("`{place}` is not known"));
        match nearest(name, known) {
            Some(meant) => fault.with_help(format!("did you mean `{meant}`?")),
            None => fault,
        }
    }

    /// A text.
    pub(crate) fn text(&self) -> Result<&'a str, Fault> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// Yes or no.
    pub(crate) fn flag(&self) -> Result<bool, Fault> {
        self.value.as_bool().ok_or_else(|| self.expected("a boolean"))
    }

    /// A whole number from 0.
    pub(crate) fn count(&self) -> Result<u32, Fault> {
        let number = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| self.expected("a whole number from 0"))
    }

    /// A whole number.
    pub(crate) fn whole(&self) -> Result<i64, Fault> {
        self.value.as_i64().ok_or_else(|| self.expected("a whole number"))
    }

    /// A number between two others, both included.
    pub(crate) fn number(&self, least: f32, most: f32) -> Result<f32, Fault> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "no provider tells numbers apart that f32 does not"
        )]
        let number = self.value.as_f64().ok_or_else(|| self.expected("a number"))? as f32;
        match (least..=most).contains(&number) {
            true => Ok(number),
            false => Err(self.wrong(
                "invalid_value",
                format!("`{}` must be between {least} and {most}, and is {number}", self.place()),
            )),
        }
    }

    /// One of these words.
    pub(crate) fn word<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, Fault> {
        let said = self.text()?;
        let found = known.iter().find(|(word, _)| *word == said).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| self.strange(said, known.iter().map(|(word, _)| *word)))
    }

    /// A word that is none of those that are known.
    pub(crate) fn strange<'b>(&self, said: &str, known: impl IntoIterator<Item = &'b str> + Clone) -> Fault {
        let words: Vec<String> = known.clone().into_iter().map(|word| format!("`{word}`")).collect();
        let message = format!("`{}` is `{said}`, and must be one of {}", self.place(), words.join(", "));
        let fault = self.wrong("invalid_value", message);
        match nearest(said, known) {
            Some(meant) => fault.with_help(format!("did you mean `{meant}`?")),
            None => fault,
        }
    }

    /// The texts of an array.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Fault> {
        self.items()?.map(|item| item.text().map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistake_has_its_place() {
        let body = json!({"messages": [{"role": "usr", "content": 3, "nmae": "x"}], "n": -1});
        let body = Node::body(&body);
        let messages = body.need("messages").unwrap();
        let first = messages.items().unwrap().next().unwrap();
        let role = first.need("role").unwrap().word(&[("user", 1), ("system", 2)]).unwrap_err();
        assert_eq!((role.param.as_deref(), role.word), (Some("messages[0].role"), "invalid_value"));
        assert!(role.told().ends_with("did you mean `user`?"), "{role}");
        let content = first.need("content").unwrap().text().unwrap_err();
        assert_eq!(content.told(), "`messages[0].content` must be a string, and is a number");
        let name = first.only(&["role", "content", "name"]).unwrap_err();
        assert_eq!(name.told(), "`messages[0].nmae` is not known; did you mean `name`?");
        assert_eq!(body.need("model").unwrap_err().word, "missing_required_parameter");
        assert_eq!(body.need("n").unwrap().count().unwrap_err().word, "invalid_type");
        assert_eq!(
            Node::body(&json!([])).need("model").unwrap_err().told(),
            "the body must be an object, and is an array"
        );
    }
}
