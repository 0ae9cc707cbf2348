//! Steps that wait for events, as files.

use std::time::Duration;

use adjutant::durable::Wait;
use adjutant::model::scripted::Scripted;
use adjutant::prelude::{Adjutant, Agent, Project, Run, Task, Workflow, tool};
use serde_json::json;

use crate::crews::told;
use crate::workflows::{Counter, folder, made, obey, open as open_alone};

const SUM: &str = "
input: { type: array, items: { type: integer } }
steps:
  - events:
      first: { order: '= input' }
      kinds: { number: { type: integer } }
      steps:
        split: { on: order, emits: [{ kind: number, each: '= event', when: item < 100 }, { kind: noted, data: '= size(event)' }] }
        square: { on: number, workers: 2, do: { value: '= event * event' }, emits: { kind: square } }
        sum:
          on: { square: 3, noted: 1 }
          do: { agent: writer, task: '{{ events.square[0] + events.square[1] + events.square[2] }} of {{ events.noted[0] }}' }
          emits: { kind: end, data: 'all: {{ result }}' }
";

#[tokio::test]
async fn events_are_split_worked_on_and_collected() {
    assert_eq!(made(SUM, "[1, 2, 300, 3]").await, "all: <14 of 4>");
    let missing = made(SUM, "[1, 2]").await;
    assert!(missing.contains("no step has the events that it waits for"), "{missing}");
    let wrong = made(
        &SUM.replace("each: '= event'", "each: '= [1, event]'").replace("when: item < 100", "when: 'true'"),
        "[1]",
    )
    .await;
    assert!(wrong.contains("an event of the kind `number` does not fit its schema"), "{wrong}");
    let endless = "
steps:
  - events:
      first: { go: 1 }
      most: 5
      steps:
        again: { on: go, emits: [{ kind: go }, { kind: end, when: 'false' }] }
";
    assert!(made(endless, "x").await.contains("there were more than 5 events"));
}

/// What a run waits for, once that is somebody outside. Its state tells too little: it waits for those that it asks as well.
pub(super) async fn asked(run: &Run) -> Vec<Wait> {
    let began = std::time::Instant::now();
    loop {
        let waits = run.waits().await.unwrap();
        if waits.iter().any(|wait| matches!(wait, Wait::Signal { .. })) {
            return waits;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{waits:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const APPROVAL: &str = "
steps:
  - events:
      first: { asked: '= input' }
      kinds: { approved: { type: object, required: [by] } }
      steps:
        draft: { on: asked, do: { agent: writer, task: '= event' }, emits: { kind: drafted } }
        wait: { on: drafted, from_outside: { kind: approved, request: { text: '= event' } } }
        print:
          on: { drafted: 1, approved: 1 }
          emits: { kind: end, data: '{{ events.drafted[0] }} by {{ events.approved[0].by }}' }
";

#[tokio::test]
async fn an_event_comes_from_outside_and_a_run_waits_for_it_over_the_end_of_its_process() {
    let folder = folder(APPROVAL);
    let open = || {
        let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
        Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap()
    };
    let task = || Task::new("bells").id("one");
    let first = open();
    let run = first.start("flow", task()).await.unwrap();
    let updates = run.drive();
    let waits = asked(&run).await;
    let is_asked = |wait: &Wait| {
        matches!(wait, Wait::Signal { name, request, .. }
            if name == "approved" && request.as_str() == r#"{"text":"<bells>"}"#)
    };
    assert!(waits.iter().any(is_asked), "{waits:?}");
    let refused = run.signal("answer:x", 1).await.unwrap_err();
    assert!(refused.message().contains("waits for a person"), "{refused}");
    updates.stop().await.unwrap();
    drop((run, first));
    let second = open();
    let run = second.start("flow", task()).await.unwrap();
    run.signal("approved", json!({ "by": "Ann" })).await.unwrap();
    let reply = run.reply().await.unwrap();
    assert_eq!(reply.text, "<bells> by Ann");
    assert!(!reply.label.unwrap().is_trusted(), "what comes from outside is not trusted");
}

/// Reads what a stranger wrote.
#[tool(pure)]
fn letters() -> &'static str {
    "evil"
}

#[tokio::test]
async fn what_decides_who_works_has_a_say_in_what_comes_of_it() {
    let label = |steps: &'static str| async move {
        let flow = format!("steps: [{{ id: read, tool: letters }}, {{ value: 1 }}, {steps}]");
        let parsed = adjutant::workflow::plan::parse("flow.yaml", &flow)
            .unwrap_or_else(|errors| panic!("{errors:#?}"));
        let planned = adjutant::workflow::Planned::new(parsed.plan);
        let writer = Agent::new("writer").instructions("Write.");
        let workflow = Workflow::new("flow").tool(letters).agent(&writer).directed_by(planned);
        open_alone(&Counter::default()).run(&workflow, "go").await.unwrap().label.unwrap().is_trusted()
    };
    for flow in [
        "{ events: { first: { go: 1 }, steps: { a: { on: go, emits: { kind: end, data: 1 } } } } }",
        "{ chat: { opening: go, speakers: [writer], turns: 1 } }",
        "{ crew: { members: { w: { agent: writer } }, tasks: [{ id: a, description: '{{ read }}', by: w }, { description: x, by: w, context: [] }] } }",
    ] {
        assert!(label(flow).await, "{flow}");
    }
    for flow in [
        "{ events: { first: { go: '= read' }, steps: { a: { on: go, emits: { kind: end, data: 1 } } } } }",
        "{ events: { first: { go: 1 }, steps: { a: { on: go, emits: { kind: end, data: 1, when: read != '' } } } } }",
        "{ events: { first: { go: 1 }, steps: { a: { on: go, emits: { kind: b, data: 1, each: '= [read]' } }, c: { on: b, emits: { kind: end, data: 1 } } } } }",
        "{ chat: { opening: go, speakers: [writer], turns: 1, next: \"= read == 'evil' ? 'writer' : ''\" } }",
        "{ chat: { opening: '= read', speakers: [writer], turns: 1, output: 1 } }",
        "{ chat: { opening: go, speakers: [writer], turns: 1, until: read == '', output: 1 } }",
        "{ events: { first: { go: 1 }, steps: { a: { on: go, emits: [{ kind: end, data: 1, when: read == '' }, { kind: end, data: 2 }] } } } }",
        "{ crew: { members: { w: { agent: writer } }, tasks: [{ description: x, by: w, gate: { when: read == '', end: 1 } }] } }",
        "{ value: 1, gate: { when: read == '', otherwise: { value: 2 } } }",
        "{ value: '= int(read)', or_else: 2 }",
        "{ parallel: { a: { value: '= int(read)' }, b: { value: 2 } }, join: rest }",
        "{ map: [1, 2], do: { value: '= index == 0 ? int(read) : 2' }, join: rest }",
        "{ value: 1, gate: { when: read == '' }, or_else: 2 }",
        "{ route: { subject: go, paths: { a: { when: read == '', do: { value: 1 } } } }, or_else: 2 }",
        "{ map: '= read', do: { value: 1 }, or_else: 2 }",
        "{ chat: { opening: go, speakers: [writer], next: '= read' }, or_else: 2 }",
        "{ crew: { members: { w: { agent: writer } }, rounds: 1, tasks: [{ description: x, by: w, gate: { when: read == '' } }] }, or_else: 2 }",
        "{ events: { first: { go: '= read' }, kinds: { go: { type: integer } }, steps: { a: { on: go, emits: { kind: end } } } }, or_else: 2 }",
        "{ crew: { members: { w: { agent: writer } }, tasks: [{ description: '{{ read }}', by: w }] } }",
        "{ crew: { members: { w: { agent: writer } }, tasks: [{ id: a, description: '{{ read }}', by: w }, { description: x, by: w }] } }",
    ] {
        assert!(!label(flow).await, "{flow}");
    }
}

#[test]
fn what_is_wrong_with_events_is_told_with_its_place() {
    let wrong = "
steps:
  - events:
      first: { strted: 1 }
      kinds: { no: { type: text } }
      steps:
        one: { on: started, do: { value: '= evnt' }, emits: { kind: secnd } }
        two: { on: second, emits: { kind: third } }
        end: { on: end, from_outside: { kind: x }, do: { value: 1 } }
";
    let errors = adjutant::workflow::plan::parse("flow.yaml", wrong).unwrap_err();
    let told = told(&errors);
    for expected in [
        "`kinds` is no JSON schema",
        "7:42 there is no value `evnt` here | did you mean `event`?",
        "`end` cannot be the kind of an event that a step waits for",
        "`steps[1].events.steps.end` waits for somebody outside, and does nothing else",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
    let wrong = "
steps:
  - events:
      first: { strted: 1 }
      kinds: { odd: { type: object } }
      steps:
        one: { on: started, emits: { kind: secnd } }
        two: { on: second, emits: { kind: started } }
";
    let errors = adjutant::workflow::plan::parse("flow.yaml", wrong).unwrap_err();
    let told = self::told(&errors);
    for expected in [
        "4:16 no step waits for the first event `strted` | did you mean `started`?",
        "5:16 nothing gives rise to events of the kind `odd`",
        "7:14 the step `one` gives rise to `secnd`, and no step waits for it | did you mean `second`?",
        "8:14 the step `two` waits for `second`, and nothing gives rise to it | did you mean `secnd`?",
        "no step gives rise to the event that ends it all",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

#[tokio::test]
async fn events_in_rust_have_schemas_and_come_from_outside_as_well() {
    use adjutant::prelude::Item;
    use adjutant::workflow::pattern::{Event, Events};

    let workflow = |wanted: &'static str| {
        Workflow::new("votes").run(move |stage, input| async move {
            let events = Events::new()
                .kind("vote", &json!({ "type": wanted }))
                .on("ask", "start", 1, |_, event| async move {
                    Ok(["ann", "ben"].map(|who| Event::new("asked", event.data.part(who))).into())
                })
                .from_outside("wait", "asked", 2, "vote", |event| json!({ "who": event.data.value }))
                .collect("count", [("vote", 2)], 1, |_, votes| async move {
                    let all: Vec<_> = votes.iter().map(|vote| vote.data.value.clone()).collect();
                    Ok(vec![Event::end(Item::made_of(all, votes.iter().map(|vote| &vote.data)))])
                });
            events.run(&stage, Event::new("start", input)).await
        })
    };
    let adjutant = open_alone(&Counter::default());
    let run = adjutant.start(&workflow("integer"), "go").await.unwrap();
    // One comes before anybody waits for it.
    run.signal("vote", 1).await.unwrap();
    run.signal("vote", 2).await.unwrap();
    let reply = tokio::time::timeout(Duration::from_secs(20), run.reply()).await.unwrap().unwrap();
    assert_eq!(reply.data, Some(json!([1, 2])));
    assert!(!reply.label.unwrap().is_trusted());
    let run = adjutant.start(&workflow("string"), "go").await.unwrap();
    run.signal("vote", 1).await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(20), run.reply()).await.unwrap().unwrap_err();
    assert!(error.message().contains("an event of the kind `vote` does not fit its schema"), "{error}");
}
