//! Tenants of one project in one process.

use std::path::Path;

use adjutant::agent::approval::Decision;
use adjutant::core::message::Message;
use adjutant::core::time::Timestamp;
use adjutant::core::usage::Usage;
use adjutant::durable::{Resolution, RunState};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::model::{Call, Request, collect};
use adjutant::prelude::*;
use adjutant::project::ToolKind;
use adjutant::tool::library::{Origin, Proposal};
use adjutant::tool::mcp::{Pin, Transport};
use adjutant::{Code, Verdict};
use adjutant_testkit::provider::{Answer, MockProvider};
use futures::StreamExt;
use serde_json::json;

/// A folder with one agent that has these tools, and this `adjutant.toml`.
fn project(agent: &str, settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("agents")).unwrap();
    std::fs::create_dir_all(folder.path().join("notes")).unwrap();
    let agent = format!("---\nmodel: main\n{agent}\n---\nHelp.\n");
    std::fs::write(folder.path().join("agents/desk.md"), agent).unwrap();
    std::fs::write(folder.path().join("adjutant.toml"), settings).unwrap();
    folder
}

/// Calls what it is told, and answers with what that gives.
fn obey(request: &Request, _: usize) -> Option<Turn> {
    let last = request.messages.last()?;
    Some(match last.results().next() {
        Some(result) => Turn::text(&result.as_text()),
        None => {
            let text = last.text();
            match text.split_once(' ') {
                Some((name, arguments)) => {
                    Turn::calls([(name, serde_json::from_str(arguments).unwrap_or(json!({})))])
                }
                None => Turn::text(&text),
            }
        }
    })
}

/// Two tenants of the project in a folder.
fn tenants(folder: &Path, model: Scripted) -> (Adjutant, Adjutant) {
    let project = Project::load(folder).unwrap();
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    (adjutant.of_tenant("acme").unwrap(), adjutant.of_tenant("bell").unwrap())
}

fn is_missing<T>(what: adjutant::Result<T>) {
    let error = what.err().expect("it is another tenant's");
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

#[tokio::test]
async fn a_run_of_one_tenant_is_no_run_of_another() {
    let folder = project(
        "tools: [notes]\napprove: [write_file]",
        "[tools.notes]\ntype = \"files\"\nroot = \"notes\"\nwrite = true\n",
    );
    let (acme, bell) = tenants(folder.path(), Scripted::from_fn(obey));
    let task = |text: &str| Task::new(text).session("s").user("ann").id("job");
    let ended = acme.run("desk", task("Secret")).await.unwrap();
    assert_eq!(ended.text, "Secret");
    let waiting = acme
        .start("desk", Task::new("write_file {\"path\": \"a\", \"content\": \"x\"}").user("ann"))
        .await
        .unwrap();
    let updates = waiting.drive();
    while acme.approvals().waiting().await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    updates.stop().await.unwrap();
    let approval = acme.approvals().waiting().await.unwrap().remove(0);
    let published = acme.versions().publish("desk", "ann").await.unwrap().version.definition;
    acme.versions().label("desk", &published.to_string(), "stable", "ann").await.unwrap();
    let before = (acme.runs(10).await.unwrap(), waiting.records().await.unwrap());

    assert!(bell.runs(10).await.unwrap().is_empty());
    assert!(bell.sessions(10).await.unwrap().is_empty());
    assert!(bell.session("s").turns().await.unwrap().is_empty());
    assert!(bell.session("s").history().await.unwrap().is_empty());
    assert!(bell.session("s").title().await.unwrap().is_none());
    assert!(bell.approvals().waiting().await.unwrap().is_empty());
    assert!(bell.approvals().grants().await.unwrap().is_empty());
    assert!(bell.versions().list(None).await.unwrap().is_empty());
    assert!(bell.versions().log("desk").await.unwrap().is_empty());
    assert_eq!(bell.versions().definition(&published).await.unwrap_err().code(), Code::RunDefinitionMissing);
    assert_eq!(bell.engine().definition(published).await.unwrap_err().code(), Code::RunDefinitionMissing);
    assert!(bell.triggers().log(None, 10).await.unwrap().is_empty());
    is_missing(bell.find(&waiting.id().as_str()[..12]).await);
    is_missing(bell.find(waiting.id().as_str()).await);
    is_missing(bell.files(waiting.id()).await);
    is_missing(bell.approvals().find(&approval.id).await);
    is_missing(
        bell.approvals().decide(waiting.id(), &approval.signal, Verdict::new(Decision::Approve, "eve")).await,
    );
    let run = bell.handle(waiting.id());
    is_missing(run.info().await);
    is_missing(run.records().await);
    is_missing(run.summary().await);
    is_missing(run.waits().await);
    is_missing(run.rests().await);
    is_missing(run.children().await);
    is_missing(run.root().await);
    is_missing(run.title().await);
    is_missing(run.outcome().await);
    is_missing(run.reply().await);
    is_missing(run.messages().await);
    is_missing(run.approve(&approval.signal).await);
    is_missing(run.deny(&approval.signal, "no").await);
    is_missing(run.signal("go", json!(1)).await);
    is_missing(run.steer("Stop").await);
    is_missing(run.cancel("eve").await);
    is_missing(run.pause("eve").await);
    is_missing(run.resume().await);
    is_missing(run.take("eve", None).await);
    let step = adjutant::core::id::StepKey::root().join("turn", 0);
    is_missing(run.fork(&step, Vec::new()).await);
    is_missing(run.resolve(&step, Resolution::Retry).await);
    is_missing(run.watch().next().await.unwrap());
    is_missing(run.drive().next().await.unwrap());
    assert_eq!(bell.erase_user("ann", "admin").await.unwrap(), 0);
    assert_eq!(bell.prune(std::time::Duration::ZERO, "admin").await.unwrap(), 0);

    // The same id is another task, and another run: tools are called with keys that are made of it.
    let other = bell.start("desk", task("Something")).await.unwrap();
    assert_eq!(other.reply().await.unwrap().text, "Something");
    assert!(before.0.iter().all(|info| info.run != *other.id()));
    assert_eq!(bell.session("s").turns().await.unwrap().len(), 1);
    let after = (acme.runs(10).await.unwrap(), waiting.records().await.unwrap());
    assert_eq!(before, after);
    assert!(after.0.iter().any(|info| info.state == RunState::Waiting));
}

#[tokio::test]
async fn what_tools_keep_is_a_tenants_own() {
    let settings = "\
        [tools.notes]\ntype = \"files\"\nroot = \"notes\"\nwrite = true\n\
        [tools.board]\ntype = \"files\"\nroot = \"notes\"\nwrite = true\nshared = true\nprefix = \"board_\"\n\
        [tools.mail]\ntype = \"mcp\"\nurl = \"https://mail.example.com/mcp\"\nauth = \"oauth\"\n\
        [tools.box]\ntype = \"mcp\"\ncommand = [\"server\"]\nsandbox = \"on\"\n";
    let folder = project("tools: [notes, board]", settings);
    let (acme, bell) = tenants(folder.path(), Scripted::from_fn(obey));
    let home = acme.of_tenant("local").unwrap();
    let write =
        |tool: &str| format!("{tool} {{\"path\": \"plan.md\", \"content\": \"Take over the world\"}}");
    let read = |tool: &str| format!("{tool} {{\"path\": \"plan.md\"}}");
    acme.run("desk", write("write_file")).await.unwrap();
    assert!(acme.run("desk", read("read_file")).await.unwrap().text.contains("world"));
    for other in [&bell, &home] {
        let text = other.run("desk", read("read_file")).await.unwrap().text;
        assert!(text.contains("there is no `plan.md`"), "{text}");
    }
    acme.run("desk", write("board_write_file")).await.unwrap();
    assert!(bell.run("desk", read("board_read_file")).await.unwrap().text.contains("world"), "it is shared");
    // The folder in which all of it is cannot be read by way of the project's.
    let spy = "board_read_file {\"path\": \"../.adjutant/tenants/acme/files/notes/plan.md\"}";
    assert!(!bell.run("desk", spy).await.unwrap().text.contains("world"));

    let places = |adjutant: &Adjutant| {
        let project = adjutant.project();
        let mut places = vec![project.settings().vault.folder().to_owned()];
        for tool in project.settings().tools.values() {
            let ToolKind::Mcp(server) = &tool.kind else { continue };
            places.push(match &server.transport {
                Transport::Http(http) => http.auth.as_ref().unwrap().vault.folder().to_owned(),
                Transport::Process(process) => process.sandbox.as_ref().unwrap().work.clone(),
            });
        }
        places
    };
    let all: Vec<_> = [&acme, &bell, &home].into_iter().map(places).collect();
    assert_eq!(all[0].len(), 3);
    for place in 0..3 {
        assert!(all[0][place] != all[1][place] && all[0][place] != all[2][place], "{all:?}");
    }

    let tool = Proposal {
        name: "margin".into(),
        description: "Our margin".into(),
        parameters: json!({"type": "object"}),
        program: "return 0.42".into(),
        test: "tool({})".into(),
    };
    let made = Origin {
        run: "r".into(),
        step: "s".into(),
        agent: "desk".into(),
        model: "m".into(),
        at: Timestamp::default(),
    };
    let key = folder.path().join("key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
    acme.project().library().add(&tool, &made).unwrap();
    assert_eq!(acme.project().library().entries().unwrap().len(), 1);
    assert!(bell.project().library().entries().unwrap().is_empty());
    assert!(home.project().library().entries().unwrap().is_empty());
    let refused = bell.project().accept([("mail".to_owned(), Pin::default())].into()).unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_for_each_tenant_and_limits_hold_for_all() {
    let provider = MockProvider::with(|body| match body.to_string().contains("Fail") {
        true => Answer::status(500, "broken"),
        false => Answer::text("Hello."),
    });
    let provider = provider.any_key().start().await.unwrap();
    let settings = format!(
        "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\ncache = \"1h\"\n\
         retry = {{ attempts = 1 }}\nbreaker = {{ failures = 2, rest = \"1h\" }}\n",
        provider.base_url()
    );
    let folder = project("description: Helps.", &settings);
    let adjutant = Adjutant::of(Project::load(folder.path()).unwrap()).unwrap();
    let (acme, bell) = (adjutant.of_tenant("acme").unwrap(), adjutant.of_tenant("bell").unwrap());
    let asked = async |tenant: &Adjutant, text: &str| {
        let before = provider.count();
        let done = tenant.run("desk", text).await;
        (done.is_ok(), provider.count() - before)
    };
    assert_eq!(asked(&acme, "Hi").await, (true, 1));
    assert_eq!(asked(&acme, "Hi").await, (true, 0), "it was kept");
    assert_eq!(asked(&bell, "Hi").await, (true, 1), "whether another was told the same cannot be seen");
    bell.erase_user("ann", "admin").await.unwrap();
    assert_eq!(asked(&acme, "Hi").await, (true, 0), "and what another forgets, it does not");
    assert_eq!(asked(&bell, "Hi").await, (true, 1));
    // What is wrong with the provider is so for all.
    let ask = async |tenant: &Adjutant| {
        let model = tenant.project().models().get("main").unwrap();
        let asked = model.stream(Request::new([Message::user("Fail")]), Call::default()).await;
        collect(asked?, |_| {}).await
    };
    for _ in 0..2 {
        ask(&acme).await.unwrap_err();
    }
    let before = provider.count();
    assert_eq!(ask(&bell).await.unwrap_err().code(), Code::ModelUnavailable);
    assert_eq!(provider.count(), before, "it is left alone");
}

#[tokio::test]
async fn each_tenant_has_the_projects_budget_for_the_day() {
    let folder = project("max_output_tokens: 100", "[budget]\ntokens = 1000\n");
    let usage = Usage { input: 900, output: 100, ..Usage::default() };
    let model = Scripted::from_fn(move |_, _| Some(Turn::text("Dear.").with_usage(usage)));
    let (acme, bell) = tenants(folder.path(), model);
    assert_eq!(acme.run("desk", "Do it.").await.unwrap().text, "Dear.");
    assert_eq!(acme.run("desk", "Again.").await.unwrap_err().code(), Code::RunBudget);
    assert_eq!(bell.run("desk", "Do it.").await.unwrap().text, "Dear.");
}

#[tokio::test]
async fn results_of_workflows_are_kept_for_each_tenant() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use adjutant::workflow::{Planned, plan};

    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let model =
        Scripted::from_fn(move |_, _| Some(Turn::text(&counted.fetch_add(1, Ordering::SeqCst).to_string())));
    let folder = tempfile::tempdir().unwrap();
    let adjutant =
        Adjutant::builder().store(folder.path().join("runs.db")).model("main", model).build().unwrap();
    let writer = Agent::new("writer").instructions("Write.");
    let text = "steps: [{ agent: writer, cache: 1h }]\n";
    let parsed = plan::parse("kept.yaml", text).unwrap();
    let flow = Workflow::new("kept").agent(&writer).directed_by(Planned::new(parsed.plan));
    let acme = adjutant.of_tenant("acme").unwrap();
    let bell = adjutant.of_tenant("bell").unwrap();
    assert_eq!(acme.run(&flow, "x").await.unwrap().text, "0");
    assert_eq!(acme.run(&flow, "x").await.unwrap().text, "0", "it was kept");
    assert_eq!(bell.run(&flow, "x").await.unwrap().text, "1");
}

#[tokio::test]
async fn a_tenant_is_one_value_and_knows_what_the_program_brought() {
    let adjutant = Adjutant::builder().in_memory().model("main", Offline::new()).build().unwrap();
    let desk = Agent::new("desk").instructions("Help.");
    let run = adjutant.of_tenant("acme").unwrap().start(&desk, "Hello").await.unwrap();
    let id = run.id().clone();
    let again = adjutant.of_tenant("acme").unwrap();
    assert_eq!(again.handle(&id).info().await.unwrap().name, "desk");
    assert_eq!(again.scope().to_string(), "acme/local");
    assert_eq!(again.of_tenant("local").unwrap().scope(), adjutant.scope());
    for wrong in ["", "Acme", "a/b", "..", &"a".repeat(65)] {
        assert_eq!(adjutant.of_tenant(wrong).unwrap_err().code(), Code::InputInvalid, "{wrong}");
    }
    // A tenant outlives the value that it was made from, and the project's own tenant is still there.
    drop(adjutant);
    assert_eq!(again.of_tenant("local").unwrap().runs(1).await.unwrap().len(), 0);
}
