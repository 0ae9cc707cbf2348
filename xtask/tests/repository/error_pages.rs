//! Every error code has its page, and every page its code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use adjutant_core::error::{Audience, Code, Kind, Retry};

const SECTIONS: [&str; 3] = ["## What happened", "## Why", "## What to do"];

fn folder() -> PathBuf {
    crate::root().join("docs/errors")
}

fn page(code: Code) -> String {
    crate::read(&folder().join(format!("{code}.md")))
}

/// What is wrong with a page, as sentences.
fn faults(code: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    if lines.first() != Some(&format!("# {code}").as_str()) {
        faults.push(format!("{code}: the first line is not `# {code}`"));
    }
    let headings: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with("## ")).collect();
    if headings != SECTIONS {
        faults.push(format!("{code}: the sections are {headings:?}, not {SECTIONS:?}"));
    }
    for section in SECTIONS {
        if body(text, section).is_empty() {
            faults.push(format!("{code}: `{section}` says nothing"));
        }
    }
    faults
}

/// The text of a section.
fn body<'a>(text: &'a str, section: &str) -> &'a str {
    let rest = text.split_once(&format!("{section}\n")).map_or("", |(_, rest)| rest);
    rest.split_once("\n## ").map_or(rest, |(body, _)| body).trim()
}

/// The first sentence of a page, which stands in the index.
fn first_sentence(text: &str) -> String {
    let body = body(text, SECTIONS[0]).replace('\n', " ");
    body.split_once(". ").map_or(body.as_str(), |(first, _)| first).trim_end_matches('.').to_owned()
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Input => "What somebody wrote",
        Kind::Model => "Models and their providers",
        Kind::Tool => "Tools",
        Kind::Run => "The course of a run",
        Kind::Store => "The store",
        Kind::Internal => "Adjutant itself",
    }
}

/// The index, made from the codes and their pages.
fn index() -> String {
    let mut text = String::from(
        "# Errors\n\nEvery error that Adjutant shows has a code, and every code has a page that says what happened, why, \
         and what to do.\n\n\"Heard by\" says where the error goes: to the *model*, which can try something else while \
         the run goes on, or to\nwhoever started the *run*. \"Retry\" says whether the same may pass later without \
         anybody doing anything.\n",
    );
    let mut last = None;
    for code in Code::ALL {
        if last != Some(code.kind()) {
            last = Some(code.kind());
            let heading = heading(code.kind());
            write!(
                text,
                "\n## {heading}\n\n| code | what happened | heard by | retry |\n|---|---|---|---|\n"
            )
            .unwrap();
        }
        let audience = match code.audience() {
            Audience::Model => "model",
            Audience::Run => "run",
        };
        let retry = match code.retry() {
            Retry::Never => "no",
            Retry::Later => "later",
        };
        let first = first_sentence(&page(*code));
        writeln!(text, "| [{code}]({code}.md) | {first} | {audience} | {retry} |").unwrap();
    }
    text
}

#[test]
fn codes_and_pages_are_the_same_set() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    let files = std::fs::read_dir(folder()).expect("docs/errors can be listed");
    let names = files.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let pages: BTreeSet<String> = names.filter(|name| name != "README.md").collect();
    let without_page: Vec<_> = codes.difference(&pages).collect();
    let without_code: Vec<_> = pages.difference(&codes).collect();
    assert!(without_page.is_empty(), "write docs/errors/{without_page:?}");
    assert!(without_code.is_empty(), "no code has the page {without_code:?}");
}

#[test]
fn every_page_says_what_why_and_what_to_do() {
    let faults: Vec<String> = Code::ALL.iter().flat_map(|code| faults(code.as_str(), &page(*code))).collect();
    assert_eq!(faults, [""; 0]);
}

#[test]
fn the_index_is_what_the_pages_say() {
    let path = folder().join("README.md");
    let index = index();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &index).expect("the index can be written");
    }
    assert!(
        crate::read(&path) == index,
        "docs/errors/README.md is stale: run `UPDATE=1 cargo xtask test -p xtask`"
    );
}

#[test]
fn a_page_with_faults_is_told_all_of_them() {
    let text = "# other\n\n## What happened\n\nIt broke. Badly.\n\n## Why\n\n## What to do\n";
    let expected = [
        "a-code: the first line is not `# a-code`",
        "a-code: `## Why` says nothing",
        "a-code: `## What to do` says nothing",
    ];
    assert_eq!(faults("a-code", text), expected);
    assert!(faults("a-code", "# a-code\n").first().is_some_and(|fault| fault.contains("the sections are")));
    assert_eq!(first_sentence(text), "It broke");
}
