//! Schemathesis holds the service to its OpenAPI document: it asks every operation with what the document allows and with what it
//! does not, and looks at what is answered.
//!
//! `cargo xtask test` installs it. Where it is missing the test skips itself, except with `CI=true`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;

use crate::kit::Kit;

const SETTINGS: &str = "
[policy.claims]
role = \"string\"

[tools.now]
type = \"time\"

[triggers.morning]
cron = \"0 7 * * *\"
run = \"desk\"
input = \"It is {{ time }}.\"
";
/// What is there to be asked for, and that what fits the document may still make no sense here, which is what 422 says.
const RULES: &str = "
[parameters]
\"path.agent\" = [\"desk\", \"ask\", \"other\"]
\"path.tool\" = [\"now\", \"other\"]
\"path.trigger\" = [\"morning\", \"other\"]

[checks.positive_data_acceptance]
expected-statuses = [\"2xx\", 401, 403, 404, 409, 422, 429]
";
const DESK: &str = "---\nmodel: main\ntools: [calculator, now]\n---\nHelp.\n";
const FLOW: &str = "description: Asks.\nsteps:\n  - agent: desk\n    task: '{{ input }}'\n";
const POLICIES: &str = "permit (principal, action, resource);\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_what_its_document_says() {
    let Some(program) = program() else { return };
    let files = [
        ("adjutant.toml", SETTINGS),
        ("agents/desk.md", DESK),
        ("workflows/ask.yaml", FLOW),
        ("policies/all.cedar", POLICIES),
    ];
    let model = Scripted::from_fn(|_, _| Some(Turn::text("Yes.")));
    let kit = Kit::of(&files, model, Settings::default()).await;
    let client = kit.client(Role::Admin).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), RULES).unwrap();
    let played = tokio::process::Command::new(program)
        .args(["run", &format!("{}/api/openapi.json", client.base)])
        .args(["--header", &format!("Authorization: Bearer {}", client.token.as_ref().unwrap())])
        .args(["--checks", "all", "--mode", "all", "--seed", "1", "--generation-deterministic"])
        .args(["--max-examples", "20", "--request-timeout", "20", "--no-color"])
        .current_dir(folder.path())
        .env_remove("CI")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{said}\n{}", String::from_utf8_lossy(&played.stderr));
}

/// Schemathesis; none where it is missing and need not be there.
fn program() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("contract");
    let installed = std::fs::read_to_string(folder.join("installed.txt")).ok();
    if installed.as_deref() == Some(include_str!("../contract/requirements.txt")) {
        return Some(folder.join("bin/schemathesis"));
    }
    let missing = "schemathesis is not installed: run `cargo xtask test -p server`";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}
