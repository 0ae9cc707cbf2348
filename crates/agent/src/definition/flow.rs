//! What a project or an agent says of what its tools do with information.

use adjutant_core::tool::{Flow, Role, ToolSpec};
use adjutant_core::{Code, Error, nearest};
use serde_json::Value;

use super::document::{Entry, Table};
use super::source::Named;

/// The words for the roles of arguments.
const ROLES: [(&str, Role); 5] = [
    ("recipient", Role::Recipient),
    ("target", Role::Target),
    ("content", Role::Content),
    ("amount", Role::Amount),
    ("option", Role::Option),
];

/// Reads the table of a tool: `source`, `trusted`, `readers`, `issued`, `egress` and `arguments`.
pub fn read(table: Table<'_>) -> Flow {
    let flow = keys(&table);
    table.finish();
    flow
}

/// Reads the keys of a tool out of a table that has others as well.
pub fn keys(table: &Table<'_>) -> Flow {
    let texts = |key| {
        let texts = table.texts(key)?;
        Some(texts.into_iter().map(|(text, _)| text.to_owned()))
    };
    let roles = table.named("arguments").iter().filter_map(|entry| role(table, entry));
    Flow {
        source: table.text("source").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
        trusted: table.flag("trusted"),
        readers: texts("readers").map(Iterator::collect),
        issued: texts("issued").map(Iterator::collect).unwrap_or_default(),
        egress: table.flag("egress"),
        arguments: roles.collect(),
    }
}

/// Reads what is said of several tools, by their names.
pub(super) fn of_tools(table: &Table<'_>, key: &'static str) -> Vec<(Named, Flow)> {
    let path = table.name_of(key);
    let tools = table.named(key).iter().filter_map(|entry| {
        let inner = Table::new(&entry.value, format!("{path}.{}", entry.key), table.problems())?;
        Some((Named { name: entry.key.clone(), place: Some(entry.place) }, read(inner)))
    });
    tools.collect()
}

fn role(table: &Table<'_>, entry: &Entry) -> Option<(String, Role)> {
    let word = entry.value.as_text().unwrap_or_default();
    let found = ROLES.iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let path = format!("{}.{}", table.name_of("arguments"), entry.key);
        let names = ROLES.map(|(name, _)| name);
        let all = names.map(|name| format!("`{name}`")).join(", ");
        let help = match nearest(word, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "it says what the argument is for".to_owned(),
        };
        let message = format!("`{path}` must be one of {all}");
        table.problems().report_with(entry.value.place, message, help);
    }
    found.map(|(_, role)| (entry.key.clone(), *role))
}

/// Adds what is said to what some tools say of themselves. Fails with [`Code::ProjectInvalid`] where none of them has an
/// argument that is named.
pub fn apply<'a>(flow: &Flow, specs: impl IntoIterator<Item = &'a mut ToolSpec>) -> Result<(), Error> {
    let mut known: Vec<String> = Vec::new();
    for spec in specs {
        known.extend(arguments(spec).map(str::to_owned));
        let own = std::mem::take(&mut spec.flow);
        spec.flow = over(own, flow);
        // Of what is said of a whole set, each tool takes what it has.
        let names: Vec<_> = arguments(spec).map(str::to_owned).collect();
        spec.flow.arguments.retain(|pointer, _| names.iter().any(|name| *name == first(pointer)));
    }
    let Some(unknown) =
        flow.arguments.keys().map(|pointer| first(pointer)).find(|name| !known.contains(name))
    else {
        return Ok(());
    };
    let error = Error::new(Code::ProjectInvalid, format!("there is no argument `{unknown}`"));
    Err(match nearest(&unknown, known.iter().map(String::as_str)) {
        Some(name) => error.with_help(format!("did you mean `{name}`?")),
        None => error.with_help(format!("the arguments are {}", known.join(", "))),
    })
}

/// What is said, over what was said before.
fn over(own: Flow, said: &Flow) -> Flow {
    let mut arguments = own.arguments;
    arguments.extend(said.arguments.clone());
    Flow {
        source: said.source.clone().or(own.source),
        trusted: said.trusted.or(own.trusted),
        readers: said.readers.clone().or(own.readers),
        issued: if said.issued.is_empty() { own.issued } else { said.issued.clone() },
        egress: said.egress.or(own.egress),
        arguments,
    }
}

/// The argument that a name or a pointer begins with.
fn first(pointer: &str) -> String {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    pointer.split('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

fn arguments(spec: &ToolSpec) -> impl Iterator<Item = &str> {
    let properties = spec.parameters.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str))
}
