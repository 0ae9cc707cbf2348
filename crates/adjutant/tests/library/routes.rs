//! Routes by likeness: a model that makes vectors chooses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::Code;
use adjutant::durable::Wait;
use adjutant::model::Call;
use adjutant::model::embed::{Embedder, Embeddings, Profile, Purpose};
use adjutant::model::scripted::Scripted;
use adjutant::prelude::{Adjutant, Project, Task, Workflow};
use adjutant::tool::Answer;
use adjutant::workflow::pattern::by_examples;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use crate::crews::told;
use crate::events::asked;
use crate::workflows::{folder, obey};

/// A model for which money is one direction, and bells are another.
struct Meaning {
    profile: Profile,
    asked: Arc<AtomicUsize>,
}

impl Embedder for Meaning {
    fn id(&self) -> &str {
        "test/meaning"
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn embed(
        &self,
        texts: Vec<String>,
        _: Purpose,
        _: Call,
    ) -> BoxFuture<'static, adjutant::Result<Embeddings>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let vector = |text: &String| match (text.contains("invoice"), text.contains("bell")) {
            (true, true) => vec![0.6, 0.8, 0.0],
            (true, false) => vec![1.0, 0.0, 0.0],
            (false, true) => vec![0.0, 1.0, 0.0],
            (false, false) => vec![0.0, 0.0, 1.0],
        };
        let vectors = texts.iter().map(vector).collect();
        async move { Ok(Embeddings { vectors, usage: None }) }.boxed()
    }
}

const FLOW: &str = "
steps:
  - route:
      subject: '= input'
      by: { embedding: embed }
      confidence: 0.7
      otherwise: { value: unsure }
      paths:
        billing: { examples: [My invoice is wrong., Another.], do: { value: billing } }
        other: { description: Of bells and so on., do: { value: other } }
";

/// A model that makes vectors, by whose means nobody counts.
pub(super) fn meaning() -> Arc<dyn Embedder> {
    counting(&Arc::default())
}

fn counting(asked: &Arc<AtomicUsize>) -> Arc<dyn Embedder> {
    let profile = Profile { dimensions: Some(3), most_texts: 100, ..Profile::default() };
    Arc::new(Meaning { profile, asked: Arc::clone(asked) })
}

fn open(folder: &tempfile::TempDir, asked: &Arc<AtomicUsize>) -> Adjutant {
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    project.models().insert_embedder("embed", counting(asked));
    Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap()
}

#[tokio::test]
async fn the_path_is_gone_that_has_the_likest_example() {
    let folder = folder(FLOW);
    let adjutant = open(&folder, &Arc::default());
    for (input, expected) in [
        ("An invoice came.", "billing"),
        ("The bell rings.", "other"),
        ("An invoice for a bell.", "other"),
        ("Ho hum.", "billing"),
    ] {
        assert_eq!(adjutant.run("flow", input).await.unwrap().text, expected, "{input}");
    }
    // What is like nothing that is there goes elsewhere.
    std::fs::write(folder.path().join("workflows/flow.yaml"), FLOW.replace(", Another.", "")).unwrap();
    let adjutant = open(&folder, &Arc::default());
    assert_eq!(adjutant.run("flow", "Ho hum.").await.unwrap().text, "unsure");
}

#[tokio::test]
async fn the_choice_is_recorded_and_needs_no_model_again() {
    let folder = folder(&format!("{FLOW}  - {{ person: 'Is it {{{{ last }}}}?' }}\n"));
    let counted = Arc::default();
    let first = open(&folder, &counted);
    let run = first.start("flow", Task::new("An invoice came.").id("one")).await.unwrap();
    let updates = run.drive();
    asked(&run).await;
    updates.stop().await.unwrap();
    let made = counted.load(Ordering::SeqCst);
    assert!(made > 0);
    drop((run, first));
    // Now there is no model for it any more.
    let project = Project::load(folder.path()).unwrap();
    let second = Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap();
    let run = second.start("flow", Task::new("An invoice came.").id("one")).await.unwrap();
    let waits = run.waits().await.unwrap();
    let Wait::Signal { name, request, .. } = &waits[0] else { panic!("{waits:?}") };
    assert!(request.as_str().contains("Is it billing?"), "{}", request.as_str());
    let answer = Answer::Accept(json!({ "answer": "Yes." }).as_object().cloned());
    run.answer(name, answer).await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Yes.");
    assert_eq!(counted.load(Ordering::SeqCst), made);
}

#[tokio::test]
async fn without_a_model_for_it_the_error_says_what_to_do() {
    let folder = folder(FLOW);
    let project = Project::load(folder.path()).unwrap();
    let adjutant =
        Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap();
    let error = adjutant.run("flow", "An invoice.").await.unwrap_err();
    assert_eq!(error.code(), Code::ModelUnknown);
    assert!(error.help().unwrap_or_default().contains("[models.embed]"), "{error:?}");
}

#[tokio::test]
async fn a_workflow_in_rust_chooses_so_too() {
    let folder = folder(FLOW);
    let adjutant = open(&folder, &Arc::default());
    let workflow = Workflow::new("choosing").run(|stage, input| async move {
        let paths = [("billing", "An invoice"), ("bells", "A bell")];
        let paths = paths.map(|(path, example)| (path.to_owned(), vec![example.to_owned()]));
        let choice = by_examples(&stage, "embed", &input, &paths).await?;
        Ok(input.part(json!([choice.path, choice.confidence])))
    });
    let reply = adjutant.run(&workflow, "An invoice for a bell").await.unwrap();
    assert_eq!(reply.data, Some(json!(["bells", 0.8])));
}

#[test]
fn what_is_wrong_with_such_a_route_is_told_with_its_place() {
    let wrong = "
steps:
  - route: { by: { embedding: embed, model: main }, paths: { a: { do: { value: 1 } }, b: { examples: [''], do: { value: 1 } } } }
  - route: { by: { model: main }, paths: { a: { description: A., examples: [x], do: { value: 1 } } } }
";
    let told = told(&adjutant::workflow::plan::parse("flow.yaml", wrong).unwrap_err());
    for expected in [
        "`steps[1].route.by` names a model or an agent beside `embedding`",
        "`steps[1].route.paths.a` has no `description`",
        "3:103 an example is empty",
        "`steps[2].route.paths.a.examples` is looked at by vectors alone",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

#[tokio::test]
async fn that_the_model_may_be_asked_is_decided() {
    let folder = folder(FLOW);
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let policies = "permit (principal, action, resource);\n";
    let write = |more: &str| {
        std::fs::write(folder.path().join("policies/models.cedar"), format!("{policies}{more}")).unwrap();
    };
    let asked = Arc::default();
    write("");
    assert_eq!(open(&folder, &asked).run("flow", "An invoice came.").await.unwrap().text, "billing");
    let before = asked.load(Ordering::SeqCst);
    assert!(before > 0);
    write("forbid (principal, action == Action::\"run.model\", resource);");
    let error = open(&folder, &asked).run("flow", "An invoice came.").await.unwrap_err();
    assert_eq!(error.code(), Code::RunDenied, "{error}");
    assert!(error.message().contains("`test/meaning` may not be asked"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), before);
}
