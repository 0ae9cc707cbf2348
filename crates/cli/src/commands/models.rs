//! `adjutant models`: which model stands behind each role.

use std::path::PathBuf;

use adjutant::project::{Choice, Key};
use clap::Args;
use serde_json::{Value, json};

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table};

/// Lists the roles that agents name, and the model behind each.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

pub(crate) fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(arguments.place.as_deref(), shared)?;
    let choices = project.models().roles().into_iter().collect::<adjutant_core::Result<Vec<Choice>>>()?;
    if output.json {
        output.json(&choices.iter().map(as_json).collect::<Vec<Value>>())?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["role", "model", "server", "key", "decided by"]);
    for choice in &choices {
        let server = choice.base_url.as_deref().unwrap_or("built in");
        table.row([&choice.name, &choice.id, server, &key(&choice.key), &choice.origin.to_string()]);
    }
    output.data(&table.render(output.data_colored))?;
    choices.iter().filter_map(Choice::notice).for_each(|notice| output.talk(&format!("\nnote: {notice}")));
    Ok(Exit::Success)
}

/// Whether there is a key, in words.
pub(crate) fn key(key: &Key) -> String {
    match key {
        Key::None => "none needed".to_owned(),
        Key::Found(source) => format!("found in {source}"),
        Key::Missing(source, _) => format!("missing: {source}"),
    }
}

/// A choice as JSON; never with the key itself.
pub(crate) fn as_json(choice: &Choice) -> Value {
    json!({
        "role": choice.name,
        "model": choice.id,
        "provider": choice.provider,
        "base_url": choice.base_url,
        "key": match choice.key {
            Key::None => "none",
            Key::Found(_) => "found",
            Key::Missing(..) => "missing",
        },
        "origin": choice.origin.to_string(),
    })
}
