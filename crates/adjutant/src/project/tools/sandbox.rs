//! `[sandbox]`, `sandbox` of a tool, and the tools that run what the model writes.

use std::path::{Path, PathBuf};

use adjutant_agent::definition::document::{Content, Table};
use adjutant_tool::builtin::script::{Config as Script, Language};
use adjutant_tool::sandbox::{Config, Isolation, Limits, host_is_valid};

use super::command::EFFECTS;

/// The words for a sandbox that needs no table.
const WORDS: [(&str, Isolation); 2] = [("on", Isolation::Sandbox), ("unsafe", Isolation::Unsafe)];

/// What holds where nothing is written. What the project keeps for itself stays out of sight.
pub(in crate::project) fn default_in(folder: &Path, store: &Path) -> Config {
    let own = folder.join(".adjutant");
    let mut config = Config::new(own.join("work"));
    let beside = ["-wal", "-shm"].map(|end| {
        let mut name = store.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    config.hidden = [own, folder.join(".env"), store.to_owned()].into_iter().chain(beside).collect();
    config
}

/// Reads `[sandbox]`: what holds for all tools that do not say otherwise.
pub(in crate::project) fn read_defaults(root: &Table<'_>, folder: &Path, store: &Path) -> Config {
    let mut config = default_in(folder, store);
    if let Some(table) = root.table("sandbox") {
        config.work = table.text("work").map_or(config.work, |path| folder.join(path));
        config.cgroup = table.text("cgroup").map(PathBuf::from);
        read_table(table, folder, &mut config);
    }
    config
}

/// Reads `sandbox` of a tool; none where it is not written.
pub(super) fn of_tool(table: &Table<'_>, folder: &Path, defaults: &Config) -> Option<Config> {
    let node = table.value("sandbox")?;
    let mut config = defaults.clone();
    match &node.content {
        Content::Text(_) => config.isolation = table.choice("sandbox", &WORDS)?,
        Content::Table(_) => {
            let inner = Table::new(node, table.name_of("sandbox"), table.problems())?;
            read_table(inner, folder, &mut config);
        }
        _ => {
            table.wrong(
                "sandbox",
                node,
                "`\"on\"`, `\"unsafe\"` or a table",
                "write `sandbox = \"on\"`, or what differs from `[sandbox]`: `{ read = [\"data\"] }`",
            );
            return None;
        }
    }
    Some(config)
}

fn read_table(table: Table<'_>, folder: &Path, config: &mut Config) {
    let paths = |key| {
        let texts = table.texts(key)?;
        Some(texts.into_iter().map(|(path, _)| folder.join(path)).collect::<Vec<_>>())
    };
    config.read = paths("read").unwrap_or_else(|| config.read.clone());
    config.write = paths("write").unwrap_or_else(|| config.write.clone());
    if let Some(hosts) = table.texts("hosts") {
        config.hosts = hosts.iter().map(|(host, _)| (*host).to_owned()).collect();
        for (host, place) in hosts {
            if let Err(error) = host_is_valid(host) {
                let message = format!("`{}`: {}", table.name_of("hosts"), error.message());
                table.problems().report_with(place, message, error.help().unwrap_or_default());
            }
        }
    }
    let before = config.limits;
    config.limits = Limits {
        memory: table.integer("memory", 16 << 20..=1 << 46).unwrap_or(before.memory),
        processes: table.integer("processes", 1..=100_000).unwrap_or(before.processes),
        open_files: table.integer("open_files", 16..=1_000_000).unwrap_or(before.open_files),
        file_bytes: table.integer("file_bytes", 0..=1 << 46).unwrap_or(before.file_bytes),
        folder_bytes: table.integer("folder_bytes", 0..=1 << 46).unwrap_or(before.folder_bytes),
        folder_files: table.integer("folder_files", 0..=10_000_000).unwrap_or(before.folder_files),
        network_bytes: table.integer("network_bytes", 0..=1 << 46).unwrap_or(before.network_bytes),
        cpu_percent: table.integer("cpu_percent", 1..=100_000).or(before.cpu_percent),
    };
    table.finish();
}

/// Reads the table of a tool that runs what the model writes.
pub(super) fn read_script(
    name: &str,
    language: Language,
    table: &Table<'_>,
    folder: &Path,
    defaults: &Config,
) -> Option<Script> {
    let sandbox = match table.has("sandbox") {
        true => of_tool(table, folder, defaults)?,
        false => defaults.clone(),
    };
    let mut config = Script::new(language, sandbox);
    config.name = name.to_owned();
    config.description = table.text("description").map(str::to_owned);
    // A script cannot be asked what came of it.
    let effects = EFFECTS.iter().filter(|(word, _)| *word != "reconcile");
    config.effect = table.choice("effect", &effects.copied().collect::<Vec<_>>()).unwrap_or(config.effect);
    config.timeout = table.duration("timeout").unwrap_or(config.timeout);
    config.output_limit = table.integer("output_limit", 1..=16 << 20).unwrap_or(config.output_limit);
    Some(config)
}
