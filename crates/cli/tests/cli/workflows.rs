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
    let svg = std::fs::read_to_string(sandbox.path("twice.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains(">agent desk</text>"), "{svg}");
    let published = include_str!("../../../../docs/workflow.schema.json");
    assert!(sandbox.run(&["workflows", "schema"]).contains(published.trim_end()));
}
