//! `adjutant policy forbid`: the kill switch.

use std::io::Write;
use std::path::{Path, PathBuf};

use adjutant::policy::cedar::{File, Mode, Policies};
use adjutant::project::KILL_SWITCH;
use adjutant::{Adjutant, Project};
use adjutant_core::{Code, Error, Result, nearest};
use cedar_policy::{Effect, PolicySet};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::load;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::{Output, Table, clean, count};

/// The longest name of a forbid.
const LONGEST: usize = 64;

/// Forbids something from now on, also to runs that are under way: their next call is decided with it. It is written into a
/// file of its own in `policies`, and stays until `policy allow-again`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A forbid in Cedar.
    #[arg(value_name = "CEDAR", required_unless_present = "tool")]
    cedar: Option<String>,
    /// Forbid this tool, whatever it is called with, and whether the project knows it or not.
    #[arg(long, value_name = "TOOL", conflicts_with = "cedar")]
    tool: Option<String>,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What it is called; otherwise after the tool, or by number.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Lists what is forbidden by `policy forbid`.
#[derive(Args, Debug)]
pub(super) struct ListArguments {}

/// Takes back what `policy forbid` has forbidden.
#[derive(Args, Debug)]
pub(super) struct LiftArguments {
    /// What it is called.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    // Whoever is in a hurry to stop something has no time to mend the rest of the project first.
    let (project, faults) = crate::place::load_in_part(shared)?;
    let policy = &project.settings().policy;
    if let Ok(None) = project.policies() {
        // Where nothing is permitted yet, a forbid alone would forbid everything.
        load(None, shared)?;
    }
    let folder = folder(&project);
    let name = name(arguments, &folder)?;
    let file = format!("policies/{KILL_SWITCH}{name}.cedar");
    let text = checked(arguments, &name, &file, &project)?;
    write(&folder.join(format!("{KILL_SWITCH}{name}.cedar")), &text)?;
    if policy.mode == Mode::LogOnly && !policy.lockdown {
        output.talk(
            "warning: the policies of this project are only watched (`mode = \"log_only\"`), and so is this",
        );
    }
    if !faults.is_empty() {
        let faults = count(faults.len() as u64, "fault");
        output.talk(&format!(
            "warning: the project has {faults}, which `adjutant check` tells; this is forbidden all the same"
        ));
    }
    if let Some(tool) = arguments.tool.as_ref().filter(|tool| !project.policy_schema().has(tool)) {
        let schema = project.policy_schema();
        let meant = nearest(tool, schema.tools()).map(|near| format!("; did you mean `{near}`?"));
        output.talk(&format!(
            "warning: the project knows no tool `{tool}` as it is now; it is forbidden all the same{}",
            meant.unwrap_or_default()
        ));
    }
    record(project, "policy.forbidden", &name, json!({ "tool": arguments.tool }), output).await;
    if output.json {
        output.json(&json!({ "forbidden": name, "file": file }))?;
    } else {
        output.line(&format!("forbidden: {name} ({file})"))?;
        output.talk(&format!("hint: take it back with `adjutant policy allow-again {name}`"));
    }
    Ok(Exit::Success)
}

pub(super) fn list(_: &ListArguments, shared: &Shared, output: Output) -> Ended {
    // Whoever looks what is stopped may do so because the project is broken.
    let (project, _) = crate::place::load_in_part(shared)?;
    let found = switches(&folder(&project))?;
    if output.json {
        output.json(&found)?;
        return Ok(Exit::Success);
    }
    if found.is_empty() {
        output.talk("nothing is forbidden by `adjutant policy forbid`");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["name", "reason", "policy"]);
    for Switch { name, reason, text } in &found {
        let line: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with('@')).map(str::trim).collect();
        table.row([name, reason, &line.join(" ")]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

pub(super) async fn lift(arguments: &LiftArguments, shared: &Shared, output: Output) -> Ended {
    // A file that cannot be read forbids everything; taking it back must be possible all the same.
    let (project, _) = crate::place::load_in_part(shared)?;
    let name = arguments.name.as_str();
    plain(name)?;
    let path = folder(&project).join(format!("{KILL_SWITCH}{name}.cedar"));
    std::fs::remove_file(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(Code::NotFound, format!("nothing that is forbidden is called `{name}`"))
                .with_help("`adjutant policy forbids` lists what is")
        }
        _ => Error::new(Code::FileUnreadable, format!("`{}` cannot be removed", path.display()))
            .caused_by(&error),
    })?;
    record(project, "policy.allowed", name, Value::Null, output).await;
    output.line(&format!("allowed again, as far as the other policies permit it: {}", clean(name)))?;
    Ok(Exit::Success)
}

/// Adds it to the audit log. What is forbidden is so whether or not the store is there to record it.
async fn record(project: Project, what: &str, name: &str, details: Value, output: Output) {
    if !project.settings().store.exists() {
        return;
    }
    let by = person::named(None);
    let recorded = async { Adjutant::of(project)?.audit().record(&by, what, name, details).await };
    if let Err(error) = recorded.await {
        output.talk(&format!("warning: it is not in the audit log: {}", clean(error.message())));
    }
}

fn folder(project: &Project) -> PathBuf {
    project.folder().join("policies")
}

/// One thing that is forbidden.
#[derive(Serialize)]
struct Switch {
    name: String,
    reason: String,
    text: String,
}

/// What is forbidden in a folder, in the order of the names. Of a file that cannot be read as policies it says so: it forbids
/// everything.
fn switches(folder: &Path) -> Result<Vec<Switch>> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be read", path.display())).caused_by(error)
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| unreadable(folder, &error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(name) = file.strip_prefix(KILL_SWITCH).and_then(|name| name.strip_suffix(".cedar")) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let switch =
            |reason: &str, text: String| Switch { name: name.to_owned(), reason: reason.to_owned(), text };
        match text.parse::<PolicySet>() {
            Ok(set) => {
                let mut policies: Vec<_> =
                    set.policies().map(|policy| (policy.to_string(), policy)).collect();
                policies.sort_by_key(|(written, _)| text.find(written));
                found.extend(policies.into_iter().map(|(written, policy)| {
                    switch(policy.annotation("reason").unwrap_or_default(), written)
                }));
            }
            Err(_) => found.push(switch("it is no policy, so everything is forbidden", text.clone())),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The text of the file, checked: what is not valid would forbid everything.
fn checked(arguments: &Arguments, name: &str, file: &str, project: &Project) -> Ended<String> {
    let text = match (&arguments.tool, &arguments.cedar) {
        // It stays in force when the tool is taken out of the project, and holds for one that comes under that name.
        (Some(tool), _) => {
            let tool = quoted(tool);
            let policy = format!("@unknown({tool})\nforbid (principal, action == Action::{tool}, resource);");
            annotated(arguments, name, &policy)
        }
        (None, cedar) => {
            let cedar = cedar.as_deref().unwrap_or_default().trim();
            match is_annotated(cedar)? {
                true => headed(name, cedar),
                false => annotated(arguments, name, cedar),
            }
        }
    };
    check(&File { name: file.to_owned(), text: text.clone() }, project)?;
    Ok(text)
}

/// A policy with its name and its reason, as a file.
fn annotated(arguments: &Arguments, name: &str, policy: &str) -> String {
    let reason = arguments.reason.as_deref().unwrap_or("forbidden by an operator");
    let (id, reason) = (quoted(&format!("{KILL_SWITCH}{name}")), quoted(reason));
    headed(name, &format!("@id({id})\n@reason({reason})\n{policy}"))
}

fn headed(name: &str, policies: &str) -> String {
    format!(
        "// Forbidden by `adjutant policy forbid`; `adjutant policy allow-again {name}` takes it back.\n{policies}\n"
    )
}

/// Whether a text has names for its policies itself. It may hold forbids only: a kill switch allows nothing.
fn is_annotated(text: &str) -> Result<bool> {
    let set: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| {
        Error::new(Code::InputInvalid, format!("this is no policy in Cedar: {error}")).with_help(
            "write `forbid (principal, action == Action::\"refund\", resource);`, or `--tool refund`",
        )
    })?;
    if set.is_empty() || set.policies().any(|policy| policy.effect() != Effect::Forbid) {
        return Err(Error::new(Code::InputInvalid, "this does not forbid, or not only").with_help(
            "only a `forbid` can be put in force at once; what permits belongs into a file of `policies`",
        ));
    }
    let named = set.policies().filter(|policy| policy.annotation("id").is_some()).count();
    match (named, set.policies().count()) {
        (0, 1) => Ok(false),
        (named, all) if named == all => Ok(true),
        _ => Err(Error::new(Code::InputInvalid, "some of these policies have no name")
            .with_help("give each one `@id(\"name\")`, or write one policy alone")),
    }
}

/// Checks the new file together with the ones that are there; alone where those cannot be read.
fn check(file: &File, project: &Project) -> Result<(), Vec<Error>> {
    let (files, mode, schema) = match project.policies() {
        Ok(Some(now)) => {
            let pinned = now.pinned();
            (pinned.files, pinned.mode, pinned.schema)
        }
        _ => (Vec::new(), Mode::Enforce, project.policy_schema()),
    };
    let files: Vec<File> = files.into_iter().chain([file.clone()]).collect();
    match Policies::parse(&files, mode, &schema) {
        Ok(_) => Ok(()),
        Err(problems) => Err(problems.into_iter().map(Error::from).collect()),
    }
}

fn name(arguments: &Arguments, folder: &Path) -> Result<String> {
    let free = |name: &str| !folder.join(format!("{KILL_SWITCH}{name}.cedar")).exists();
    let of_tool = || arguments.tool.as_deref().map(file_of);
    if let Some(name) = arguments.name.clone().or_else(of_tool) {
        plain(&name)?;
        return match free(&name) {
            true => Ok(name),
            false => Err(Error::new(Code::Conflict, format!("`{name}` is forbidden already"))
                .with_help("`adjutant policy forbids` lists what is; give it another name with `--name`")),
        };
    }
    let mut names = (1_u32..).map(|number| number.to_string());
    names.find(|name| free(name)).ok_or_else(|| Error::new(Code::Internal, "there are too many forbids"))
}

/// The name of a forbid after a tool, which may have letters that no file should.
fn file_of(tool: &str) -> String {
    tool.chars().map(|c| if is_plain(c) { c } else { '-' }).take(LONGEST).collect()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-".contains(c)
}

/// Refuses a name that could lead out of the folder.
fn plain(name: &str) -> Result<()> {
    if !name.is_empty() && name.len() <= LONGEST && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::new(Code::InputInvalid, format!("`{name}` cannot be the name of a forbid"))
        .with_help("use letters, digits, `-` and `_`"))
}

fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

/// Writes a file such that whoever reads the folder meanwhile sees all of it or nothing.
fn write(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("cedar.new");
    let written = || -> std::io::Result<()> {
        // A locked project may have none yet.
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    written().map_err(|error| {
        // What is half written stands beside, where nobody reads it.
        let _ = std::fs::remove_file(&beside);
        Error::new(Code::FileUnreadable, format!("`{}` cannot be written", path.display())).caused_by(&error)
    })
}
