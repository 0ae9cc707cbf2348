//! Rows of an answer, within limits.

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Params, Statement};
use serde_json::{Map, Value, json};

use super::Config;
use crate::output::Output;

/// The longest text of one field, in characters.
const LONGEST_TEXT: usize = 8_000;

/// Runs a statement and collects its rows as objects.
pub(super) fn collect(
    statement: &mut Statement<'_>,
    parameters: impl Params,
    config: &Config,
) -> Result<Output> {
    let names = column_names(statement);
    let mut found = statement.query(parameters).map_err(|error| fault(&error, config))?;
    let (mut rows, mut bytes, mut more) = (Vec::new(), 0, false);
    while let Some(row) = found.next().map_err(|error| fault(&error, config))? {
        let mut object = Map::new();
        for (index, name) in names.iter().enumerate() {
            object.insert(name.clone(), row.get_ref(index).map_or(Value::Null, value));
        }
        let object = Value::Object(object);
        bytes += object.to_string().len();
        if rows.len() == config.rows || (bytes > config.bytes && !rows.is_empty()) {
            more = true;
            break;
        }
        rows.push(object);
    }
    Ok(output(rows, more))
}

/// Names of columns, told apart where two are the same.
fn column_names(statement: &Statement<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in statement.column_names() {
        let mut unique = name.to_owned();
        let mut count = 1;
        while names.contains(&unique) {
            count += 1;
            unique = format!("{name}_{count}");
        }
        names.push(unique);
    }
    names
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(bytes) => Value::String(shorten(&String::from_utf8_lossy(bytes))),
        ValueRef::Blob(bytes) => Value::String(format!("[{} bytes of binary data]", bytes.len())),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => {
            format!("{}[cut off: {} bytes in all]", text.get(..end).unwrap_or_default(), text.len())
        }
        None => text.to_owned(),
    }
}

fn output(rows: Vec<Value>, more: bool) -> Output {
    let mut text = match rows.is_empty() {
        true => "nothing found".to_owned(),
        false => {
            let lines = rows.iter().map(|row| Json::from(row.clone()).to_string());
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    if more {
        let count = rows.len();
        text.push_str(&format!(
            "\n[cut off after {count} rows: there are more; ask for fewer, or count them]"
        ));
    }
    Output { data: Some(Value::Array(rows)), ..Output::text(text) }
}

/// What SQLite says, for the model.
pub(super) fn fault(error: &rusqlite::Error, config: &Config) -> Error {
    use rusqlite::ErrorCode;
    if matches!(error, rusqlite::Error::MultipleStatement) {
        return Error::new(Code::ToolFailed, "there is more than one statement")
            .with_help("ask one query at a time");
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            let limit = adjutant_core::time::format_duration(config.timeout);
            Error::new(Code::ToolTimeout, format!("the query was stopped after {limit}"))
                .with_help("ask for less, or use an index")
        }
        Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly) => {
            Error::new(Code::ToolFailed, "only reading is allowed").with_help("write one SELECT")
        }
        _ => Error::new(Code::ToolFailed, format!("the database says: {error}")),
    }
}
