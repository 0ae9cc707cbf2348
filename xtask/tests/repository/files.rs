//! How long a file may be.

use std::path::{Path, PathBuf};

/// A file with more lines than this is two files.
const MOST_LINES: usize = 800;

/// The Rust files under a folder of the checkout, without those that are tests only.
fn sources(root: &Path, folder: &str) -> Vec<PathBuf> {
    let tests_only = |path: &PathBuf| {
        let inside = path.strip_prefix(root).unwrap_or(path);
        inside.ends_with("tests.rs") || inside.iter().any(|name| name == "tests" || name == "benches")
    };
    let rust = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs");
    let files = crate::files_under(&root.join(folder)).into_iter();
    files.filter(rust).filter(|path| !tests_only(path)).collect()
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
    let files: Vec<PathBuf> =
        ["crates", "xtask", "examples"].into_iter().flat_map(|folder| sources(&root, folder)).collect();
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
