//! Banned calls.

use std::path::Path;

/// The bans of a `clippy.toml`, one a line.
fn bans(path: &Path) -> Vec<String> {
    let text = crate::read(path);
    text.lines().map(str::trim).filter(|line| line.starts_with("{ path = ")).map(str::to_owned).collect()
}

/// Clippy reads the nearest file and no other, so a crate with its own must repeat the bans of all.
#[test]
fn a_crate_with_its_own_bans_keeps_those_of_all() {
    let root = crate::root();
    let of_all = bans(&root.join("clippy.toml"));
    let of_agent = bans(&root.join("crates/agent/clippy.toml"));
    assert!(!of_all.is_empty());
    let lost: Vec<_> = of_all.iter().filter(|ban| !of_agent.contains(ban)).collect();
    assert!(lost.is_empty(), "crates/agent/clippy.toml lacks {lost:#?}");
    assert!(of_agent.iter().any(|ban| ban.contains("tokio::spawn")));
}
