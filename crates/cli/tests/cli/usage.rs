//! `adjutant usage`.

use crate::sandbox::{Sandbox, sees};

#[test]
fn what_agents_took_is_told_by_day_and_person_and_outlives_them() {
    let sandbox = Sandbox::with_agent("");
    sees!(sandbox.run(&["usage"]), @"
    exit 0
    --- stderr
    nothing was used
    ");
    for arguments in [&["run", "--user", "ann", "Hello!"][..], &["run", "Hello!"]] {
        assert!(sandbox.run(arguments).starts_with("exit 0"));
    }
    let told = sandbox.json(&["usage"]);
    let [of_nobody, of_ann] = told["agents"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&of_nobody["user"], &of_ann["user"]), (&serde_json::Value::Null, &"ann".into()), "{told}");
    assert_eq!((&of_ann["agent"], &of_ann["calls"]), (&"desk".into(), &1.into()), "{told}");
    let tokens = of_ann["tokens"].as_u64().unwrap() + of_nobody["tokens"].as_u64().unwrap();
    assert!(sandbox.run(&["runs", "erase", "--user", "ann"]).starts_with("exit 0"));
    let told = sandbox.json(&["usage"]);
    let [all] = told["agents"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&all["calls"], &all["tokens"]), (&2.into(), &tokens.into()), "{told}");
    let day = all["day"].as_str().unwrap();
    assert!(sandbox.run(&["usage", "--from", day]).contains("desk"));
    assert!(sandbox.run(&["usage", "--until", "2020-01-01"]).contains("nothing was used"));
    sees!(sandbox.run(&["usage", "--from", "monday"]), @r#"
    exit 2
    --- stderr
    error[input-invalid]: `from` is no day: `monday`

    hint: a day is written as `2026-12-01`
    "#);
}
