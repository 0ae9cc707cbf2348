//! The guide to the interface.

use std::process::{Command, Stdio};

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;

use crate::kit::Kit;

const GUIDE: &str = include_str!("../../../../docs/api.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_guide_are_answered_well() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "curl is missing");
        return;
    }
    let files = [
        ("adjutant.toml", "[tools.now]\ntype = \"time\"\n"),
        ("agents/desk.md", "---\nmodel: main\ntools: [now]\n---\nHelp.\n"),
        ("policies/all.cedar", "permit (principal, action, resource);\n"),
    ];
    let model = Scripted::from_fn(|_, _| Some(Turn::text("It is on its way.")));
    let kit = Kit::of(&files, model, Settings::default()).await;
    let client = kit.client(Role::Admin).await;
    let blocks: Vec<&str> =
        GUIDE.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 5);
    for block in blocks {
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-e", "-c", block]).env("ADJUTANT", &client.base).env("NO_PROXY", "*");
        let played = shell.env("KEY", client.token.as_ref().unwrap()).output().await.unwrap();
        assert!(played.status.success(), "{block}{}", String::from_utf8_lossy(&played.stderr));
    }
}
