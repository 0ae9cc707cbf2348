//! Command tools: any program becomes a tool by a few lines.

use std::collections::BTreeMap;
use std::path::Path;

use adjutant_agent::definition::document::{Content, Table};
use adjutant_core::nearest;
use adjutant_core::tool::Effect;
use adjutant_tool::command::{Config, Exit, Format, Variable};

use super::parameters;

pub(super) const EFFECTS: [(&str, Effect); 4] = [
    ("pure", Effect::Pure),
    ("idempotent", Effect::Idempotent),
    ("at_most_once", Effect::AtMostOnce),
    ("reconcile", Effect::Reconcile),
];
const EXITS: [(&str, Exit); 5] = [
    ("done", Exit::Done),
    ("failed", Exit::Failed),
    ("retry", Exit::Retry),
    ("unknown", Exit::Unknown),
    ("stop", Exit::Stop),
];
const FORMATS: [(&str, Format); 3] =
    [("either", Format::Either), ("json", Format::Json), ("text", Format::Text)];

/// Reads the table of a command tool. Paths are relative to `folder`, and the command runs there.
pub(super) fn read(name: &str, table: &Table<'_>, folder: &Path) -> Option<Config> {
    table.require("description", "say what the tool does: models choose tools by it");
    table.require("command", "add `command = [\"program\", \"argument\"]`");
    table.require(
        "effect",
        "say what happens if it is called twice: `pure` (it changes nothing), `idempotent` (the second call with a \
         key changes nothing), `at_most_once` (it happens twice), or `reconcile` (so too, but it can look a key up)",
    );
    let description = table.text("description");
    let command = words(table, "command", folder);
    let effect = table.choice("effect", &EFFECTS);
    let reconcile = words(table, "reconcile", folder);
    let parameters = parameters::read(table);
    let mut config = Config::new(name, Vec::new(), Effect::AtMostOnce);
    config.timeout = table.duration("timeout").unwrap_or(config.timeout);
    config.concurrency = table.integer("concurrency", 1..=1_000);
    config.environment = environment(table, "env");
    let working_directory =
        table.text("working_directory").map_or(folder.to_owned(), |path| folder.join(path));
    config.working_directory = Some(working_directory);
    config.exit_codes = exit_codes(table);
    config.format = table.choice("format", &FORMATS).unwrap_or_default();
    config.output_limit = table.integer("output_limit", 1..=16 << 20).unwrap_or(config.output_limit);
    config.reconcile = reconcile;
    config.description = description?.trim().to_owned();
    config.command = command?;
    config.parameters = parameters?;
    config.effect = effect?;
    Some(config)
}

/// A command. A program with a path stands where the file says, wherever the command runs.
pub(in crate::project) fn words(table: &Table<'_>, key: &'static str, folder: &Path) -> Option<Vec<String>> {
    let mut words: Vec<String> = table.texts(key)?.into_iter().map(|(word, _)| word.to_owned()).collect();
    if let Some(program) = words.first_mut()
        && program.contains('/')
    {
        *program = folder.join(&*program).to_string_lossy().into_owned();
    }
    Some(words)
}

/// Named values: the environment of a process, or headers.
pub(super) fn environment(table: &Table<'_>, key: &'static str) -> BTreeMap<String, Variable> {
    let mut variables = BTreeMap::new();
    for entry in table.named(key) {
        let path = format!("{}.{}", table.name_of(key), entry.key);
        let variable = match &entry.value.content {
            Content::Text(text) => Some(Variable::Text(text.clone())),
            Content::Table(_) => Table::new(&entry.value, path, table.problems()).and_then(|inner| {
                let secret = inner.text("secret").map(|name| Variable::Secret(name.to_owned()));
                let inherit = inner.flag("inherit").filter(|inherit| *inherit).map(|_| Variable::Inherit);
                inner.finish();
                secret.or(inherit)
            }),
            other => {
                table.problems().report_with(
                    entry.value.place,
                    format!("`{path}` must be text, not {other}"),
                    "write `\"value\"`, `{ secret = \"name\" }` or `{ inherit = true }`",
                );
                None
            }
        };
        variables.extend(variable.map(|variable| (entry.key.clone(), variable)));
    }
    variables
}

fn exit_codes(table: &Table<'_>) -> BTreeMap<i32, Exit> {
    let mut codes = BTreeMap::new();
    for entry in table.named("exit_codes") {
        let problems = table.problems();
        let Some(code) = entry.key.parse::<i32>().ok().filter(|code| (0..=255).contains(code)) else {
            let message = format!("`{}` is not an exit code", entry.key);
            problems.report_with(
                entry.place,
                message,
                "write a number from 0 to 255, as in `{ 3 = \"retry\" }`",
            );
            continue;
        };
        let typed = entry.value.as_text().unwrap_or_default();
        match EXITS.iter().find(|(word, _)| *word == typed) {
            Some((_, exit)) => {
                codes.insert(code, *exit);
            }
            None => {
                let help = match nearest(typed, EXITS.iter().map(|(word, _)| *word)) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => "write `done`, `failed`, `retry`, `unknown` or `stop`".to_owned(),
                };
                let message =
                    format!("`{}.{code}` cannot be {}", table.name_of("exit_codes"), entry.value.content);
                problems.report_with(entry.value.place, message, help);
            }
        }
    }
    codes
}
