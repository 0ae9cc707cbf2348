//! `adjutant config show`.

use adjutant::project::Effective;
use clap::Args;
use serde_json::Value;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table};

/// Shows every setting that holds, and which line of the file, which variable or which flag says so. What may be a secret is hidden.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only settings whose keys begin so, such as `server`.
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Those too that nobody sets and that have no default.
    #[arg(long)]
    all: bool,
}

pub(super) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let (project, errors) = place::load_in_part(shared)?;
    let begins = |setting: &&Effective| match arguments.key.as_deref() {
        Some(key) => {
            setting.key == key || setting.key.starts_with(&format!("{}.", key.trim_end_matches('.')))
        }
        None => true,
    };
    let settings = project.settings().effective().iter().filter(begins);
    let shown: Vec<&Effective> =
        settings.filter(|setting| arguments.all || output.json || setting.value.is_some()).collect();
    if output.json {
        output.json(&shown)?;
    } else {
        let mut table = Table::new(&["setting", "value", "from"]);
        for setting in shown {
            let value = setting.value.as_ref().map(text).unwrap_or_default();
            table.row([setting.key.as_str(), &value, setting.from.as_deref().unwrap_or("default")]);
        }
        output.data(&table.render(output.data_colored))?;
    }
    // What could not be read is shown as it was given, and holds all the same nowhere.
    if errors.is_empty() { Ok(Exit::Success) } else { Err(errors.into()) }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
