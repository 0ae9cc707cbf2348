//! Questions to a SQLite file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_core::id::{RunId, StepKey};
use adjutant_tool::builtin::database::{Config, Lookup};
use adjutant_tool::builtin::{lookup, query_database};
use adjutant_tool::{Context, Effect, Failure, Output, Tool};
use rusqlite::Connection;
use serde_json::{Value, json};

const SHOP: &str = "
    CREATE TABLE orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL, total REAL, scan BLOB);
    INSERT INTO orders VALUES (1042, 'Ada', 19.5, x'0001'), (1043, 'Bob', NULL, NULL);
    CREATE VIEW open_orders AS SELECT number FROM orders;
";

fn shop(folder: &Path) -> PathBuf {
    let path = folder.join("shop.db");
    let written = Connection::open(&path).and_then(|connection| connection.execute_batch(SHOP));
    assert_eq!(written, Ok(()));
    path
}

async fn call(tool: &Arc<dyn Tool>, arguments: Value) -> Result<Output, Failure> {
    let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into());
    let arguments = adjutant_tool::arguments(tool.spec(), &arguments.to_string()).map_err(Failure::from)?;
    tool.call(arguments, context).await
}

async fn ask(tool: &Arc<dyn Tool>, sql: &str) -> String {
    let answer = call(tool, json!({"sql": sql})).await;
    answer.map_or_else(|failure| format!("failed: {failure}"), |output| output.as_text())
}

#[tokio::test]
async fn a_model_can_ask_what_it_sees_in_the_description() {
    let folder = tempfile::tempdir().unwrap();
    let tool = query_database(Config::new(shop(folder.path()))).unwrap();
    assert_eq!(tool.spec().effect, Effect::Pure);
    assert!(tool.spec().description.contains("CREATE TABLE orders (number INTEGER PRIMARY KEY"));
    assert!(tool.spec().description.contains("CREATE VIEW open_orders"));
    let output =
        call(&tool, json!({"sql": "SELECT *, 1 AS customer FROM orders ORDER BY number;"})).await.unwrap();
    assert_eq!(
        output.data.unwrap(),
        json!([
            {"number": 1042, "customer": "Ada", "total": 19.5, "scan": "[2 bytes of binary data]", "customer_2": 1},
            {"number": 1043, "customer": "Bob", "total": null, "scan": null, "customer_2": 1},
        ])
    );
    assert_eq!(ask(&tool, "SELECT number FROM open_orders WHERE number = 1").await, "nothing found");
    assert_eq!(ask(&tool, "WITH x AS (SELECT 1 AS a) SELECT count(*) AS n FROM x").await, r#"{"n":1}"#);
}

#[tokio::test]
async fn nothing_can_be_changed_or_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path());
    let before = std::fs::read(&path).unwrap();
    let tool = query_database(Config::new(&path)).unwrap();
    let denied = [
        "DELETE FROM orders",
        "UPDATE orders SET total = 0",
        "INSERT INTO orders VALUES (1, 'x', 1, NULL) RETURNING number",
        "DROP TABLE orders",
        "CREATE TEMP TABLE t (a)",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode",
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "VACUUM INTO '/tmp/copy.db'",
        "BEGIN",
        "SELECT load_extension('x')",
    ];
    for sql in denied {
        let answer = ask(&tool, sql).await;
        assert!(answer.starts_with("failed: "), "{sql}: {answer}");
    }
    assert_eq!(ask(&tool, "DELETE FROM orders").await, "failed: only reading is allowed");
    assert_eq!(ask(&tool, "SELECT 1; DELETE FROM orders").await, "failed: only reading is allowed");
    assert_eq!(ask(&tool, "SELECT 1; SELECT 2").await, "failed: there is more than one statement");
    let unknown = ask(&tool, "SELECT colour FROM orders").await;
    assert!(unknown.contains("no such column: colour"), "{unknown}");
    assert!(ask(&tool, "").await.starts_with("failed: "));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn answers_and_time_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let path = shop(folder.path());
    let forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    let tool = query_database(Config { rows: 3, ..Config::new(&path) }).unwrap();
    let rows = ask(&tool, &format!("{forever} SELECT i FROM n")).await;
    assert!(rows.starts_with("{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n[cut off after 3 rows"), "{rows}");

    let tool = query_database(Config { bytes: 1_000, ..Config::new(&path) }).unwrap();
    let wide = ask(&tool, &format!("{forever} SELECT printf('%.300c', 'x') AS t FROM n")).await;
    assert!(wide.len() < 1_200 && wide.contains("[cut off after 3 rows"), "{wide}");
    let long = ask(&tool, "SELECT printf('%.100000c', 'x') AS t").await;
    assert!(long.ends_with("[cut off: 100000 bytes in all]\"}"), "{}", long.len());
    assert!(ask(&tool, "SELECT randomblob(1000000000)").await.starts_with("failed: the database says: "));

    let tool = query_database(Config { timeout: Duration::from_millis(200), ..Config::new(&path) }).unwrap();
    let began = Instant::now();
    let failure = call(&tool, json!({"sql": format!("{forever} SELECT max(i) FROM n")})).await.unwrap_err();
    assert!(matches!(&failure, Failure::Model(error) if error.code() == Code::ToolTimeout), "{failure:?}");
    assert_eq!(failure.to_string(), "the query was stopped after 200ms");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_lookup_is_a_tool_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let order = Lookup {
        name: "order".into(),
        description: "Finds an order by its number.".into(),
        database: Config::new(shop(folder.path())),
        sql: "SELECT number, customer FROM orders WHERE number = :number AND (:name IS NULL OR customer = :name)".into(),
        parameters: json!({"type": "object", "properties": {"number": {"type": "integer"}, "name": {"type": "string"}},
            "required": ["number"], "additionalProperties": false}),
    };
    let tool = lookup(order.clone()).unwrap();
    assert_eq!(tool.spec().name, "order");
    let found = call(&tool, json!({"number": "1042"})).await.unwrap();
    assert_eq!(found.as_text(), r#"{"customer":"Ada","number":1042}"#);
    assert_eq!(found.label(), adjutant_core::label::Label::untrusted());
    assert_eq!(call(&tool, json!({"number": 1042, "name": "Bob"})).await.unwrap().as_text(), "nothing found");
    let injected = json!({"number": 1, "name": "x' OR 1=1 --"});
    assert_eq!(call(&tool, injected).await.unwrap().as_text(), "nothing found");

    let wrong = |sql: &str| lookup(Lookup { sql: sql.into(), ..order.clone() }).err().unwrap();
    let cases = [
        ("SELECT :number, :name, :other", "its query has the parameter `:other`, which is no argument"),
        ("SELECT :number", "its query does not use the argument `name`; write `:name`"),
        ("SELECT ?1, :number, :name", "its query has a parameter without a name; write `:name`"),
        ("DELETE FROM orders WHERE number = :number", "only reading is allowed"),
        ("SELEC :number", "the database says: near \"SELEC\": syntax error in SELEC :number at offset 0"),
    ];
    for (sql, why) in cases {
        assert_eq!(wrong(sql).message(), format!("the lookup `order` cannot be used: {why}"));
        assert_eq!(wrong(sql).code(), Code::ToolInvalid);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, but a text of some length".repeat(100)).unwrap();
    for path in [text, folder.path().join("missing.db")] {
        let error = query_database(Config::new(&path)).err().unwrap();
        assert_eq!(error.code(), Code::ToolInvalid);
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
    assert!(!folder.path().join("missing.db").exists());
}
