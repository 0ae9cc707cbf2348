//! `adjutant workflows`.

use crate::sandbox::{Sandbox, sees};

#[test]
fn workflows_are_listed_shown_and_drawn() {
    let sandbox = Sandbox::with_agent("description: Helps.");
    sees!(sandbox.run(&["workflows", "list"]), @"
    exit 0
    --- stderr
    the project has no workflows; write one: workflows/NAME.yaml
    ");
    let flow = "description: Asks twice.\nsteps:\n  - id: first\n    agent: desk\n  - parallel: { a: { agent: desk }, b: { value: '<b>' } }\n";
    sandbox.write("workflows/twice.yaml", flow);
    sees!(sandbox.run(&["workflows", "list"]), @"
    exit 0
    --- stdout
    workflow  agents  tools  what it is for
    twice  desk  Asks twice.
    ");
    sees!(sandbox.run(&["workflows", "list", "--json"]), @r#"
    exit 0
    --- stdout
    [{"agents":["desk"],"description":"Asks twice.","file":"workflows/twice.yaml","name":"twice","tools":[]}]
    "#);
    sees!(sandbox.run(&["workflows", "show", "twice"]), @"
    exit 0
    --- stdout
    twice: Asks twice.
    - first: agent desk
    - at the same time
      - agent desk
      - value
    ");
    sees!(sandbox.run(&["workflows", "draw", "twice"]), @r#"
    exit 0
    --- stdout
    flowchart TD
      subgraph g0["at the same time"]
        n2["agent desk"]
        n3["value"]
      end
      n0(["start"])
      n1["first<br/>agent desk"]
      n4(["end"])
      n1 -->|"a"| n2
      n1 -->|"b"| n3
      n0 --> n1
      n2 --> n4
      n3 --> n4
    "#);
    sees!(sandbox.run(&["workflows", "draw", "twise"]), @"
    exit 2
    --- stderr
    error[not-found]: there is no workflow `twise`

    hint: did you mean `twice`?
    ");
    sees!(sandbox.run(&["workflows", "draw", "twice", "-o", "twice.svg"]), @"
    exit 0
    ");
    sees!(sandbox.run(&["workflows", "draw", "twice", "-o", "twice.png"]), @"
    exit 2
    --- stderr
    error[input-invalid]: nothing is drawn as `.png`

    hint: write to a file `.svg`, `.mmd` or `.md`
    ");
    // What hands a conversation over is drawn as well.
    sandbox.write("agents/front.md", "---\nmodel: main\nhandoffs: [{ agent: desk, context: summary, returns: true }, person]\n---\nHelp.\n");
    sees!(sandbox.run(&["workflows", "draw", "front"]), @r#"
    exit 0
    --- stdout
    flowchart TD
      n0(["conversation"])
      n1["front"]
      n2["desk"]
      n3{"person"}
      n0 --> n1
      n1 -->|"a summary"| n2
      n2 -.->|"back"| n1
      n1 -->|"all that was said"| n3
    "#);
    let svg = std::fs::read_to_string(sandbox.path("twice.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains(">agent desk</text>"), "{svg}");
    let published = include_str!("../../../../docs/workflow.schema.json");
    assert!(sandbox.run(&["workflows", "schema"]).contains(published.trim_end()));
}

#[test]
fn a_workflow_is_sent_the_event_that_it_waits_for() {
    let sandbox = Sandbox::with_agent("description: Helps.");
    let flow = "
steps:
  - events:
      first: { asked: '= input' }
      steps:
        wait: { on: asked, from_outside: { kind: approved, request: { text: May it be sent? } } }
        send: { on: approved, emits: { kind: end, data: 'as {{ event.by }} said' } }
";
    sandbox.write("workflows/letter.yaml", flow);
    let waits = sandbox.run(&["run", "--agent", "letter", "go"]);
    let run = sandbox.newest();
    assert!(waits.starts_with("exit 3") && waits.contains("runs signal"), "{waits}");
    sees!(sandbox.run(&["runs", "signal", &run, "aproved"]), @"
    exit 1
    --- stderr
    error[conflict]: nothing in the run `[run]` waits for the event `aproved`

    hint: did you mean `approved`?
    ");
    let said = sandbox.run(&["runs", "signal", &run, "approved", "{\"by\": \"Ann\"}"]);
    assert!(said.starts_with("exit 0") && said.contains("as Ann said"), "{said}");
}
