//! Lookups: a query that a person wrote, as a tool of its own.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use rusqlite::Statement;
use rusqlite::types::Value as Field;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Config, connection, rows};
use crate::builtin::blocking::{blocking, stopped};
use crate::context::deadline_after;
use crate::{Effect, Failure, FunctionTool, Output, Tool};

/// A query as a tool: `order(number)` for `SELECT * FROM orders WHERE number = :number`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// What models call it.
    pub name: String,
    /// What it finds, for the model.
    pub description: String,
    /// The file and the limits of an answer.
    pub database: Config,
    /// One SELECT. Its parameters are called like the arguments: `:number`, `@number` or `$number`.
    pub sql: String,
    /// The JSON schema of the arguments. One that may be left out is NULL in the query then.
    pub parameters: Value,
}

/// Makes the tool. Fails with [`Code::ToolInvalid`] when the database or the query cannot be used, or the query and the
/// schema name different parameters.
pub fn lookup(lookup: Lookup) -> Result<Arc<dyn Tool>> {
    let invalid = |why: String| {
        Error::new(Code::ToolInvalid, format!("the lookup `{}` cannot be used: {why}", lookup.name))
    };
    let connection = connection::open(&lookup.database.path).map_err(|error| invalid(error.to_string()))?;
    let statement = connection
        .prepare(&lookup.sql)
        .map_err(|error| invalid(rows::fault(&error, &lookup.database).to_string()))?;
    if statement.column_count() == 0 {
        return Err(invalid("its query finds nothing".to_owned()).with_help("write one SELECT"));
    }
    check_parameters(&statement, &lookup.parameters).map_err(invalid)?;
    drop(statement);

    let spec = ToolSpec {
        name: lookup.name.clone(),
        description: lookup.description.clone(),
        parameters: lookup.parameters.clone(),
        effect: Effect::Pure,
        timeout: lookup.database.timeout.saturating_add(Duration::from_secs(1)),
        concurrency: None,
        flow: adjutant_core::tool::Flow::inside("database"),
    };
    let lookup = Arc::new(lookup);
    Ok(Arc::new(FunctionTool::new(spec, move |arguments, context| {
        let lookup = Arc::clone(&lookup);
        async move {
            let ask = move |stop| answer(&lookup, &arguments, &stop);
            blocking(&context.cancelled(), ask).await.map_err(Failure::from)
        }
    })))
}

/// The names of the query's parameters, each with its place.
fn names(statement: &Statement<'_>) -> Result<Vec<String>, String> {
    let name = |index| statement.parameter_name(index).and_then(|name| name.get(1..)).map(str::to_owned);
    let names = (1..=statement.parameter_count()).map(|index| {
        name(index)
            .filter(|name| !name.starts_with(|c: char| c.is_ascii_digit()))
            .ok_or_else(|| "its query has a parameter without a name; write `:name`".to_owned())
    });
    names.collect()
}

fn check_parameters(statement: &Statement<'_>, schema: &Value) -> Result<(), String> {
    let names = names(statement)?;
    let empty = serde_json::Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    if let Some(name) = names.iter().find(|name| !properties.contains_key(*name)) {
        return Err(format!("its query has the parameter `:{name}`, which is no argument"));
    }
    if let Some(name) = properties.keys().find(|name| !names.contains(name)) {
        return Err(format!("its query does not use the argument `{name}`; write `:{name}`"));
    }
    Ok(())
}

fn answer(lookup: &Lookup, arguments: &Value, stop: &CancellationToken) -> Result<Output> {
    let config = &lookup.database;
    let mut connection = connection::open(&config.path)?;
    connection::limit(&mut connection, deadline_after(config.timeout), stop.clone())
        .map_err(|error| rows::fault(&error, config))?;
    let run = || {
        let fault = |error: rusqlite::Error| rows::fault(&error, config);
        let mut statement = connection.prepare(&lookup.sql).map_err(fault)?;
        let names = names(&statement).map_err(|why| Error::new(Code::ToolInvalid, why))?;
        let fields: Vec<Field> = names.iter().map(|name| field(arguments.get(name))).collect();
        rows::collect(&mut statement, rusqlite::params_from_iter(fields), config)
    };
    run().map_err(|error| if stop.is_cancelled() { stopped() } else { error })
}

/// An argument as SQLite knows it; an array or an object is JSON text, which its JSON functions read.
fn field(argument: Option<&Value>) -> Field {
    match argument {
        None | Some(Value::Null) => Field::Null,
        Some(Value::Bool(flag)) => Field::Integer(i64::from(*flag)),
        Some(Value::String(text)) => Field::Text(text.clone()),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Field::Integer(whole),
            (None, Some(real)) => Field::Real(real),
            (None, None) => Field::Null,
        },
        Some(other) => Field::Text(other.to_string()),
    }
}
