//! `adjutant policy flow`: what tools do with information, and who has too much at once.

use crate::sandbox::Sandbox;

const TOOLS: &str = r#"
[tools.letters]
type = "command"
description = "Reads the letters."
command = ["true"]
effect = "pure"
flow = { source = "mail", readers = ["staff"], egress = false, issued = ["id"] }

[tools.mail]
type = "command"
description = "Sends a letter."
command = ["true"]
effect = "at_most_once"

[tools.mail.parameters]
to = { type = "string", description = "To whom." }
text = { type = "string", description = "What." }

[tools.mail.flow.arguments]
text = "content"
"#;

fn project(agent: &str, tools: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent(agent);
    sandbox.write("adjutant.toml", tools);
    sandbox
}

#[test]
fn the_table_shows_what_is_said_and_what_is_derived() {
    let sandbox = project("tools: [letters, mail]", TOOLS);
    let seen = sandbox.run(&["policy", "flow"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    for expected in ["mail", "no?", "staff", "command:mail", "to:recipient?", "text:content", "yes?"] {
        assert!(seen.contains(expected), "{expected}: {seen}");
    }
    assert!(!seen.contains("text:content?"), "{seen}");
    assert!(seen.contains("reads what anybody may have written (letters, mail)"), "{seen}");
    assert!(seen.contains("can carry it out (mail)"), "{seen}");
    let json = sandbox.run(&["policy", "flow", "--json"]);
    assert!(json.contains(r#""exposed":true"#) || json.contains(r#""exposed": true"#), "{json}");
}

#[test]
fn one_of_the_three_taken_away_is_enough() {
    let sandbox = project("tools: [letters]", TOOLS);
    assert!(!sandbox.run(&["policy", "flow"]).contains("warning"));
    let quarantined = project("tools: [letters, mail]\nquarantine: [letters, mail]", TOOLS);
    let seen = quarantined.run(&["policy", "flow"]);
    assert!(!seen.contains("(letters"), "{seen}");
}

#[test]
fn a_mistake_has_its_place_and_the_right_word() {
    for (flow, expected) in [
        ("flow = { souce = \"mail\" }", "did you mean `source`?"),
        ("flow = { arguments = { too = \"recipient\" } }", "did you mean `to`?"),
        ("flow = { arguments = { to = \"recipent\" } }", "did you mean `recipient`?"),
        ("flow = { tools = { mial = { trusted = true } } }", "did you mean `mail`?"),
    ] {
        let tools = TOOLS.replace("\n[tools.mail.flow.arguments]\ntext = \"content\"\n", "");
        let tools = tools.replace("effect = \"at_most_once\"", &format!("effect = \"at_most_once\"\n{flow}"));
        let seen = project("tools: [mail]", &tools).run(&["check"]);
        assert!(seen.starts_with("exit 2") && seen.contains(expected), "{flow}: {seen}");
    }
    let seen = project("tools: [mail]\nflow: { mial: { trusted: true } }", TOOLS).run(&["check"]);
    assert!(seen.contains("`flow` names `mial`") && seen.contains("did you mean `mail`?"), "{seen}");
    let seen = project("tools: [mail]\nendorse: [enumm]", TOOLS).run(&["check"]);
    assert!(seen.contains("did you mean `enum`?"), "{seen}");
}
