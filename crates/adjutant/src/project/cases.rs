//! Cases for policies: `policies/*.test.yaml`, what is asked and what must come of it.

use std::collections::BTreeSet;
use std::path::Path;

use adjutant_agent::definition::document::{Content, Entry, Node, Place, Problems, Table, parse_yaml};
use adjutant_core::label::{Label, Readers, Sources};
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_policy::cedar::{Policies, Schema, moment};
use adjutant_policy::facts::{Action, Evidence, Origin, Past, Principal, Request, Session, User};
use adjutant_policy::{Outcome, Verdict};
use adjutant_tool::Registry;
use serde_json::{Map, Value};

use super::file;
use super::policies::FOLDER;

/// How the names of such files end.
const ENDING: &str = ".test.yaml";
/// The largest file, in bytes.
const LARGEST: u64 = 1 << 20;
/// When a case happens that does not say it: 2026-01-15 12:00 UTC, a Thursday.
const NOON: Timestamp = Timestamp(1_768_478_400_000);

/// What is asked, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows, in words.
    pub name: String,
    /// Its file, as the person knows it.
    pub file: String,
    /// Where in the file it begins.
    pub place: Place,
    /// What is asked.
    pub request: Request,
    expected: Expected,
}

/// What must come of it.
#[derive(Clone, Debug)]
struct Expected {
    outcome: Outcome,
    /// These policies must have made it so.
    policies: Vec<String>,
    /// This must stand in the words for the operator or for the model.
    says: Option<String>,
}

impl Case {
    /// Decides the case. Fails with what came of it and what should have, at its line.
    pub fn check(&self, policies: &Policies) -> Result<Verdict> {
        let verdict = policies.decide(&self.request);
        let expected = &self.expected;
        let mut wrong = Vec::new();
        if verdict.outcome != expected.outcome {
            wrong.push(format!("expected {}, and it is {}", word(&expected.outcome), word(&verdict.outcome)));
        }
        let made: BTreeSet<&String> = verdict.policies.iter().collect();
        for policy in expected.policies.iter().filter(|policy| !made.contains(policy)) {
            let made: Vec<_> = made.iter().map(|policy| format!("`{policy}`")).collect();
            let made = if made.is_empty() { "none".to_owned() } else { made.join(", ") };
            wrong.push(format!("expected that `{policy}` makes it so, and it is {made}"));
        }
        let tell = verdict.tell.as_deref().unwrap_or_default();
        if let Some(says) = &expected.says
            && !verdict.reason.contains(says.as_str())
            && !tell.contains(says.as_str())
        {
            wrong.push(format!("expected that it says `{says}`"));
        }
        if wrong.is_empty() {
            return Ok(verdict);
        }
        let said = match tell {
            "" => verdict.reason.clone(),
            tell => format!("{} (the model is told: {tell})", verdict.reason),
        };
        Err(Error::new(Code::Conflict, format!("{}: {}", self.name, wrong.join("; ")))
            .with_help(format!("the decision was: {said}"))
            .at(&self.file, Some(self.place.line), Some(self.place.column)))
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Redact(kinds) => format!("redact [{}]", kinds.join(", ")),
        Outcome::Ask => "ask".to_owned(),
        Outcome::Deny => "deny".to_owned(),
    }
}

/// Reads the cases of the project in a folder, which the person knows as `shown`. Reports everything that is wrong with
/// them.
pub(super) fn read_all(
    folder: &Path,
    shown: &Path,
    policies: &Policies,
    tools: &Registry,
) -> Result<Vec<Case>, Vec<Error>> {
    let folder = folder.join(FOLDER);
    let unreadable = |error: &std::io::Error| {
        vec![
            Error::new(Code::FileUnreadable, format!("`{}` cannot be read", folder.display()))
                .caused_by(error),
        ]
    };
    let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unreadable(&error))?.file_name().to_string_lossy().into_owned();
        if name.ends_with(ENDING) {
            names.push(name);
        }
    }
    names.sort();
    let (mut cases, mut errors) = (Vec::new(), Vec::new());
    for name in names {
        let problems = Problems::new(shown.join(FOLDER).join(&name).to_string_lossy());
        match file::read(&folder.join(&name), LARGEST) {
            Ok(text) => cases.extend(read(&text, &problems, policies, tools)),
            Err(error) => errors.push(error),
        }
        errors.extend(problems.into_errors());
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

/// Reads the cases of one file. What is wrong is noted, and the case is left out.
fn read(text: &str, problems: &Problems, policies: &Policies, tools: &Registry) -> Vec<Case> {
    let Some(root) = parse_yaml(text, 0, problems) else { return Vec::new() };
    let Some(root) = Table::new(&root, "", problems) else { return Vec::new() };
    let nobody = Principal { tenant: "local".to_owned(), user: None, agents: Vec::new() };
    let common = read_principal(&root, &nobody, policies.schema(), problems);
    root.require("cases", "write `cases:` and a list under it");
    let cases = root.value("cases");
    let items = match cases.map(|node| &node.content) {
        Some(Content::List(items)) => items.as_slice(),
        Some(_) => {
            cases
                .into_iter()
                .for_each(|node| root.wrong("cases", node, "a list of cases", "begin each with `-`"));
            &[]
        }
        None => &[],
    };
    let reader = Reader { problems, policies, tools, common: &common };
    let cases = items.iter().filter_map(|item| reader.case(item)).collect();
    root.finish();
    cases
}

fn read_principal(table: &Table<'_>, common: &Principal, schema: &Schema, problems: &Problems) -> Principal {
    let mut principal = common.clone();
    let place = |key| table.value(key).map_or(table.place(), |node| node.place);
    let agents = table.texts("agents").or_else(|| Some(vec![(table.text("agent")?, place("agent"))]));
    if let Some(agents) = agents {
        for (agent, place) in &agents {
            note(problems, *place, schema.check_agent(agent));
        }
        principal.agents = agents.into_iter().map(|(agent, _)| agent.to_owned()).collect();
    }
    if let Some(tenant) = table.text("tenant") {
        principal.tenant = tenant.to_owned();
    }
    if let Some(user) = table.text("user") {
        principal.user = Some(User { id: user.to_owned(), claims: Map::new() });
    }
    let mut claims = Map::new();
    for entry in table.named("claims") {
        let value = entry.value.to_json();
        note(problems, entry.place, schema.check_claim(&entry.key, &value));
        claims.insert(entry.key.clone(), value);
    }
    if !claims.is_empty() {
        principal.user.get_or_insert_default().claims.extend(claims);
    }
    principal
}

/// Notes what a check says is wrong.
fn note(problems: &Problems, place: Place, checked: Result<()>) {
    if let Err(error) = checked {
        problems.report_with(place, error.message(), error.help().unwrap_or_default());
    }
}

struct Reader<'a> {
    problems: &'a Problems,
    policies: &'a Policies,
    tools: &'a Registry,
    common: &'a Principal,
}

impl Reader<'_> {
    fn case(&self, node: &Node) -> Option<Case> {
        let table = Table::new(node, "", self.problems)?;
        table.require("name", "say what the case shows");
        let name = table.text("name").unwrap_or_default().to_owned();
        let action = self.action(&table);
        let arguments = self.arguments(&table, action.as_ref());
        let mut principal = read_principal(&table, self.common, self.policies.schema(), self.problems);
        if principal.agents.is_empty() {
            principal.agents.push("agent".to_owned());
        }
        let now = self.now(&table);
        let mut request = Request {
            principal,
            action: action.clone().unwrap_or(Action::Answer),
            arguments,
            origins: Default::default(),
            label: self.run(&table),
            session: Session { calls: self.before(&table, now).into() },
            now,
            approved: table.flag("approved").unwrap_or(false),
            within_task: None,
        };
        self.origins(&table, &mut request);
        let expected = self.expected(&table);
        table.finish();
        let case = Case {
            name,
            file: self.problems.file().to_owned(),
            place: node.place,
            request,
            expected: expected?,
        };
        action.map(|_| case)
    }

    /// What is asked for: one key says it.
    fn action(&self, table: &Table<'_>) -> Option<Action> {
        let tool = table.text("tool").map(|name| Action::Tool(name.to_owned()));
        let model = table.text("model").map(|name| Action::Model(name.to_owned()));
        let asks = table.text("asks").map(|name| Action::Agent(name.to_owned()));
        let memory = table.text("remember").map(|name| Action::Remember(name.to_owned()));
        let answer = table.flag("answer").filter(|answer| *answer).map(|_| Action::Answer);
        let resource = table.table("resource").map(|resource| {
            let text = |key| resource.text(key).unwrap_or_default().to_owned();
            let action = Action::Resource { server: text("server"), uri: text("uri") };
            resource.finish();
            action
        });
        self.named_tool(table);
        let mut all: Vec<Action> =
            [tool, model, asks, memory, answer, resource].into_iter().flatten().collect();
        if all.len() != 1 {
            let help = "give one of `tool`, `answer: true`, `model`, `asks`, `resource` and `remember`";
            self.problems.report_with(table.place(), "a case asks for one thing", help);
        }
        all.pop()
    }

    /// Notes a tool that there is not.
    fn named_tool(&self, table: &Table<'_>) {
        let schema = self.policies.schema();
        let Some(name) = table.text("tool").filter(|name| !schema.has(name)) else { return };
        let place = table.value("tool").map_or(table.place(), |node| node.place);
        let message = format!("there is no tool `{name}`");
        match nearest(name, schema.tools()) {
            Some(near) => self.problems.report_with(place, message, format!("did you mean `{near}`?")),
            None => self.problems.report(place, message),
        }
    }

    /// The arguments of the call, as the tool would have them.
    fn arguments(&self, table: &Table<'_>, action: Option<&Action>) -> Map<String, Value> {
        let entries = table.named("arguments");
        let given: Map<_, _> =
            entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect();
        // A tool that there is not is reported where it is named.
        let Some(Action::Tool(tool)) = action else { return given };
        if self.tools.get(tool).is_none() {
            return given;
        }
        self.tools.fitting(tool, &given).unwrap_or_else(|error| {
            let place = table.value("arguments").map_or(table.place(), |node| node.place);
            self.problems.report_with(place, error.message(), error.help().unwrap_or_default());
            given
        })
    }

    /// When it happens.
    fn now(&self, table: &Table<'_>) -> Timestamp {
        let Some(text) = table.text("now") else { return NOON };
        moment(text).unwrap_or_else(|| {
            let place = table.value("now").map_or(table.place(), |node| node.place);
            self.problems.report_with(place, "`now` must be a moment", "write it as `2026-01-15T12:00:00Z`");
            NOON
        })
    }

    /// What the agent has read before.
    fn run(&self, table: &Table<'_>) -> Label {
        let Some(run) = table.table("run") else { return Label::default() };
        let mut label = Label::default();
        if let Some(sources) = run.texts("untrusted") {
            label = Label { sources: known(sources), ..Label::untrusted() };
        }
        if let Some(readers) = run.texts("readers") {
            label.readers = only(readers);
        }
        run.finish();
        label
    }

    /// Where the arguments came from: the words of the user, but for those that are named.
    fn origins(&self, table: &Table<'_>, request: &mut Request) {
        let words = |label| Origin { evidence: Evidence::Words, label };
        for name in request.arguments.keys() {
            request.origins.insert(pointer(name), words(Label::default()));
        }
        for entry in self.named_arguments(table, "untrusted", request) {
            let source = entry.value.as_text().unwrap_or("web:unknown");
            let label = Label::untrusted_from(source);
            request.origins.insert(pointer(&entry.key), Origin { evidence: Evidence::None, label });
        }
        for entry in self.named_arguments(table, "private", request) {
            let readers = match &entry.value.content {
                Content::List(items) => items.iter().filter_map(Node::as_text).map(str::to_owned).collect(),
                Content::Text(reader) => BTreeSet::from([reader.clone()]),
                _ => BTreeSet::new(),
            };
            let origin =
                request.origins.entry(pointer(&entry.key)).or_insert_with(|| words(Label::default()));
            origin.label.readers = Readers::Only(readers);
        }
    }

    /// The entries of a table whose keys are arguments; of a list, each argument with nothing.
    fn named_arguments(&self, table: &Table<'_>, key: &'static str, request: &Request) -> Vec<Entry> {
        let Some(node) = table.value(key) else { return Vec::new() };
        let entries = match &node.content {
            Content::Table(entries) => entries.clone(),
            Content::List(items) => {
                let named = |item: &Node| {
                    let value = Node { place: item.place, content: Content::Null };
                    Some(Entry { key: item.as_text()?.to_owned(), place: item.place, value })
                };
                items.iter().filter_map(named).collect()
            }
            _ => {
                table.wrong(key, node, "a list of arguments", "");
                Vec::new()
            }
        };
        for entry in &entries {
            if !leads_somewhere(&request.arguments, &pointer(&entry.key)) {
                let message = format!("`{}` is no argument of this case", entry.key);
                self.problems.report_with(entry.place, message, "name one that stands under `arguments`");
            }
        }
        entries
    }

    /// The calls that were made before, oldest first.
    fn before(&self, table: &Table<'_>, now: Timestamp) -> Vec<Past> {
        let Some(node) = table.value("before") else { return Vec::new() };
        let Content::List(items) = &node.content else {
            table.wrong("before", node, "a list of calls", "begin each with `- tool:`");
            return Vec::new();
        };
        let read = items.iter().filter_map(|item| {
            let call = Table::new(item, "before", self.problems)?;
            call.require("tool", "say which tool was called");
            self.named_tool(&call);
            let arguments =
                call.named("arguments").iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
            let past = Past {
                tool: call.text("tool").unwrap_or_default().to_owned(),
                at: now.minus(call.duration("ago").unwrap_or_default()),
                arguments: arguments.collect(),
                data: call.value("data").map(Node::to_json),
                failed: call.flag("failed").unwrap_or(false),
            };
            let times = call.integer("times", 1..=1000_usize).unwrap_or(1);
            call.finish();
            Some(std::iter::repeat_n(past, times))
        });
        let mut calls: Vec<Past> = read.flatten().collect();
        calls.sort_by_key(|call| call.at);
        calls
    }

    fn expected(&self, table: &Table<'_>) -> Option<Expected> {
        table.require("expect", "write `allow`, `redact`, `ask` or `deny`");
        let outcomes = [
            ("allow", Some(Outcome::Allow)),
            ("ask", Some(Outcome::Ask)),
            ("deny", Some(Outcome::Deny)),
            ("redact", None),
        ];
        let words: Vec<(&str, usize)> =
            outcomes.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
        let masked = table.texts("masked").map(|kinds| {
            let kinds: BTreeSet<String> = kinds.into_iter().map(|(kind, _)| kind.to_owned()).collect();
            kinds.into_iter().collect::<Vec<_>>()
        });
        let policies = match table.value("policy").map(|node| &node.content) {
            Some(Content::List(_)) => {
                table.texts("policy").unwrap_or_default().into_iter().map(|(id, _)| id.to_owned()).collect()
            }
            Some(_) => table.text("policy").into_iter().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let says = table.text("says").map(str::to_owned);
        let at = table.choice("expect", &words)?;
        let (_, outcome) = outcomes.into_iter().nth(at)?;
        let outcome = outcome.unwrap_or_else(|| Outcome::Redact(masked.unwrap_or_default()));
        Some(Expected { outcome, policies, says })
    }
}

/// Whether a JSON pointer leads to an argument or to something within one.
fn leads_somewhere(arguments: &Map<String, Value>, pointer: &str) -> bool {
    let plain = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let (first, rest) = match pointer.trim_start_matches('/').split_once('/') {
        Some((first, rest)) => (first, format!("/{rest}")),
        None => (pointer.trim_start_matches('/'), String::new()),
    };
    arguments.get(&plain(first)).is_some_and(|argument| argument.pointer(&rest).is_some())
}

fn pointer(name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/{}", name.replace('~', "~0").replace('/', "~1"))
    }
}

fn known(sources: Vec<(&str, Place)>) -> Sources {
    Sources::Known(sources.into_iter().map(|(source, _)| source.to_owned()).collect())
}

fn only(readers: Vec<(&str, Place)>) -> Readers {
    Readers::Only(readers.into_iter().map(|(reader, _)| reader.to_owned()).collect())
}
