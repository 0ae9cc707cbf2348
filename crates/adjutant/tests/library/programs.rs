//! Agents that write programs, in an application: the example, and one that forgot what it takes.

use std::process::Command;

use adjutant::agent::definition::CodeMode;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant_core::Code;
use serde_json::json;

#[test]
fn an_application_runs_programs_in_itself() {
    let test = std::env::current_exe().unwrap();
    let example = test.ancestors().nth(2).unwrap().join("examples/programs");
    let mut command = Command::new(example);
    command.env_clear().env("ADJUTANT_MODEL", "offline").arg("Which region sold the most units?");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // The third region of each three has up to two more, whatever the sevens are.
    let east: usize = (0..3_000).filter(|n| n % 3 == 2).map(|n| n % 7 + 2).sum();
    assert!(said.contains("region: east") && said.contains(&east.to_string()), "{output:?}");
}

#[tokio::test]
async fn an_application_that_is_no_interpreter_is_told_so() {
    let program = Turn::calls([("run_program", json!({ "program": "return 1" }))]);
    let adjutant = Adjutant::builder().in_memory().model("main", Scripted::new([program])).build().unwrap();
    let agent = Agent::new("analyst").instructions("x").code(CodeMode::javascript());
    let run = adjutant.start(&agent, "go").await.unwrap();
    let error = run.reply().await.unwrap_err();
    assert_eq!(error.code(), Code::InterpreterUnavailable, "{error}");
    assert!(error.help().is_some_and(|help| help.contains("adjutant::tool::first_in_main()")), "{error:?}");
}
