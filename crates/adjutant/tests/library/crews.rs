//! Crews: members who do tasks.

use std::sync::{Arc, Mutex};

use adjutant::core::message::ToolResult;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::{Adjutant, Agent, Project};
use adjutant::workflow::crew::{Crew, Member, Process, Task};
use serde_json::json;

use crate::workflows::folder;

/// What every request said: the prompt, and the last message.
pub(super) type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// A model that says who it is and what its task begins with, and plays the manager.
pub(super) fn crew(heard: &Heard) -> impl Fn(&Request, usize) -> Option<Turn> + Send + Sync + 'static {
    let heard = Arc::clone(heard);
    move |request, _| {
        let system = request.messages.first()?.text();
        let last = request.messages.last()?;
        let task = last.text();
        let of_tool = last.results().next().map(ToolResult::as_text);
        heard.lock().unwrap().push((system.clone(), of_tool.clone().unwrap_or_else(|| task.clone())));
        let first = task.lines().next().unwrap_or_default().to_owned();
        let text = if system.contains("say which member does it") {
            let member = if task.contains("Tell") { "writer" } else { "reader" };
            json!({ "reason": "fits", "member": member }).to_string()
        } else if system.contains("whether the result is what is expected") {
            // The first result is sent back.
            json!({ "reason": "too thin", "passes": task.contains("again") || !task.starts_with("The task:\nFind") })
                .to_string()
        } else if let Some(said) = of_tool {
            format!("with help: {said}")
        } else if task.contains("delegate") && (system.contains("co-worker") || task.contains("co-worker")) {
            let tool = request.tools.iter().find(|tool| tool.name.ends_with("writer"))?;
            return Some(Turn::calls([(tool.name.as_str(), json!({ "task": "Say bells" }))]));
        } else if task.contains("sizes") {
            json!({ "size": if task.contains("sent back") { 3 } else { 30 } }).to_string()
        } else {
            let who = system.split(['.', ',']).next().unwrap_or_default().replace("You are ", "");
            let again = if task.contains("sent back") { " again" } else { "" };
            format!("<{who}: {first}{again}>")
        };
        Some(Turn::text(&text))
    }
}

fn open(folder: &tempfile::TempDir, heard: &Heard) -> Adjutant {
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    Adjutant::builder().project(project).model("main", Scripted::from_fn(crew(heard))).build().unwrap()
}

async fn made(workflow: &str) -> (String, Vec<(String, String)>) {
    let (folder, heard) = (folder(workflow), Heard::default());
    let adjutant = open(&folder, &heard);
    let made = match adjutant.run("flow", "bells").await {
        Ok(reply) => reply.data.map_or(reply.text, |data| data.to_string()),
        Err(error) => error.to_string(),
    };
    let heard = heard.lock().unwrap().clone();
    (made, heard)
}

const MEMBERS: &str = "
      members:
        reader: { role: a reader, goal: Know it all., backstory: You have read much. }
        writer: { role: a writer, goal: Write. }
";

fn flow(rest: &str) -> String {
    format!("\nsteps:\n  - crew:{MEMBERS}{rest}")
}

#[tokio::test]
async fn members_do_tasks_one_after_the_other_and_see_what_was_made() {
    let (made, heard) = made(&flow(
        "
      tasks:
        - { id: find, description: 'Find {{ input }}', expected: A list., by: reader }
        - { id: check, description: Check it, by: reader }
        - { id: tell, description: Tell it, by: writer, context: [find] }
      output: '= [find, check, tell]'
",
    ))
    .await;
    let all = r#"["<a reader: Find bells>","<a reader: Check it>","<a writer: Tell it>"]"#;
    assert_eq!(made, all);
    let (prompt, task) = &heard[0];
    assert!(
        prompt.starts_with("You are a reader.\n\nYour goal: Know it all.\n\nYou have read much."),
        "{prompt}"
    );
    assert_eq!(task, "Find bells\n\nWhat is expected:\nA list.");
    assert_eq!(heard[1].1, "Check it\n\nThe result of `find`:\n<a reader: Find bells>");
    assert_eq!(heard[2].1, "Tell it\n\nThe result of `find`:\n<a reader: Find bells>");
}

#[tokio::test]
async fn what_does_not_fit_goes_back_to_who_made_it() {
    let (made, heard) = made(&flow(
        "
      tasks:
        - id: size
          description: Give sizes
          by: reader
          output: { type: object, properties: { size: { type: integer } }, required: [size] }
          gate: { when: result.size < 10 }
",
    ))
    .await;
    assert_eq!(made, r#"{"size":3}"#);
    let again = &heard[1].1;
    assert!(again.contains("It was sent back: `result.size < 10` does not hold"), "{again}");
    let (made, heard) = self::made(&flow(
        "
      rounds: 2
      tasks: [{ description: Give words, by: reader, gate: { when: 'size(result) > 99' } }]
",
    ))
    .await;
    assert!(made.contains("the task `task1`: its result will not do, after 2 rounds"), "{made}");
    assert_eq!(heard.len(), 2);
}

#[tokio::test]
async fn a_manager_says_who_does_it_and_whether_it_will_do() {
    let (made, heard) = made(&flow(
        "
      process: hierarchical
      manager: { model: main }
      tasks:
        - { id: find, description: Find it }
        - { id: tell, description: Tell it }
",
    ))
    .await;
    assert_eq!(made, "<a writer: Tell it>");
    let tasks: Vec<&str> = heard.iter().map(|(_, task)| task.lines().next().unwrap_or_default()).collect();
    // Who, the work, what it is worth, the work again, what that is worth; then the second task.
    let expected = [
        "The members:",
        "Find it",
        "The task:",
        "Find it",
        "The task:",
        "The members:",
        "Tell it",
        "The task:",
    ];
    assert_eq!(tasks, expected);
    assert!(heard[0].1.contains("- writer: a writer. Write."), "{}", heard[0].1);
    assert!(heard[3].1.contains("It was sent back: the manager says: too thin"), "{}", heard[3].1);
}

#[tokio::test]
async fn a_member_asks_a_co_worker_who_asks_nobody() {
    let flow = "
steps:
  - crew:
      members:
        reader: { role: a reader, delegates: true }
        writer: { role: a writer, delegates: true }
      tasks: [{ description: Please delegate, by: reader }]
";
    let (made, heard) = made(flow).await;
    assert_eq!(made, "with help: <a writer: Say bells>");
    let of_writer = heard.iter().filter(|(prompt, _)| prompt.starts_with("You are a writer")).count();
    assert_eq!(of_writer, 1);
    let project = Project::load(folder(flow).path()).unwrap();
    let definition = project.definition("flow").unwrap();
    for asked in &definition.agents {
        let co_workers = &asked.definition.agents;
        assert_eq!(co_workers.len(), 1, "{}", asked.definition.name);
        assert!(co_workers[0].definition.agents.is_empty(), "what is handed on comes to an end");
    }
}

#[tokio::test]
async fn an_agent_of_the_project_asks_its_co_workers_too() {
    let flow = "
steps:
  - crew:
      members: { scribe: { agent: scribe, delegates: true }, writer: { role: a writer }, judge: { agent: fragile } }
      tasks: [{ description: Please delegate, by: scribe }]
";
    let (folder, heard) = (folder(flow), Heard::default());
    std::fs::write(folder.path().join("agents/scribe.md"), "---\nmodel: main\n---\nYou are a scribe.\n")
        .unwrap();
    let adjutant = open(&folder, &heard);
    assert_eq!(adjutant.run("flow", "bells").await.unwrap().text, "with help: <a writer: Say bells>");
    let project = Project::load(folder.path()).unwrap();
    let asked = |name: &str| -> Vec<String> {
        let definition = project.definition("flow").unwrap();
        let of_name = definition.agents.iter().find(|asked| asked.definition.name == name).unwrap();
        of_name.definition.agents.iter().map(|asked| asked.definition.name.clone()).collect()
    };
    assert_eq!(asked("scribe"), ["flow-step1-writer", "fragile"]);
    assert_eq!(asked("fragile"), [""; 0]);
    // Elsewhere it is as it was.
    assert!(project.definition("scribe").unwrap().agents.is_empty());
}

#[test]
fn a_member_has_its_tools_and_asks_before_what_the_workflow_asks_before() {
    let flow = "
approve: [pay]
steps:
  - crew:
      members: { reader: { role: a reader, tools: [pay] }, writer: { agent: writer } }
      tasks: [{ description: x, by: reader }, { description: y, by: writer }]
";
    let folder = folder(flow);
    let settings = "[tools.pay]\ntype = \"command\"\ncommand = [\"true\"]\ndescription = \"Pays.\"\neffect = \"at_most_once\"\n";
    std::fs::write(folder.path().join("adjutant.toml"), settings).unwrap();
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let definition = project.definition("flow").unwrap();
    let member = definition.agents.iter().find(|asked| asked.definition.name == "flow-step1-reader").unwrap();
    assert!(member.definition.tool("pay").is_some());
    assert!(member.definition.asks_before("pay"));
    assert!(definition.agents.iter().any(|asked| asked.definition.name == "writer"));
}

#[tokio::test]
async fn a_crew_goes_on_where_its_process_stopped() {
    let flow = flow(
        "
      process: parallel
      tasks:
        - { id: tell, description: Tell it, by: writer, context: [find], gate: { when: 'true', otherwise: { value: 1 } } }
        - { id: find, description: Find it, by: reader }
        - { id: wait, description: Wait, by: writer, after: [tell] }
      output: '= [find, tell, wait]'
",
    );
    let folder = folder(&flow);
    let heard = Heard::default();
    let first = open(&folder, &heard);
    let run = first.start("flow", adjutant::Task::new("bells").id("one")).await.unwrap();
    let updates = run.drive();
    while heard.lock().unwrap().len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    updates.stop().await.unwrap();
    drop((run, first));
    let reply = open(&folder, &heard).run("flow", adjutant::Task::new("bells").id("one")).await.unwrap();
    assert_eq!(reply.data, Some(json!(["<a reader: Find it>", "<a writer: Tell it>", "<a writer: Wait>"])));
    let tasks: Vec<String> = heard.lock().unwrap().iter().map(|(_, task)| task.clone()).collect();
    let found = tasks.iter().filter(|task| task.starts_with("Find it")).count();
    assert_eq!(found, 1, "what is done is not done again: {tasks:?}");
}

#[tokio::test]
async fn a_task_is_as_trusted_as_what_it_was_made_of_and_who_sent_it_back() {
    let label = |tasks: &'static str| async move {
        let flow = format!(
            "
steps:
  - {{ id: read, tool: mail }}
  - crew:
      process: hierarchical
      members: {{ reader: {{ role: a reader, tools: [mail], delegates: true }}, writer: {{ role: a writer }} }}
      tasks: {tasks}
"
        );
        let folder = folder(&flow);
        let mail = "[tools.mail]\ntype = \"command\"\ncommand = [\"echo\", \"evil\"]\ndescription = \"Reads mail.\"\neffect = \"pure\"\n";
        std::fs::write(folder.path().join("adjutant.toml"), mail).unwrap();
        let reply = open(&folder, &Heard::default()).run("flow", "go").await.unwrap();
        reply.label.unwrap().is_trusted()
    };
    for trusted in [
        "[{ description: 'Find {{ input }}' }, { description: Tell it }]",
        "[{ description: 'Find {{ read }}' }, { description: Tell it, context: [] }]",
        "[{ description: Please delegate, by: reader }]",
    ] {
        assert!(label(trusted).await, "{trusted}");
    }
    for untrusted in [
        "[{ description: 'Find {{ read }}' }, { description: Tell it }]",
        // Who does it was chosen by what a stranger wrote, and so is what is expected of it.
        "[{ description: Tell it, expected: 'A {{ read }}' }]",
        "[{ description: Tell it, by: writer, gate: { when: 'size(result) > 0 && read == \"\"', otherwise: { value: x } } }]",
    ] {
        assert!(!label(untrusted).await, "{untrusted}");
    }
}

#[tokio::test]
async fn policies_speak_of_members_by_their_names() {
    let flow = "
steps:
  - crew:
      members: { reader: { role: a reader, tools: [mail] }, clerk: { role: a clerk, tools: [mail] } }
      tasks: [{ id: a, description: Read, by: reader }, { id: b, description: Read, by: clerk }]
      output: '{{ a }} {{ b }}'
";
    let folder = folder(flow);
    let mail = "[tools.mail]\ntype = \"command\"\ncommand = [\"echo\", \"a letter\"]\ndescription = \"Reads mail.\"\neffect = \"pure\"\n";
    std::fs::write(folder.path().join("adjutant.toml"), mail).unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let policies = "@id(\"all\") permit (principal, action, resource);\n\
        @id(\"no\") forbid (principal == Agent::\"flow-step1-reader\", action == Action::\"mail\", resource);";
    std::fs::write(folder.path().join("policies/all.cedar"), policies).unwrap();
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let findings = project.policies().unwrap().unwrap().findings();
    assert!(findings.iter().all(|finding| !finding.message.contains("there is no agent")), "{findings:?}");
    let model = Scripted::from_fn(|request, _| {
        let results = request.messages.last()?.results().map(ToolResult::as_text).collect::<Vec<_>>();
        Some(match results.first() {
            None => Turn::calls([("mail", json!({}))]),
            Some(said) => Turn::text(if said.contains("a letter") { "read" } else { "refused" }),
        })
    });
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    assert_eq!(adjutant.run("flow", "go").await.unwrap().text, "refused read");
}

#[test]
fn what_is_wrong_with_a_crew_is_told_with_its_place() {
    let wrong = "
steps:
  - crew:
      process: sequencial
      manager: writer
      members:
        reader: { role: a reader }
        writer: { agent: writer, tools: [x] }
        odd: { goal: x }
      tasks:
        - { id: find, description: 'Find {{ inptu }}', by: raeder }
        - { id: tell, description: Tell, context: [fnid] }
        - { id: find, description: Find, by: reader }
        - { id: one, description: x, by: reader, context: [two] }
        - { id: two, description: x, by: reader }
";
    let errors = adjutant::workflow::plan::parse("flow.yaml", wrong).unwrap_err();
    let told = told(&errors);
    for expected in [
        "4:16 `steps[1].crew.process` must be one of `sequential`, `parallel`, `hierarchical`, not the text `sequencial` | did you mean `sequential`?",
        "5:16 `steps[1].crew.manager` has nothing to do here",
        "8:41 `steps[1].crew.members.writer` is an agent of the project, and has its own `tools` | say it in its file",
        "`steps[1].crew.members.odd.role` is missing",
        "11:36 there is no value `inptu` here | did you mean `input`?",
        "11:60 the crew has no member `raeder` | did you mean `reader`?",
        "12:11 the task `tell` comes after `fnid`, which there is not | did you mean `find`?",
        "`steps[1].crew.tasks[2].by` is missing",
        "13:11 there are two tasks called `find`",
        "the tasks `one`, `two` wait for one another",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

/// All errors, one a line, each with its place and its help.
pub(super) fn told(errors: &[adjutant::Error]) -> String {
    let line = |error: &adjutant::Error| {
        let at = error.location().map(|at| format!("{}:{}", at.line.unwrap_or(0), at.column.unwrap_or(0)));
        format!("{} {} | {}", at.unwrap_or_default(), error.message(), error.help().unwrap_or_default())
    };
    errors.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_crew_in_rust_does_the_same() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[expect(dead_code, reason = "its schema is what is wanted")]
    struct Size {
        size: u32,
    }
    let build = |by: &str, process: Process| {
        Crew::new("desk")
            .member(Member::new("reader", "a reader").goal("Know it all.").delegates())
            .member(Member::new("writer", "a writer"))
            .task(Task::new("find", "Please delegate {{ input }}").by(by))
            .task(Task::new("size", "Give sizes").by("writer").output::<Size>().context(["find"]))
            .process(process)
            .workflow()
    };
    let heard = Heard::default();
    let model = || Scripted::from_fn(crew(&heard));
    let adjutant = Adjutant::builder().in_memory().model("main", model()).build().unwrap();
    let reply = adjutant.run(&build("reader", Process::Sequential).unwrap(), "it").await.unwrap();
    assert_eq!(reply.data, Some(json!({ "size": 30 })));
    let told = heard.lock().unwrap().last().unwrap().1.clone();
    assert_eq!(told, "Give sizes\n\nThe result of `find`:\nwith help: <a writer: Say bells>");
    let error = build("raeder", Process::Sequential).unwrap_err();
    assert_eq!(error.message(), "the crew has no member `raeder`");
    assert_eq!(error.help(), Some("did you mean `reader`?"));

    let managed = Crew::new("managed")
        .member(Member::new("reader", "a reader"))
        .member(Member::agent("writer", &Agent::new("scribe").instructions("You are a scribe.")))
        .task(Task::new("tell", "Tell it"))
        .managed_by("main");
    let reply = adjutant.run(&managed.workflow().unwrap(), "it").await.unwrap();
    assert_eq!(reply.text, "<a scribe: Tell it>");
}
