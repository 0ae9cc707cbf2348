//! Agents with skills.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_agent::approval::Decision;
use adjutant_agent::definition::ToolSearchSettings;
use adjutant_agent::{Agent, start};
use adjutant_durable::{Entry, Kind};
use adjutant_model::scripted::Turn;
use adjutant_tool::skill::{Content, File, Skill};
use serde_json::json;

use crate::bench::{Bench, Roles, agent, assert_rebuilt, echoes, shown, tape};

fn skill(body: &str) -> Skill {
    let file = |path: &str, content| File { path: path.into(), content, executable: false };
    Skill {
        name: "refunds".into(),
        description: "How refunds work.\nUse it for money back.".into(),
        body: body.into(),
        allowed_tools: vec!["echo".into(), "Bash(git:*)".into()],
        license: None,
        compatibility: None,
        metadata: BTreeMap::new(),
        files: vec![
            file("references/rules.md", Content::Text("Thirty days.".into())),
            file("logo.png", Content::of(vec![0x89, 0x50, 0xff])),
        ],
    }
}

fn load(arguments: serde_json::Value) -> Turn {
    Turn::calls([("load_skill", arguments)])
}

fn with_skill(body: &str) -> Agent {
    agent().skill(skill(body))
}

#[tokio::test]
async fn a_skill_is_named_in_the_prompt_and_read_when_it_is_needed() {
    let (model, sent) = tape(|place| match place {
        0 => load(json!({ "name": "refunds" })),
        1 => load(json!({ "name": "refunds", "file": "references/rules.md" })),
        2 => load(json!({ "name": "refunds", "file": "../../secret" })),
        3 => load(json!({ "name": "refunds", "file": "logo.png" })),
        4 => load(json!({ "name": "other" })),
        _ => Turn::text("ok"),
    });
    let bench = Bench::with(with_skill("Find the order first."), Roles::main(model));
    bench.serve();
    let run = bench.begin("Refund.", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    let said = shown(&bench.check(&run).await);
    assert!(said[0].ends_with("\n- refunds: How refunds work. Use it for money back."), "{}", said[0]);
    assert!(!said[0].contains("Find the order first"));
    assert!(said[3].starts_with("tool: Find the order first."), "{}", said[3]);
    assert!(
        said[3].contains("`$ADJUTANT_SKILLS/refunds`:\n- references/rules.md\n- logo.png (no text)"),
        "{}",
        said[3]
    );
    assert_eq!(said[5], "tool: Thirty days.");
    assert!(said[7].contains("has no file `../../secret`"), "{}", said[7]);
    assert!(said[9].contains("`logo.png` is no text"), "{}", said[9]);
    assert!(said[11].contains("tool-arguments"), "{}", said[11]);
    assert_rebuilt(&bench.records(&run).await, &bench.definition(), None, &sent.lock().unwrap());
}

#[tokio::test]
async fn a_skill_that_is_edited_changes_nothing_for_a_run_under_way() {
    let (model, _) = tape(|place| match place {
        0 => echoes("waits for a person"),
        1 => load(json!({ "name": "refunds" })),
        _ => Turn::text("ok"),
    });
    let bench = Bench::with(with_skill("As it was.").approve("echo"), Roles::main(model));
    bench.serve();
    let run = bench.begin("Refund.", None).await;
    let signal = |record: &adjutant_durable::Record| match &record.entry {
        Entry::Issued { operation, .. } if operation.kind == Kind::Signal => Some(operation.name.clone()),
        _ => None,
    };
    bench.until(&run, |record| signal(record).is_some()).await;
    let name = bench.records(&run).await.iter().find_map(signal).unwrap();
    let (engine, models) = (Arc::clone(&bench.engine), bench.models.clone());
    drop(bench);
    let bench = Bench::on(engine, with_skill("As it is now.").approve("echo"), models);
    start::approve(bench.engine.as_ref(), &run, &name, &Decision::Approve.into_answer()).await.unwrap();
    bench.serve();
    bench.end(&run).await.unwrap();
    let said = shown(&bench.check(&run).await);
    assert!(said[5].starts_with("tool: As it was."), "{said:?}");
}

#[tokio::test]
async fn the_tools_that_a_skill_uses_are_shown_with_it() {
    let settings = ToolSearchSettings { above: Some(0), ..Default::default() };
    let (model, sent) = tape(|place| match place {
        0 => load(json!({ "name": "refunds" })),
        _ => Turn::text("ok"),
    });
    let bench = Bench::with(with_skill("Use echo.").tool_search(settings), Roles::main(model));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let names = |place: usize| {
        let sent = sent.lock().unwrap();
        sent[place].tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["load_skill", "search_tools"]);
    assert_eq!(names(1), ["load_skill", "search_tools", "echo"]);
}

#[test]
fn an_old_definition_has_no_skills_and_the_digest_sees_them() {
    let plain = agent().definition().unwrap();
    let written = serde_json::to_value(&plain).unwrap();
    assert!(written.get("skills").is_none() && written.get("tool_search").is_none());
    let one = with_skill("a").definition().unwrap();
    assert_ne!(one.digest().unwrap(), with_skill("b").definition().unwrap().digest().unwrap());
    let read: adjutant_agent::Definition =
        serde_json::from_value(serde_json::to_value(&one).unwrap()).unwrap();
    assert_eq!(read, one);
}
