//! `[tools]` of `adjutant.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_agent::definition::document::{Entry, Place, Table};
use adjutant_agent::definition::flow;
use adjutant_core::tool::Flow;
use adjutant_tool::builtin::script::{self, Language};
use adjutant_tool::builtin::{database, fetch};
use adjutant_tool::sandbox::{self, Isolation};
use adjutant_tool::vault::Vault;
use adjutant_tool::{command, mcp, openapi};

use super::{
    command as command_tool, mcp as mcp_server, openapi as openapi_document, parameters,
    sandbox as own_sandbox,
};
use crate::project::secrets::SecretSource;

/// One table under `[tools]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSettings {
    /// Where the table stands.
    pub place: Place,
    /// What kind of tool it is.
    pub kind: ToolKind,
    /// What stands before the names of the tools of a set.
    pub prefix: Option<String>,
    /// What models read of the set besides what its tools say of themselves.
    pub description: Option<String>,
    /// What the project says of what its tools do with information.
    pub flow: FlowSettings,
}

/// What the project says of what the tools under one name do with information.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowSettings {
    /// Of all of them.
    pub all: Flow,
    /// Of single ones, by their names as agents see them.
    pub tools: Vec<(String, Flow)>,
}

/// What kind of tool it is.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// Files under a folder.
    Files {
        /// The folder.
        root: PathBuf,
        /// Whether files may be written and changed.
        write: bool,
        /// Whether all tenants have the same folder, though they may write to it.
        shared: bool,
    },
    /// Pages of the web.
    Fetch(fetch::Config),
    /// SQL on a SQLite file, which is only read.
    Database(database::Config),
    /// One query with parameters on a SQLite file, which is only read.
    Lookup(database::Lookup),
    /// The time.
    Time {
        /// The time zone (IANA) where the model names none.
        zone: String,
    },
    /// Exact arithmetic.
    Calculator,
    /// The files of the conversation.
    Artifacts,
    /// A program.
    Command(Box<command::Config>),
    /// Scripts that the model writes.
    Script(Box<script::Config>),
    /// What a server of the Model Context Protocol offers.
    Mcp(Box<mcp::Config>),
    /// The operations of an OpenAPI document.
    OpenApi(Box<openapi::Config>),
}

impl ToolKind {
    /// The words for `type`.
    pub const NAMES: [&'static str; 12] = [
        "files",
        "fetch",
        "database",
        "lookup",
        "time",
        "calculator",
        "artifacts",
        "command",
        "shell",
        "python",
        "mcp",
        "openapi",
    ];
}

/// Reads `[tools]`. What is wrong is noted and left out; paths are relative to `folder`.
pub(in crate::project) fn read(
    root: &Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
    sandbox: &sandbox::Config,
    vault: &Vault,
) -> BTreeMap<String, ToolSettings> {
    let mut tools = BTreeMap::new();
    for entry in root.named("tools") {
        let is_name = !entry.key.is_empty()
            && entry.key.len() <= 64
            && entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_name {
            root.problems().report_with(
                entry.place,
                format!("`{}` cannot be the name of a tool", entry.key),
                "use 1 to 64 letters, digits, - and _",
            );
        }
        if let Some(settings) = read_tool(root, entry, folder, secrets, sandbox, vault) {
            tools.insert(entry.key.clone(), settings);
        }
    }
    tools
}

fn read_tool(
    root: &Table<'_>,
    entry: &Entry,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
    sandbox: &sandbox::Config,
    vault: &Vault,
) -> Option<ToolSettings> {
    let table = Table::new(&entry.value, format!("tools.{}", entry.key), root.problems())?;
    table.require("type", "add `type = \"files\"`, or another of `fetch`, `database`, `lookup`, `time`, `calculator`, `artifacts`, `command`, `shell`, `python`, `mcp`, `openapi`");
    // Without the type nothing is known of the other keys.
    let kind = table.choice("type", &ToolKind::NAMES.map(|name| (name, name)))?;
    let flow = read_flow(&table);
    let (kind, is_set) = match kind {
        "files" => (read_files(&table, folder), true),
        "fetch" => (read_fetch(&table), true),
        "database" => (read_database(&table, folder), true),
        "lookup" => (read_lookup(&entry.key, &table, folder), false),
        "time" => (Some(ToolKind::Time { zone: table.text("zone").unwrap_or("UTC").to_owned() }), true),
        "calculator" => (Some(ToolKind::Calculator), true),
        "artifacts" => (Some(ToolKind::Artifacts), true),
        "openapi" => {
            let config = openapi_document::read(&entry.key, &table, folder, secrets, &sandbox.work);
            (config.map(|config| ToolKind::OpenApi(Box::new(config))), true)
        }
        // It reads its prefix itself: its tools have one in any case.
        "mcp" => {
            let config = mcp_server::read(&entry.key, &table, folder, secrets, vault, sandbox);
            let description = table.text("description").map(str::to_owned);
            table.finish();
            let kind = ToolKind::Mcp(Box::new(config?));
            return Some(ToolSettings { place: entry.place, kind, prefix: None, description, flow });
        }
        "shell" | "python" => {
            let language = if kind == "shell" { Language::Shell } else { Language::Python };
            let config = own_sandbox::read_script(&entry.key, language, &table, folder, sandbox);
            (config.map(|config| ToolKind::Script(Box::new(config))), false)
        }
        _ => (read_command(&entry.key, &table, folder, secrets, sandbox), false),
    };
    let prefix = if is_set { table.text("prefix").map(str::to_owned) } else { None };
    let description = if is_set { table.text("description").map(str::to_owned) } else { None };
    table.finish();
    kind.map(|kind| ToolSettings { place: entry.place, kind, prefix, description, flow })
}

fn read_flow(table: &Table<'_>) -> FlowSettings {
    let Some(table) = table.table("flow") else { return FlowSettings::default() };
    let path = table.name_of("tools");
    let tools = table.named("tools").iter().filter_map(|entry| {
        let inner = Table::new(&entry.value, format!("{path}.{}", entry.key), table.problems())?;
        Some((entry.key.clone(), flow::read(inner)))
    });
    let settings = FlowSettings { tools: tools.collect(), all: flow::keys(&table) };
    table.finish();
    settings
}

fn read_files(table: &Table<'_>, folder: &Path) -> Option<ToolKind> {
    table.require("root", "add `root = \"folder\"`: the tools see nothing outside it");
    let root = table.text("root").map(|root| folder.join(root));
    let write = table.flag("write").unwrap_or(false);
    let shared = table.flag("shared").unwrap_or(false);
    Some(ToolKind::Files { root: root?, write, shared })
}

fn read_fetch(table: &Table<'_>) -> Option<ToolKind> {
    table.require("hosts", "add `hosts = [\"example.com\"]`: no other host is asked");
    let hosts =
        table.texts("hosts").map(|hosts| hosts.into_iter().map(|(host, _)| host.to_owned()).collect());
    let mut config = fetch::Config::new(hosts.clone().unwrap_or_default());
    config.bytes = table.integer("bytes", 1_000..=100_000_000).unwrap_or(config.bytes);
    config.characters = table.integer("characters", 1_000..=10_000_000).unwrap_or(config.characters);
    config.redirects = table.integer("redirects", 0..=20).unwrap_or(config.redirects);
    config.timeout = table.duration("timeout").unwrap_or(config.timeout);
    config.loopback = table.flag("loopback").unwrap_or(config.loopback);
    hosts.map(|_| ToolKind::Fetch(config))
}

fn read_database(table: &Table<'_>, folder: &Path) -> Option<ToolKind> {
    database_config(table, folder).map(ToolKind::Database)
}

fn database_config(table: &Table<'_>, folder: &Path) -> Option<database::Config> {
    table.require("path", "add `path = \"orders.db\"`: a SQLite file, which is only read");
    let path = table.text("path").map(|path| folder.join(path));
    let mut config = database::Config::new(path.clone().unwrap_or_default());
    config.rows = table.integer("rows", 1..=100_000).unwrap_or(config.rows);
    config.bytes = table.integer("bytes", 100..=16 << 20).unwrap_or(config.bytes);
    config.timeout = table.duration("timeout").unwrap_or(config.timeout);
    path.map(|_| config)
}

fn read_lookup(name: &str, table: &Table<'_>, folder: &Path) -> Option<ToolKind> {
    table.require("query", "add `query = \"SELECT ... WHERE number = :number\"`");
    table.require("description", "say what is looked up: models choose tools by it");
    let database = database_config(table, folder);
    let sql = table.text("query").map(str::to_owned);
    let description = table.text("description").map(|text| text.trim().to_owned());
    let parameters = parameters::read(table);
    Some(ToolKind::Lookup(database::Lookup {
        name: name.to_owned(),
        description: description?,
        database: database?,
        sql: sql?,
        parameters: parameters?,
    }))
}

fn read_command(
    name: &str,
    table: &Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
    sandbox: &sandbox::Config,
) -> Option<ToolKind> {
    // The program is the project's own, so it is trusted as the project is where nothing is said.
    let sandbox = own_sandbox::of_tool(table, folder, sandbox);
    let mut config = command_tool::read(name, table, folder)?;
    config.sandbox = sandbox.filter(|sandbox| sandbox.isolation == Isolation::Sandbox);
    for (variable, value) in &config.environment {
        if let command::Variable::Secret(secret) = value
            && !secrets.contains_key(secret)
        {
            let place = table.value("env").map_or(table.place(), |node| node.place);
            table.problems().report_with(
                place,
                format!(
                    "`{}.{variable}` names the secret `{secret}`, which is not there",
                    table.name_of("env")
                ),
                format!("add it: `[secrets]` and `{secret} = {{ env = \"NAME\" }}`"),
            );
        }
    }
    Some(ToolKind::Command(Box::new(config)))
}
