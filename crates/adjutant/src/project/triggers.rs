//! `[triggers.NAME]`: what begins runs without a person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant_agent::definition::document::{Place, Table};
use adjutant_agent::definition::template;
use adjutant_core::nearest;
use adjutant_tool::hook::Signing;

use crate::triggers::{Missed, Schedule};
use crate::versions::version_of;

use super::agents::Agents;
use super::secrets::SecretSource;
use super::server::secret;

/// How long back times are made up for where nothing is said.
const LONGEST_BACK: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys that one kind of trigger has, and the others have not.
const OF_ONE_KIND: [&str; 10] = [
    "cron",
    "time_zone",
    "missed",
    "longest_back",
    "folder",
    "pattern",
    "webhook",
    "secret",
    "signature",
    "key",
];

/// Those of them that belong to messages.
const OF_MESSAGES: [&str; 3] = ["secret", "signature", "key"];

/// What the template of a trigger may ask for.
const OF_CRON: [&str; 2] = ["time", "trigger"];
const OF_WEBHOOK: [&str; 5] = ["body", "key", "text", "time", "trigger"];
const OF_FOLDER: [&str; 6] = ["file", "name", "size", "text", "time", "trigger"];

/// What happens when a trigger comes to something while a run of it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It is passed over.
    Skip,
    /// It waits until that run is over.
    Queue,
    /// It is run beside it.
    Allow,
}

/// Where the occurrences of a trigger come from.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerSource {
    /// The times of a schedule.
    Cron {
        /// The schedule.
        schedule: Schedule,
        /// What becomes of times that were missed.
        missed: Missed,
        /// How long ago a time may be that is made up for.
        longest_back: Duration,
    },
    /// The files of a folder.
    Folder {
        /// The folder, absolute.
        folder: PathBuf,
        /// As it is written.
        shown: String,
        /// What the names of files must look like.
        pattern: String,
    },
    /// Messages from outside.
    Webhook {
        /// The last part of the address to which they come.
        path: String,
        /// The secret with which they are signed, by its name.
        secret: String,
        /// How they are signed.
        signing: Signing,
        /// By what a message is known that comes twice.
        key: MessageKey,
    },
}

/// By what a message from outside is known that comes twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageKey {
    /// A header, by its name in lower case.
    Header(String),
    /// A value in its body, by its JSON pointer.
    Body(String),
    /// All of its body.
    Content,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerSettings {
    /// The agent or workflow, with a version where one is named.
    pub run: String,
    /// Where that stands.
    pub place: Place,
    /// The template of what it is asked.
    pub input: String,
    /// The conversation that its runs are turns of.
    pub session: Option<String>,
    /// Where its occurrences come from.
    pub source: TriggerSource,
    /// What happens while a run of it is under way.
    pub overlap: Overlap,
    /// Whether it is on.
    pub enabled: bool,
}

/// Reads `[triggers]`. What is wrong is noted and left out.
pub(super) fn read(
    root: &Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
) -> BTreeMap<String, TriggerSettings> {
    let entries = root.named("triggers").iter();
    let read = entries.filter_map(|entry| {
        let path = root.name_of(&format!("triggers.{}", entry.key));
        if let Err(error) = adjutant_agent::definition::check_name(&entry.key) {
            let help = error.help().unwrap_or_default();
            root.problems().report_with(
                entry.place,
                format!("`{}` cannot be the name of a trigger", entry.key),
                help,
            );
        }
        let table = Table::new(&entry.value, path, root.problems())?;
        Some((entry.key.clone(), trigger(table, folder, secrets)?))
    });
    let read: BTreeMap<String, TriggerSettings> = read.collect();
    same_paths(root, &read);
    read
}

/// Notes triggers to which the same messages would come.
fn same_paths(root: &Table<'_>, triggers: &BTreeMap<String, TriggerSettings>) {
    let mut paths: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, trigger) in triggers {
        let TriggerSource::Webhook { path, .. } = &trigger.source else { continue };
        if let Some(other) = paths.insert(path, name) {
            let message = format!("the triggers `{other}` and `{name}` have the same `webhook`");
            root.problems().report_with(trigger.place, message, "give one of them another");
        }
    }
}

fn trigger(
    table: Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
) -> Option<TriggerSettings> {
    table.require("run", "name the agent or workflow that it runs");
    table.require("input", "say what it is asked, such as \"It is {{ time }}.\"");
    let place = table.value("run").map_or(table.place(), |node| node.place);
    let run = table.text("run").map(str::to_owned);
    let input = table.text("input").map(str::to_owned);
    let session = table.text("session").map(str::to_owned);
    let enabled = table.flag("enabled").unwrap_or(true);
    let words = [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("allow", Overlap::Allow)];
    let overlap = table.choice("overlap", &words);
    let source = match (table.has("cron"), table.has("folder"), table.has("webhook")) {
        (true, false, false) => cron(&table),
        (false, true, false) => watched(&table, folder),
        (false, false, true) => webhook(&table, overlap, secrets),
        _ => {
            let help = "write `cron = \"0 9 * * 1-5\"`, `folder = \"inbox\"` or `webhook = \"tickets\"`";
            table.problems().report_with(
                table.place(),
                format!("`{}` needs one of `cron`, `folder` and `webhook`", table.path()),
                help,
            );
            None
        }
    };
    let usual = match (table.has("folder"), table.has("webhook")) {
        (true, _) => Overlap::Queue,
        (_, true) => Overlap::Allow,
        _ => Overlap::Skip,
    };
    if let (Some(input), true) = (&input, source.is_some()) {
        check_template(&table, input);
    }
    // Each kind has its own keys, and the other's are known as well, to be told apart from mistyped ones.
    for key in OF_ONE_KIND {
        table.entry(key);
    }
    table.finish();
    Some(TriggerSettings {
        run: run?,
        place,
        input: input?,
        session,
        source: source?,
        overlap: overlap.unwrap_or(usual),
        enabled,
    })
}

fn cron(table: &Table<'_>) -> Option<TriggerSource> {
    let zone = table.text("time_zone").unwrap_or("UTC");
    let words = [("skip", Missed::Skip), ("last", Missed::Last), ("all", Missed::All)];
    let missed = table.choice("missed", &words).unwrap_or_default();
    let longest_back = table.duration("longest_back").unwrap_or(LONGEST_BACK);
    refuse(table, &["pattern"], "it belongs to `folder`");
    refuse(table, &OF_MESSAGES, "it belongs to `webhook`");
    let expression = table.text("cron")?;
    match Schedule::read(expression, zone) {
        Ok(schedule) => Some(TriggerSource::Cron { schedule, missed, longest_back }),
        Err(why) => {
            let is_zone = why.contains("time zone");
            let key = if is_zone { table.value("time_zone") } else { table.value("cron") };
            let place = key.map_or(table.place(), |node| node.place);
            table.problems().report(place, why);
            None
        }
    }
}

fn watched(table: &Table<'_>, folder: &Path) -> Option<TriggerSource> {
    refuse(
        table,
        &["time_zone", "missed", "longest_back"],
        "it belongs to `cron`; files wait where they are, and are missed by nobody",
    );
    refuse(table, &OF_MESSAGES, "it belongs to `webhook`");
    let shown = table.text("folder")?.trim_end_matches('/').to_owned();
    let pattern = table.text("pattern").unwrap_or("*").to_owned();
    Some(TriggerSource::Folder { folder: folder.join(&shown), shown, pattern })
}

fn webhook(
    table: &Table<'_>,
    overlap: Option<Overlap>,
    secrets: &BTreeMap<String, SecretSource>,
) -> Option<TriggerSource> {
    refuse(table, &["time_zone", "missed", "longest_back"], "it belongs to `cron`");
    refuse(table, &["pattern"], "it belongs to `folder`");
    table.require(
        "secret",
        "add `secret = \"name\"`, a name under `[secrets]`: a message that is not signed with it is refused",
    );
    if overlap == Some(Overlap::Queue) {
        let place = table.value("overlap").map_or(table.place(), |node| node.place);
        let help =
            "whoever sends it does not wait; give its runs a `session`, whose turns run one after the other";
        table.problems().report_with(place, "a message cannot wait for its run to begin", help);
    }
    let signing = table.choice("signature", &Signing::WORDS).unwrap_or_default();
    let key = match table.text("key") {
        None => {
            Some(signing.id_header().map_or(MessageKey::Content, |name| MessageKey::Header(name.to_owned())))
        }
        Some(text) => message_key(table, text),
    };
    let path = table.text("webhook")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_path = (1..=64).contains(&path.len()) && path.bytes().all(fits);
    if let (false, Some(node)) = (is_path, table.value("webhook")) {
        table.wrong(
            "webhook",
            node,
            "1 to 64 characters of a-z, A-Z, 0-9, - and _",
            "it is the last part of an address",
        );
    }
    let secret = secret(table, "secret", secrets)?;
    Some(TriggerSource::Webhook { path: path.to_owned(), secret, signing, key: key? })
}

fn message_key(table: &Table<'_>, text: &str) -> Option<MessageKey> {
    let key = match text.split_once(':') {
        Some(("header", name)) if !name.trim().is_empty() => {
            Some(MessageKey::Header(name.trim().to_ascii_lowercase()))
        }
        Some(("body", pointer)) if pointer.starts_with('/') => Some(MessageKey::Body(pointer.to_owned())),
        _ => None,
    };
    if let (None, Some(node)) = (&key, table.value("key")) {
        table.wrong("key", node, "`header:NAME` or `body:/POINTER`", "such as `body:/ticket/id`");
    }
    key
}

fn refuse(table: &Table<'_>, keys: &[&'static str], help: &str) {
    for key in keys.iter().filter(|key| table.has(key)) {
        let place = table.entry(key).map_or(table.place(), |entry| entry.place);
        table.problems().report_with(place, format!("`{}` has no meaning here", table.name_of(key)), help);
    }
}

/// Notes what the template asks for and is not given.
fn check_template(table: &Table<'_>, input: &str) {
    let known: &[&str] = match (table.has("folder"), table.has("webhook")) {
        (true, _) => &OF_FOLDER,
        (_, true) => &OF_WEBHOOK,
        _ => &OF_CRON,
    };
    let place = table.value("input").map_or(table.place(), |node| node.place);
    match template::variables(input) {
        Ok(variables) => {
            for variable in variables.iter().filter(|variable| !known.contains(&variable.name.as_str())) {
                let help = match nearest(&variable.name, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are `{}`", known.join("`, `")),
                };
                table.problems().report_with(
                    place,
                    format!("there is no `{}` in the input of a trigger", variable.name),
                    help,
                );
            }
        }
        Err(error) => table.problems().report(place, error.message()),
    }
}

/// Notes triggers that run an agent which the project does not have. What names a version may have been published.
pub(super) fn check(
    triggers: &BTreeMap<String, TriggerSettings>,
    agents: &Agents,
    problems: &adjutant_agent::definition::document::Problems,
) {
    let names: Vec<&str> = agents
        .all()
        .map(|agent| agent.name.as_str())
        .chain(agents.unread.iter().map(String::as_str))
        .collect();
    for trigger in triggers.values() {
        let (name, version) = version_of(&trigger.run);
        if version.is_none() && !names.contains(&name) {
            let help = match nearest(name, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write it: `agents/{name}.md`"),
            };
            problems.report_with(trigger.place, format!("there is no agent `{name}`"), help);
        }
    }
}
