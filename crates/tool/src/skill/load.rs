//! The tool that gives a model the instructions of a skill, and its files.

use std::fmt::Write;
use std::sync::Arc;

use adjutant_core::tool::{Effect, LOAD_SKILL, ToolSpec};
use serde_json::{Value, json};

use super::unpack::VARIABLE;
use super::{Content, Skill, Skills};
use crate::{FunctionTool, Output, Tool, ToolError};

/// How many files are named.
const MOST_NAMED: usize = 100;

/// What models are told of the tool that reads these skills.
pub fn spec(skills: &[Skill]) -> ToolSpec {
    let names: Vec<&str> = skills.iter().map(|skill| skill.name.as_str()).collect();
    ToolSpec {
        name: LOAD_SKILL.to_owned(),
        description: "Reads a skill of yours: instructions for a certain kind of work. Read it before you do such work. With `file`, \
                      reads a file that the skill speaks of."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "enum": names, "description": "The skill." },
                "file": {
                    "type": "string",
                    "description": "A file of the skill, by its path, such as `references/forms.md`.",
                },
            },
            "required": ["name"],
            "additionalProperties": false,
        }),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None, flow: adjutant_core::tool::Flow { trusted: Some(true), ..adjutant_core::tool::Flow::inside("skill") },
}
}

/// The tool that reads these skills.
pub fn loader(skills: &Skills) -> Arc<dyn Tool> {
    let all = skills.clone();
    let tool = FunctionTool::new(spec(skills.all()), move |arguments: Value, _| {
        let read = read(all.all(), &arguments);
        async move { Ok(read?) }
    });
    Arc::new(tool)
}

fn read(skills: &[Skill], arguments: &Value) -> Result<Output, ToolError> {
    let told = |key: &str| arguments.get(key).and_then(Value::as_str);
    let name = told("name").unwrap_or_default();
    let skill = skills.iter().find(|skill| skill.name == name);
    let skill = skill.ok_or_else(|| ToolError::new(format!("you have no skill `{name}`")))?;
    match told("file").map(|path| path.trim_start_matches("./")) {
        None | Some("" | "SKILL.md") => Ok(whole(skill)),
        Some(path) => file(skill, path),
    }
}

fn whole(skill: &Skill) -> Output {
    let mut text = skill.body.clone();
    let mut say = |line: String| {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{line}");
    };
    if !skill.files.is_empty() {
        let name = &skill.name;
        say(format!(
            "\nFiles of this skill, for `{LOAD_SKILL}` with `file`. Scripts find them in `${VARIABLE}/{name}`:"
        ));
        for file in skill.files.iter().take(MOST_NAMED) {
            let kind = match (&file.content, file.executable) {
                (Content::Base64(_), _) => " (no text)",
                (_, true) => " (can be run)",
                _ => "",
            };
            say(format!("- {}{kind}", file.path));
        }
        if skill.files.len() > MOST_NAMED {
            say(format!("- and {} more", skill.files.len() - MOST_NAMED));
        }
    }
    if let Some(compatibility) = &skill.compatibility {
        say(format!("\nIt needs: {compatibility}"));
    }
    if !skill.allowed_tools.is_empty() {
        say(format!("\nIt uses these tools, as far as you have them: {}", skill.allowed_tools.join(", ")));
    }
    Output { data: Some(json!({ "skill": skill.name, "tools": skill.allowed_tools })), ..Output::text(text) }
}

fn file(skill: &Skill, path: &str) -> Result<Output, ToolError> {
    match skill.files.iter().find(|file| file.path == path).map(|file| &file.content) {
        Some(Content::Text(text)) => Ok(Output::text(text.clone())),
        Some(Content::Base64(_)) => Err(ToolError::new(format!("`{path}` is no text"))
            .with_help(format!("a script finds it at `${VARIABLE}/{}/{path}`", skill.name))),
        None => {
            let paths: Vec<_> = skill.files.iter().take(20).map(|file| format!("`{}`", file.path)).collect();
            let help = match paths.is_empty() {
                true => "it has none besides its instructions".to_owned(),
                false => format!("it has {}", paths.join(", ")),
            };
            let shown: String = path.chars().take(100).collect();
            Err(ToolError::new(format!("the skill `{}` has no file `{shown}`", skill.name)).with_help(help))
        }
    }
}
