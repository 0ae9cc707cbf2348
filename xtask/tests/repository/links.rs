//! Links between the repository's own pages.

use std::path::{Path, PathBuf};

/// The Markdown files of the root, of `docs` and of `examples`.
fn pages() -> Vec<PathBuf> {
    let root = crate::root();
    let in_root = crate::files_in(&root).into_iter().filter(|path| path.is_file());
    let below = ["docs", "examples"].into_iter().flat_map(|name| crate::files_under(&root.join(name)));
    in_root.chain(below).filter(|path| path.extension().is_some_and(|end| end == "md")).collect()
}

/// The files that a page links to, outside of its code blocks and without the place in the file.
fn targets(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        let links = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let files = links.map(|(target, _)| target.split_once('#').map_or(target, |(file, _)| file));
        found.extend(files.filter(|file| !file.is_empty() && !file.contains(':')));
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() > 40, "the walk finds next to nothing: {pages:?}");
    let dead = |page: &PathBuf| {
        let folder = page.parent().unwrap_or(Path::new("."));
        let text = crate::read(page);
        let dead = targets(&text).into_iter().filter(|target| !folder.join(target).exists());
        dead.map(|target| format!("{} links to `{target}`", page.display())).collect::<Vec<_>>()
    };
    assert_eq!(pages.iter().flat_map(dead).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn only_links_to_files_are_followed() {
    let text =
        "a [b](c.md#d) and [e](../f.md), [g](https://example.org), [h](#i)\n```\n[j](k.md)\n```\n[l](m)\n";
    assert_eq!(targets(text), ["c.md", "../f.md", "m"]);
}
