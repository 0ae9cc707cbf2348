//! `adjutant versions`.

use crate::sandbox::{Sandbox, sees};

/// The first digits of the version that has a label.
fn version(sandbox: &Sandbox, label: &str) -> String {
    let listed = sandbox.json(&["versions", "list"]);
    let row = listed.as_array().unwrap().iter().find(|row| row["labels"][0] == label).unwrap();
    row["version"]["definition"].as_str().unwrap()[..12].to_owned()
}

#[test]
fn versions_are_published_labelled_and_taken_back() {
    let sandbox = Sandbox::with_agent("description: Helps.");
    sees!(sandbox.run(&["versions"]), @"
    exit 0
    --- stderr
    nothing is published: runs use the project's files; `adjutant versions publish NAME` publishes them
    ");
    sandbox.run(&["versions", "publish", "desk", "--label", "stable", "--as", "ann"]);
    let one = version(&sandbox, "stable");
    sandbox.write("agents/desk.md", "---\nmodel: main\ndescription: Helps.\n---\nYou help at once.\n");
    let published = sandbox.run(&["versions", "publish", "desk", "--label", "canary", "--as", "bob"]);
    let two = version(&sandbox, "canary");
    assert!(published.contains(&format!("desk {two} is published")), "{published}");
    let named = |text: String| text.replace(&one, "[one]").replace(&two, "[two]");
    sees!(named(sandbox.run(&["versions", "diff", "desk", "stable", "files"])), @"
    exit 0
    --- stdout
    /instructions
    - You help.
    + You help at once.
    ");
    sees!(named(sandbox.run(&["versions", "split", "desk", "stable=90", "canary=9"])), @"
    exit 2
    --- stderr
    error[input-invalid]: the shares are 99 together, and must be 100

    hint: write them as `stable=90 canary=10`
    ");
    sees!(named(sandbox.run(&["versions", "split", "desk", "stable=90", "canary=10", "--as", "ann"])), @"
    exit 0
    --- stderr
    desk: new runs are split stable=90 canary=10
    ");
    sees!(named(sandbox.run(&["versions", "unlabel", "desk", "canary"])), @"
    exit 1
    --- stderr
    error[conflict]: the split names the label `canary`

    hint: share new runs otherwise, or end the split: `adjutant versions split NAME --end`
    ");
    sees!(named(sandbox.run(&["versions", "split", "desk", "--end", "--as", "ann"])), @"
    exit 0
    --- stderr
    desk: new runs are not split any more
    ");
    sees!(named(sandbox.run(&["versions", "label", "desk", "canary", "stable", "--as", "ann"])), @"
    exit 0
    --- stderr
    desk: stable went from [one] to [two]
    ");
    sees!(named(sandbox.run(&["versions", "rollback", "desk", "--as", "eve"])), @"
    exit 0
    --- stderr
    desk: stable went from [two] to [one], back
    ");
    sees!(named(sandbox.run(&["versions", "list"])), @"
    exit 0
    --- stdout
    name  version  labels  by  at
    desk  [two]  canary  bob  [moment]
    desk  [one]  stable  ann  [moment]
    ");
    sees!(named(sandbox.run(&["versions", "log", "desk"])), @"
    exit 0
    --- stdout
    at  by  what
    [moment]  ann  desk: [one] was published
    [moment]  ann  desk: stable went from nothing to [one]
    [moment]  bob  desk: [two] was published
    [moment]  bob  desk: canary went from nothing to [two]
    [moment]  ann  desk: new runs are split stable=90 canary=10
    [moment]  ann  desk: new runs are not split any more
    [moment]  ann  desk: stable went from [one] to [two]
    [moment]  eve  desk: stable went from [two] to [one], back
    ");
    let run = ["run", "--agent", "desk@canary", "Hello"];
    assert!(sandbox.run(&run).starts_with("exit 0"));
    let shown = named(sandbox.run(&["runs", "show", &sandbox.newest()]));
    assert!(shown.contains("version [two] (canary)"), "{shown}");
    sees!(sandbox.run(&["run", "--agent", "desk@canry", "Hello"]), @"
    exit 2
    --- stderr
    error[not-found]: `desk` has no version `canry`

    hint: did you mean `desk@canary`?
    ");
    sees!(sandbox.run(&["versions", "publish", "desk@canary"]), @"
    exit 2
    --- stderr
    error[input-invalid]: what is published is what the project's files say

    hint: name the agent or workflow alone; `adjutant versions label` labels what was published
    ");
    sandbox.write("agents/desk.md", "---\nmodle: main\n---\n");
    assert!(
        sandbox.run(&["versions", "unlabel", "desk", "canary"]).contains("exit 0"),
        "a broken project keeps nobody from it"
    );
    assert!(sandbox.run(&["versions", "show", "desk@stable"]).contains("You help."));
}
