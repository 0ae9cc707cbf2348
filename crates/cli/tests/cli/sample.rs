//! The warehouse of the sample project, with its real servers: Node's filesystem server and the carrier of the sample.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::Sandbox;

/// Where `cargo xtask test` installs the servers. Without it the test skips itself, except with `CI=true`.
fn installed() -> Option<PathBuf> {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
    let folder = target.join("servers/node/node_modules/.bin");
    if folder.exists() {
        return Some(folder);
    }
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "`cargo xtask test` installs {}",
        folder.display()
    );
    eprintln!("skipped: `cargo xtask test` installs {}", folder.display());
    None
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        match path.is_dir() {
            true if path.ends_with(".adjutant") => {}
            true => copy(&path, &to),
            false => drop(std::fs::copy(&path, &to).unwrap()),
        }
    }
}

/// The sample's carrier; it ends with the test.
struct Carrier(Child);

impl Drop for Carrier {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy of the sample whose servers can be reached; none where they are not installed.
fn warehouse() -> Option<(Sandbox, Carrier)> {
    let servers = installed()?;
    let mut sandbox = Sandbox::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/desk"), &sandbox.path(""));
    // The servers of the tests are no part of the system, which is what a sandbox sees.
    let settings = sandbox.read("adjutant.toml");
    let sandboxed = r#"sandbox = { write = ["warehouse"] }"#;
    assert!(settings.contains(sandboxed));
    sandbox.write("adjutant.toml", &settings.replace(sandboxed, r#"sandbox = "unsafe""#));
    let mut carrier = Command::new("python3");
    carrier.arg(sandbox.path("tools/carrier")).arg("0").stdout(Stdio::piped());
    let mut carrier = carrier.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(carrier.stdout.take().unwrap()).read_line(&mut line).unwrap();
    sandbox.set("DESK_CARRIER", line.trim().strip_prefix("listening on ").unwrap());
    sandbox.set("PATH", &format!("{}:{}", servers.display(), std::env::var("PATH").unwrap()));
    Some((sandbox, Carrier(carrier)))
}

#[track_caller]
fn says(sandbox: &Sandbox, arguments: &[&str], expected: &[&str]) {
    let output = sandbox.output(arguments);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {text}");
    for expected in expected {
        assert!(text.contains(expected), "{arguments:?} should say {expected}\n{text}");
    }
}

#[test]
fn the_warehouse_finds_its_tools_and_calls_them() {
    let Some((sandbox, _carrier)) = warehouse() else { return };
    says(&sandbox, &["check"], &["ok: 2 agents, "]);
    says(
        &sandbox,
        &["run", "--agent", "warehouse", "Where is the parcel LC1042730951AT?"],
        &[r#"search_tools {"query":"#, "tool carrier_track_parcel", "held at customs"],
    );
    says(
        &sandbox,
        &["run", "--agent", "warehouse", "Read the text file shelves.md and tell me where the helmets are."],
        &["tool search_tools", "tool shelves__read_", "| B1 | Helmet Meadow, sizes S to L | 22 |"],
    );
    says(
        &sandbox,
        &["run", "--agent", "warehouse", "How are claims opened?"],
        &[r#"tool load_skill {"name":"claims"}"#, "ten working days late"],
    );
}

#[test]
fn what_the_filesystem_server_offers_is_what_was_accepted() {
    let Some((sandbox, _carrier)) = warehouse() else { return };
    says(&sandbox, &["tools", "trust", "shelves"], &["shelves", "as it was accepted"]);
    let path = r#"{"path": "packing.md"}"#;
    says(&sandbox, &["tools", "call", "shelves__read_text_file", path], &["foil sticks to leather"]);
    let outside =
        sandbox.output(&["tools", "call", "shelves__read_text_file", r#"{"path": "../orders.sql"}"#]);
    assert!(!outside.status.success(), "the server reads outside of its folder");
    says(
        &sandbox,
        &[
            "tools",
            "call",
            "carrier_open_claim",
            r#"{"tracking_number": "LC1042730951AT", "reason": "lost"}"#,
            "--yes",
        ],
        &["C-0001"],
    );
}
