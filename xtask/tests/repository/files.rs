//! How long a file may be.

use std::path::{Path, PathBuf};

/// A file with more lines than this is two files.
const MOST_LINES: usize = 800;

/// The Rust files under a folder, without what is tests only, hidden or compiled.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.expect("a folder's entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let skipped = name.starts_with('.') || ["target", "tests", "benches"].contains(&name.as_str());
        if entry.file_type().expect("a file's type").is_dir() {
            if !skipped {
                found.extend(sources(&entry.path()));
            }
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(entry.path());
        }
    }
    found
}

/// The lines before a file's tests.
fn lines_of_code(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let opens_tests = |pair: &[&str]| matches!(pair, [first, second] if *first == "#[cfg(test)]" && second.starts_with("mod "));
    lines.windows(2).position(opens_tests).unwrap_or(lines.len())
}

#[test]
fn no_file_is_too_long() {
    let root = crate::root();
    let files: Vec<PathBuf> = ["crates", "xtask", "examples"]
        .iter()
        .map(|name| root.join(name))
        .filter(|path| path.is_dir())
        .flat_map(|path| sources(&path))
        .collect();
    assert!(files.len() > 10, "the walk finds next to nothing: {files:?}");
    let long = |path: &PathBuf| {
        let lines = lines_of_code(&crate::read(path));
        (lines > MOST_LINES).then(|| format!("{} has {lines} lines before its tests", path.display()))
    };
    assert_eq!(files.iter().filter_map(long).collect::<Vec<_>>(), [""; 0], "split it by what it is about");
}

#[test]
fn tests_do_not_count() {
    assert_eq!(lines_of_code("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert_eq!(lines_of_code("#[cfg(test)]\nfn only_here() {}\nfn a() {}\n"), 3);
    assert_eq!(lines_of_code(""), 0);
}
