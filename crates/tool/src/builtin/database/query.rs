//! `query_database`: a model's own SQL.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

use super::{Config, connection, rows};
use crate::builtin::blocking::{blocking, stopped};
use crate::context::deadline_after;
use crate::generated::specification;
use crate::{Effect, Failure, FunctionTool, Output, Tool};

/// How much of the description may be the schema of the database, in bytes.
const LONGEST_SCHEMA: usize = 8_000;

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// One SELECT in the dialect of SQLite.
    sql: String,
}

/// The tool `query_database`: reads a SQLite file with a query that the model writes. Its description holds the schema
/// of the database as it is now. Fails with [`Code::ToolInvalid`] when the file is no database.
pub fn query_database(config: Config) -> Result<Arc<dyn Tool>> {
    let schema = connection::open(&config.path)
        .and_then(|open| {
            connection::describe(&open, LONGEST_SCHEMA).map_err(|error| rows::fault(&error, &config))
        })
        .map_err(|error| {
            Error::new(Code::ToolInvalid, "the tool `query_database` cannot be used").caused_by(&error)
        })?;
    let description =
        format!("Reads a SQLite database with one SELECT. It cannot change anything.\nIts tables:{schema}");
    let mut spec = specification::<Question>("query_database", &description, Effect::Pure, None, None);
    spec.flow = adjutant_core::tool::Flow::inside("database");
    spec.timeout = config.timeout.saturating_add(Duration::from_secs(1));
    let config = Arc::new(config);
    let tool = FunctionTool::new(spec, move |arguments, context| {
        let config = Arc::clone(&config);
        async move {
            let question: Question = crate::generated::read(arguments)?;
            let ask = move |stop| answer(&config, &question.sql, &stop);
            blocking(&context.cancelled(), ask).await.map_err(Failure::from)
        }
    });
    Ok(Arc::new(tool))
}

fn answer(config: &Config, sql: &str, stop: &CancellationToken) -> Result<Output> {
    let mut connection = connection::open(&config.path)?;
    connection::limit(&mut connection, deadline_after(config.timeout), stop.clone())
        .map_err(|error| rows::fault(&error, config))?;
    let run = || {
        let mut statement = connection.prepare(sql).map_err(|error| rows::fault(&error, config))?;
        if statement.column_count() == 0 {
            return Err(Error::new(Code::ToolFailed, "this is no query").with_help("write one SELECT"));
        }
        rows::collect(&mut statement, [], config)
    };
    run().map_err(|error| if stop.is_cancelled() { stopped() } else { error })
}
