//! What a model can do, and what it costs.

use adjutant_core::message::{Message, Part};
use adjutant_core::money::Prices;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::request::Request;

/// What is known of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The most tokens of input and output together.
    pub context_window: Option<u64>,
    /// The most tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// What it can do.
    pub abilities: Abilities,
    /// What it costs; none where the price is not known.
    pub prices: Option<Prices>,
}

/// What a model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Abilities {
    /// It calls tools.
    pub tools: bool,
    /// It calls several tools in one answer.
    pub parallel_tools: bool,
    /// It answers in the form of a JSON schema. One that does not, and calls tools, is asked for the form by a tool.
    pub structured_output: bool,
    /// It sees images.
    pub images: bool,
    /// It hears audio.
    pub audio: bool,
    /// It reads files.
    pub files: bool,
    /// It reasons before it answers.
    pub reasoning: bool,
}

impl Default for Abilities {
    /// What most models can do today: everything but audio, files and reasoning.
    fn default() -> Self {
        Self {
            tools: true,
            parallel_tools: true,
            structured_output: true,
            images: true,
            audio: false,
            files: false,
            reasoning: false,
        }
    }
}

impl Abilities {
    /// The names of the abilities, as a person writes them.
    pub const NAMES: [&str; 7] =
        ["tools", "parallel_tools", "structured_output", "images", "audio", "files", "reasoning"];

    /// Every ability by its name, and whether it is there.
    pub fn all(mut self) -> impl Iterator<Item = (&'static str, bool)> {
        Self::NAMES.into_iter().filter_map(move |name| Some((name, *self.named(name)?)))
    }

    /// The ability of that name.
    pub fn named(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "tools" => Some(&mut self.tools),
            "parallel_tools" => Some(&mut self.parallel_tools),
            "structured_output" => Some(&mut self.structured_output),
            "images" => Some(&mut self.images),
            "audio" => Some(&mut self.audio),
            "files" => Some(&mut self.files),
            "reasoning" => Some(&mut self.reasoning),
            _ => None,
        }
    }
}

impl Profile {
    /// Refuses what the model cannot do, before anything is sent. Fails with `model-unsupported`.
    pub fn check(&self, model: &str, request: &Request) -> Result<()> {
        match self.missing(request) {
            None => Ok(()),
            Some((what, key)) => {
                let text = if key == "tools" {
                    ", let the agent call tools by text (`strategy: react`)"
                } else {
                    ""
                };
                Err(Error::new(Code::ModelUnsupported, format!("the model `{model}` {what}")).with_help(
                    format!(
                        "use another model{text}, or, if this one can do it after all, set `{key}` of the model"
                    ),
                ))
            }
        }
    }

    /// What the request needs and the model lacks, with the key that says so.
    fn missing(&self, request: &Request) -> Option<(String, &'static str)> {
        let abilities = &self.abilities;
        if !abilities.tools && !request.tools.is_empty() {
            return Some(("cannot call tools".to_owned(), "tools"));
        }
        if !abilities.structured_output && !abilities.tools && request.output.is_some() {
            return Some(("cannot answer in the form of a schema".to_owned(), "structured_output"));
        }
        if let (Some(asked), Some(most)) = (request.max_output_tokens, self.max_output_tokens)
            && u64::from(asked) > most
        {
            return Some((
                format!("writes at most {most} tokens in one answer, and {asked} are asked"),
                "max_output_tokens",
            ));
        }
        request.messages.iter().find_map(|message| self.missing_for(message))
    }

    fn missing_for(&self, message: &Message) -> Option<(String, &'static str)> {
        let inner = message.results().flat_map(|result| &result.content);
        message.parts.iter().chain(inner).find_map(|part| match part {
            Part::Image(_) if !self.abilities.images => Some(("cannot see images".to_owned(), "images")),
            Part::Audio(_) if !self.abilities.audio => Some(("cannot hear audio".to_owned(), "audio")),
            Part::File(_) if !self.abilities.files => Some(("cannot read files".to_owned(), "files")),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Media, MediaSource, Role};

    use super::*;
    use crate::request::OutputSchema;

    fn media() -> Media {
        Media {
            media_type: "image/png".into(),
            name: None,
            source: MediaSource::Url("https://example.com/a".into()),
        }
    }

    #[test]
    fn what_a_model_cannot_do_is_refused_by_name() {
        let nothing = Profile {
            max_output_tokens: Some(10),
            abilities: Abilities {
                tools: false,
                structured_output: false,
                images: false,
                ..Abilities::default()
            },
            ..Profile::default()
        };
        let with = |part| Request::new([Message::new(Role::User, vec![part])]);
        let output = OutputSchema { name: "o".into(), schema: serde_json::json!({}), strict: true };
        let cases = [
            (with(Part::Image(media())), "cannot see images"),
            (with(Part::Audio(media())), "cannot hear audio"),
            (with(Part::File(media())), "cannot read files"),
            (Request { output: Some(output), ..Request::default() }, "form of a schema"),
            (Request { max_output_tokens: Some(11), ..Request::default() }, "at most 10 tokens"),
        ];
        for (request, why) in cases {
            let error = nothing.check("small", &request).unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert!(error.message().contains(why), "{error}");
        }
        assert_eq!(nothing.check("small", &Request::new([Message::user("hi")])), Ok(()));
    }
}
