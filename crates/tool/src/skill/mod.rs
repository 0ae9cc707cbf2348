//! Skills: instructions for certain kinds of work, with the files that belong to them.
//!
//! A [`Skill`] is a folder with a `SKILL.md`, by the open standard (agentskills.io), read as a whole: a run keeps the skills that it
//! began with. Models see its name and description, and read the rest by the tool that [`loader`] makes. Its scripts run only where
//! scripts run anyway: tools with a sandbox see the [`Skills`] of the call's context as a folder that cannot be written.

mod load;
mod unpack;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub use load::{loader, spec};
pub use unpack::{FOLDER, Skills, VARIABLE};

/// Instructions for a certain kind of work, and the files that belong to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// What it is called: its folder's name.
    pub name: String,
    /// What it is for and when to use it: what models see of it before they read it.
    pub description: String,
    /// The instructions, in Markdown.
    pub body: String,
    /// The tools that it names as those that it uses. It gives nobody a tool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_tools: Vec<String>,
    /// The licence, or where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// What it needs of where it is used, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<String>,
    /// What else its author says of it.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
    /// The other files of its folder, by their paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
}

/// A file of a skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path in the folder, with `/`.
    pub path: String,
    /// What is in it.
    #[serde(flatten)]
    pub content: Content,
    /// Whether it may be run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text.
    Text(String),
    /// Anything else, in base 64.
    Base64(String),
}

impl Content {
    /// What these bytes are.
    pub fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Base64(STANDARD.encode(error.as_bytes())),
        }
    }
}
