//! The tools of the sample project, on its real files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::path::{Path, PathBuf};

use adjutant::project::{Environment, Project};
use adjutant_core::id::{CallId, RunId, StepKey};
use adjutant_tool::{Context, Failure, Output};
use rusqlite::Connection;
use rusqlite::types::Value as Field;

fn desk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/desk")
}

fn project(variables: &[(&str, &str)]) -> Project {
    let environment: Environment = variables.iter().copied().collect();
    Project::load_with(desk(), environment).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

async fn call(project: &Project, tool: &str, arguments: &str) -> Result<Output, Failure> {
    let tools = project.tools();
    let arguments = tools.arguments(tool, arguments).unwrap();
    let context = Context::new(RunId::from_bytes([1; 10]), StepKey::parse("tool#0"), CallId::new("1"));
    tools.get(tool).unwrap().call(arguments, context.with_idempotency_key("key-1")).await
}

#[tokio::test]
async fn documents_and_orders_are_found() {
    let project = project(&[]);
    for (tool, arguments, expected) in [
        ("order", r#"{"number": 1042}"#, "LC1042730951AT"),
        ("order", r#"{"number": 1042}"#, "2 x Pannier Heron, 20 litres, 3 x Inner tube 37-622"),
        ("orders_of_customer", r#"{"email": "Nora.Sullivan@example.org"}"#, "1042"),
        ("search_files", r#"{"words": "return period bicycles"}"#, "14 days"),
        ("read_file", r#"{"path": "warranty.md"}"#, "10 years against breakage"),
        ("list_files", "{}", "opening-hours.md"),
    ] {
        let output = call(&project, tool, arguments).await.unwrap();
        let text: String = output.content.iter().filter_map(|part| part.as_text()).collect();
        assert!(text.contains(expected), "{tool} {arguments}: {text}");
    }
}

#[tokio::test]
async fn tickets_are_filed_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickets.jsonl");
    let project = project(&[("DESK_TICKETS", path.to_str().unwrap())]);
    let good = r#"{"summary": "The parcel of order 1042 has not moved for weeks", "order": 1042}"#;
    let filed = call(&project, "file_ticket", good).await.unwrap();
    assert_eq!(filed.data.unwrap()["ticket"], "T-0001");
    // A crash left half a line behind.
    std::fs::write(&path, format!("{}{{\"tick", std::fs::read_to_string(&path).unwrap())).unwrap();
    let filed = call(&project, "file_ticket", good).await.unwrap();
    assert_eq!(filed.data.unwrap()["ticket"], "T-0003");

    for (arguments, reason) in [
        (r#"{"summary": "help"}"#, "the summary must have 10 to 500 characters, not 4"),
        (r#"{"summary": "1234567890 !!! ???"}"#, "the summary must say in words what is wrong"),
        (r#"{"summary": "The parcel is late", "email": "nobody"}"#, "the e-mail address is not one"),
    ] {
        match call(&project, "file_ticket", arguments).await {
            Err(Failure::Model(error)) => assert!(error.message().contains(reason), "{error}"),
            other => panic!("{arguments}: {other:?}"),
        }
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for line in [lines[0], lines[2]] {
        let ticket: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&ticket["key"], &ticket["order"]), (&"key-1".into(), &1042.into()));
    }
}

#[test]
fn the_database_is_what_the_sql_makes() {
    let made = Connection::open_in_memory().unwrap();
    made.execute_batch(&std::fs::read_to_string(desk().join("orders.sql")).unwrap()).unwrap();
    let stored = Connection::open(desk().join("orders.db")).unwrap();
    for (table, least) in [("customers", 20), ("orders", 60), ("items", 60)] {
        let rows = |connection: &Connection| -> Vec<Vec<Field>> {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY rowid")).unwrap();
            let width = statement.column_count();
            let rows =
                statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect()).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let rows = (rows(&made), rows(&stored));
        assert!(rows.0.len() >= least && rows.0 == rows.1, "`orders.db` is stale: make it from `orders.sql`");
    }
}
