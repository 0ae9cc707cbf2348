//! Agents that hand the conversation over.

use std::sync::{Arc, Mutex};

use adjutant::agent::definition::{Handoff, Passes};
use adjutant::core::message::Role;
use adjutant::durable::{RunState, Wait};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::tool::Answer;
use futures::StreamExt;
use serde_json::{Value, json};

/// A turn that hands over to this agent.
fn to(agent: &str) -> Turn {
    hands(&format!("hand_off_to_{agent}"))
}

fn hands(tool: &str) -> Turn {
    Turn::calls([(tool, json!({ "reason": "It is theirs.", "needs": "The order is 1042." }))])
}

fn agent(name: &str) -> Agent {
    Agent::new(name).description("Does its part.").instructions("You do your part.").model(name)
}

/// What each model of a test was sent last, by its name.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// An Adjutant with a model for each of these agents, and what each was sent.
fn saying<const N: usize>(models: [(&'static str, Vec<Turn>); N]) -> (Adjutant, Heard) {
    let heard = Heard::default();
    let mut builder = Adjutant::builder().in_memory();
    for (name, turns) in models {
        let (heard, turns) = (Arc::clone(&heard), Mutex::new(turns.into_iter()));
        let model = Scripted::from_fn(move |request, _| {
            let last = request.messages.last().map(|message| message.text()).unwrap_or_default();
            heard.lock().unwrap().push((name.to_owned(), last));
            turns.lock().unwrap().next()
        });
        builder = builder.model(name, model.with_id(name));
    }
    (builder.build().unwrap(), heard)
}

fn heard_by(heard: &Heard, name: &str) -> Vec<String> {
    let heard = heard.lock().unwrap();
    heard.iter().filter(|(who, _)| who == name).map(|(_, text)| text.clone()).collect()
}

fn triage(handoff: Handoff, to: &Agent) -> Agent {
    agent("triage").hand_over(handoff).colleague(to)
}

#[tokio::test]
async fn the_conversation_moves_stays_and_comes_back() {
    let (adjutant, heard) = saying([
        ("triage", vec![to("billing"), Turn::text("Anything else?"), Turn::text("Bye.")]),
        ("billing", vec![Turn::text("It costs 5 EUR."), Turn::text("Yes, really."), hands("hand_back")]),
    ]);
    let billing = agent("billing");
    let triage = triage(Handoff::new("billing").returns(), &billing);
    let session = adjutant.session("ann");
    let first = session.say(&triage, "What does it cost?").await.unwrap();
    assert_eq!((first.text.as_str(), first.stop), ("It costs 5 EUR.", Stop::Answered));
    assert_eq!(first.handed_to.unwrap().agent, "billing");
    let second = session.say(&triage, "Really?").await.unwrap();
    assert_eq!(second.text, "Yes, really.");
    assert_eq!(heard_by(&heard, "triage").len(), 1, "who has handed over is not asked");
    let third = session.say(&triage, "Thanks.").await.unwrap();
    assert_eq!((third.text.as_str(), third.handed_to), ("Anything else?", None));
    assert_eq!(session.say(&triage, "No.").await.unwrap().text, "Bye.");

    let billing = heard_by(&heard, "billing");
    assert!(billing[0].contains("The person said:\nWhat does it cost?"), "{billing:?}");
    assert!(billing[0].contains("`triage` has handed this conversation over"), "{billing:?}");
    assert!(billing[0].contains("The order is 1042."), "{billing:?}");
    assert!(billing[1].contains("The person was told:\nIt costs 5 EUR."), "{billing:?}");
    assert!(billing[1].ends_with("The person says now:\nReally?"), "{billing:?}");
    let history = session.history().await.unwrap();
    let said = history.iter().filter(|message| message.role == Role::Assistant);
    let said: Vec<String> =
        said.map(adjutant::core::message::Message::text).filter(|text| !text.is_empty()).collect();
    assert_eq!(said, ["It costs 5 EUR.", "Yes, really.", "Anything else?", "Bye."]);
    assert_eq!(adjutant::core::message::transcript_fault(&history), None);
}

#[tokio::test]
async fn what_goes_with_it_is_what_was_said() {
    let run = async |context| {
        let (adjutant, heard) = saying([
            ("triage", vec![to("billing")]),
            // It gives the session its title, too.
            ("fast", vec![Turn::text("SHORT"), Turn::text("SHORT")]),
            ("billing", vec![Turn::text("Paid."), Turn::text("Yes.")]),
        ]);
        let billing = agent("billing");
        let triage = triage(Handoff::new("billing").context(context), &billing);
        let session = adjutant.session("ann");
        session.say(&triage, "SECRET: pay it.").await.unwrap();
        session.say(&triage, "Paid?").await.unwrap();
        heard_by(&heard, "billing")
    };
    let all = run(Passes::All).await;
    assert!(all[0].contains("SECRET") && all[1].contains("SECRET"), "{all:?}");
    let summary = run(Passes::Summary).await;
    assert!(!summary[0].contains("SECRET") && summary[0].contains("SHORT"), "{summary:?}");
    assert!(!summary[1].contains("SECRET") && summary[1].contains("SHORT"), "{summary:?}");
    // What it was told when it was first asked, it is told again.
    let last = run(Passes::Last(1)).await;
    assert!(
        last[0].contains("SECRET") && last[1].contains("SECRET") && last[1].contains("Paid."),
        "{last:?}"
    );
    let none = run(Passes::None).await;
    assert!(!none[0].contains("SECRET") && none[0].contains("The order is 1042."), "{none:?}");
    assert!(!none[1].contains("SECRET") && none[1].contains("The person was told:\nPaid."), "{none:?}");
}

#[tokio::test]
async fn it_goes_on_to_others_and_not_in_a_circle() {
    let (adjutant, heard) = saying([
        ("triage", vec![to("billing"), to("billing"), Turn::text("I do it myself.")]),
        ("billing", vec![to("returns")]),
        ("returns", vec![to("billing"), to("triage")]),
    ]);
    let returns = agent("returns").hand_over(Handoff::new("billing")).hand_over(Handoff::new("triage"));
    let billing = agent("billing").handoff(&returns);
    let reply = adjutant.run(&agent("triage").handoff(&billing), "Help.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.handed_to), ("I do it myself.", None));
    let returns = heard_by(&heard, "returns");
    assert!(returns[0].contains("`billing` has handed this conversation over"), "{returns:?}");
    assert_eq!(returns.len(), 2, "it is refused once: {returns:?}");
    let triage = heard_by(&heard, "triage");
    assert!(triage[1].contains("`returns` hands the conversation back"), "{triage:?}");
    assert!(triage[2].contains("`billing` has not got the conversation"), "{triage:?}");
}

#[tokio::test]
async fn there_are_only_so_many_in_a_turn() {
    let (adjutant, heard) = saying([
        ("triage", vec![to("billing")]),
        ("billing", vec![to("returns"), Turn::text("Then I answer.")]),
        ("returns", vec![]),
    ]);
    let billing = agent("billing").handoff(&agent("returns"));
    let most = adjutant::agent::definition::handoffs(1);
    let reply = adjutant.run(&agent("triage").handoff(&billing).limit(most), "Help.").await.unwrap();
    assert_eq!((reply.text.as_str(), heard_by(&heard, "returns").len()), ("Then I answer.", 0));
}

#[tokio::test]
async fn an_agent_that_fails_leaves_it_where_it_was() {
    let (adjutant, heard) = saying([
        ("triage", vec![to("billing"), Turn::text("It is out of order.")]),
        ("billing", vec![Turn::text("no JSON"), Turn::text("none again")]),
    ]);
    let billing = agent("billing").output_schema(json!({ "type": "object", "required": ["total"] }));
    let reply = adjutant.run(&agent("triage").handoff(&billing), "Help.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.handed_to), ("It is out of order.", None));
    assert!(heard_by(&heard, "triage")[1].contains("it gave no answer"));
}

#[tokio::test]
async fn a_person_answers_in_its_place_or_helps_it() {
    for (returns, expected) in [(false, "Refund it."), (true, "I have been told.")] {
        let (adjutant, _) = saying([(
            "triage",
            vec![to("person"), Turn::text("I have been told.").expecting_last("Refund it.")],
        )]);
        let handoff = Handoff { returns, ..Handoff::new(Handoff::PERSON) };
        let run = adjutant.start(&agent("triage").hand_over(handoff), "Help.").await.unwrap();
        let mut updates = run.drive();
        while let Some(update) = updates.next().await {
            if update.unwrap() == Update::State(RunState::Waiting) {
                let waits = run.waits().await.unwrap();
                let Some(Wait::Signal { name, .. }) = waits.first() else { panic!("it waits for {waits:?}") };
                let values: Value = json!({ "answer": "Refund it." });
                run.answer(name, Answer::Accept(values.as_object().cloned())).await.unwrap();
            }
        }
        let reply = run.outcome().await.unwrap();
        assert_eq!((reply.text.as_str(), reply.handed_to), (expected, None), "{returns}");
    }
}

/// A desk of three agents that hand over to each other, under this policy.
fn project(policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for (name, to) in [
        ("triage", "[billing, { agent: returns, context: none, returns: true }]"),
        ("billing", "{ returns: { context: summary }, triage: {} }"),
        ("returns", "[billing]"),
    ] {
        let text =
            format!("---\nmodel: {name}\ndescription: Does {name}.\nhandoffs: {to}\n---\nYou do {name}.\n");
        write(&format!("agents/{name}.md"), &text);
    }
    write("policies/all.cedar", policy);
    write("adjutant.toml", "[models]\ntriage = \"offline\"\nbilling = \"offline\"\nreturns = \"offline\"\n");
    folder
}

fn opened(folder: &tempfile::TempDir, models: [(&'static str, Vec<Turn>); 3]) -> Adjutant {
    let mut builder = Adjutant::builder().project(Project::load(folder.path()).unwrap());
    for (name, turns) in models {
        builder = builder.model(name, Scripted::new(turns).with_id(name));
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn agents_of_a_project_hand_over_to_each_other() {
    let folder = project("@id(\"all\") permit (principal, action, resource);");
    let adjutant = opened(
        &folder,
        [
            ("triage", vec![to("returns")]),
            ("returns", vec![to("billing")]),
            ("billing", vec![Turn::text("Done.")]),
        ],
    );
    let reply = adjutant.run("triage", "Help.").await.unwrap();
    assert_eq!(reply.text, "Done.");
    assert_eq!(reply.handed_to.unwrap().by, ["returns", "triage"]);
    let names: Vec<String> = adjutant.runs(9).await.unwrap().into_iter().map(|info| info.name).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn whether_it_moves_is_decided_each_turn_and_for_all_who_work_for_each_other() {
    let policy = "@id(\"all\") permit (principal, action, resource);\n\
                  @id(\"no\") @tell(\"not to billing\") forbid (principal, action == Action::\"run.agent\", resource == Agent::\"billing\");";
    let folder = project(policy);
    let adjutant = opened(
        &folder,
        [
            ("triage", vec![to("billing"), Turn::text("Then not.").expecting_last("not to billing")]),
            ("returns", vec![]),
            ("billing", vec![Turn::text("Done.")]),
        ],
    );
    assert_eq!(adjutant.run("triage", "Help.").await.unwrap().text, "Then not.");
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_nearest_right_one() {
    let folder = project("");
    let text = "---\nmodel: offline\nhandoffs: [biling, person]\n---\nHi.\n";
    std::fs::write(folder.path().join("agents/front.md"), text).unwrap();
    let error = Project::load(folder.path()).unwrap_err();
    let told: Vec<String> =
        error.iter().map(|error| format!("{error} | {}", error.help().unwrap_or_default())).collect();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.ends_with("front.md:3:12: there is no agent `biling` | did you mean `billing`?"), "{told}");
}

#[tokio::test]
async fn it_survives_the_process_in_the_turn_that_moves_it_and_in_those_that_follow() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let builder = Adjutant::builder().store(folder.path().join("runs.db"));
        let builder = builder.model("triage", Scripted::new([to("billing")]).with_id("triage"));
        builder.model("billing", Scripted::new([to("person")]).with_id("billing")).build().unwrap()
    };
    let billing = agent("billing").hand_over(Handoff::new(Handoff::PERSON));
    let triage = agent("triage").handoff(&billing);
    for (id, said) in [("one", "Refund it."), ("two", "Yes.")] {
        let task = || Task::new("Help.").id(id);
        let first = open();
        let run = first.session("ann").start(&triage, task()).await.unwrap();
        let mut updates = run.drive();
        let (below, signal) = loop {
            let Update::Event(event) = updates.next().await.unwrap().unwrap() else { continue };
            if let EventKind::QuestionAsked { signal, .. } = event.kind {
                break (event.run, signal);
            }
        };
        updates.stop().await.unwrap();
        drop((run, first));
        let second = open();
        let run = second.session("ann").start(&triage, task()).await.unwrap();
        let values = json!({ "answer": said });
        let answer = Answer::Accept(values.as_object().cloned());
        second.handle(&below).answer(&signal, answer).await.unwrap();
        let reply = run.reply().await.unwrap();
        assert_eq!((reply.text.as_str(), reply.handed_to.unwrap().agent.as_str()), (said, "billing"));
    }
}

#[tokio::test]
async fn the_latest_that_was_said_goes_with_it_and_nothing_before() {
    let (adjutant, heard) = saying([
        ("triage", vec![Turn::text("Go on."), Turn::text("I see."), to("billing")]),
        ("fast", vec![Turn::text("SHORT")]),
        ("billing", vec![Turn::text("Paid.")]),
    ]);
    let billing = agent("billing");
    let triage = triage(Handoff::new("billing").context(Passes::Last(3)), &billing);
    let session = adjutant.session("ann");
    for text in ["SECRET one", "two", "three"] {
        session.say(&triage, text).await.unwrap();
    }
    let heard = heard_by(&heard, "billing").remove(0);
    assert!(!heard.contains("SECRET") && !heard.contains("Go on."), "{heard}");
    assert!(heard.contains("two") && heard.contains("I see.") && heard.contains("three"), "{heard}");
}
