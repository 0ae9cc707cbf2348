//! Rules of this repository that no compiler knows.

// Says to clippy that all of it, not only what is marked `#[test]`, may panic.
#![cfg(test)]

mod deploy;
mod edges;
mod error_pages;
mod files;
mod links;
mod lints;
mod security;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
fn root() -> PathBuf {
    let package = std::env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    Path::new(&package).parent().expect("the package is in a folder of the checkout").to_path_buf()
}

/// What cargo prints, run in the root of the checkout.
fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).current_dir(root()).output().expect("cargo starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cargo {}` failed: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// Reads a text file of the repository.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is directly in a folder, without what is hidden; nothing where there is no such folder.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths =
        entries.map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path());
    paths
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .collect()
}

/// The files under a folder, without what is hidden or compiled.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| match (path.is_symlink(), path.is_dir()) {
        (true, _) => Vec::new(),
        (false, true) if path.ends_with("target") => Vec::new(),
        (false, true) => files_under(&path),
        (false, false) => vec![path],
    };
    files_in(folder).into_iter().flat_map(below).collect()
}
