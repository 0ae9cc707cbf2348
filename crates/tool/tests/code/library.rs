//! Tools that agents made: what is signed runs, and what is changed does not.

use std::path::Path;
use std::sync::Arc;

use adjutant_core::id::StepKey;
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_tool::code::Programs;
use adjutant_tool::library::{Library, Origin, Proposal, Standing, Usable};
use adjutant_tool::vault::{KeyPlace, Vault};
use adjutant_tool::{Context, Failure, Resources};
use serde_json::json;

use crate::scene::interpreter;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

struct Key(&'static str);

impl Secrets for Key {
    fn get(&self, name: &str) -> Result<Secret> {
        match name {
            "key" => Ok(Secret::new(self.0)),
            _ => Err(Error::new(Code::NotFound, "no secret")),
        }
    }
}

fn library(folder: &Path, key: &'static str) -> Library {
    let vault = Vault::new(folder.join("vault"), KeyPlace::Secret("key".into()), Arc::new(Still));
    Library::new(folder, vault, Arc::new(Key(key)))
}

const OURS: &str = "0123456789012345678901234567890123456789";
const THEIRS: &str = "abcdefghijabcdefghijabcdefghijabcdefghij";

fn median() -> Proposal {
    Proposal {
        name: "median".into(),
        description: "Finds the median of numbers.".into(),
        parameters: json!({
            "type": "object",
            "properties": { "numbers": { "type": "array", "items": { "type": "number" } } },
            "required": ["numbers"],
        }),
        program: "const sorted = [...input.numbers].sort((a, b) => a - b);\n\
                  if (!sorted.length) throw new Error('there are no numbers');\n\
                  const middle = sorted.length >> 1;\n\
                  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;"
            .into(),
        test: "if (await tool({ numbers: [3, 1, 2] }) !== 2) throw new Error('odd');\n\
               if (await tool({ numbers: [4, 1, 2, 3] }) !== 2.5) throw new Error('even');"
            .into(),
    }
}

fn origin(step: &str) -> Origin {
    Origin { run: "r".into(), step: step.into(), agent: "a".into(), model: "m".into(), at: Timestamp(1) }
}

async fn call(library: &Library, arguments: serde_json::Value) -> Result<String, Failure> {
    let Usable { tools, refused } = library.tools().unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    let context = Context::new("r".into(), StepKey::root().join("median", 0), "c".into())
        .with_resources(&Resources::new().with(interpreter()));
    tools[0].call(arguments, context).await.map(|output| output.as_text())
}

#[tokio::test]
async fn a_tool_is_tested_signed_and_called() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path(), OURS);
    let proposal = median();
    let trial =
        Programs::new(interpreter()).advance(&StepKey::root(), &proposal.trial(), &[], None).await.unwrap();
    proposal.tested(&trial).unwrap();
    assert_eq!(library.add(&proposal, &origin("one")).unwrap(), 1);
    assert_eq!(
        library.add(&proposal, &origin("one")).unwrap(),
        1,
        "the same step once more is the same tool"
    );
    assert_eq!(library.add(&proposal, &origin("two")).unwrap(), 2);
    let entry = library.entry("median").unwrap();
    assert_eq!(
        (entry.standing, entry.manifest.version, &entry.manifest.made),
        (Standing::Signed, 2, &origin("two"))
    );
    assert_eq!(call(&library, json!({ "numbers": [5, 1, 9] })).await.unwrap(), "5");
    let failed = call(&library, json!({ "numbers": [] })).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the tool `median` failed: line 2, column 31: Error: there are no numbers"
    );
    // Arguments are data, whatever they look like.
    let hostile = json!({ "numbers": [1], "__proto__": { "x": "\"));throw 1//\u{2028}" } });
    assert_eq!(call(&library, hostile).await.unwrap(), "1");
}

#[tokio::test]
async fn a_test_that_fails_is_told_with_its_line() {
    let wrong = Proposal { program: "return 2".into(), ..median() };
    let trial =
        Programs::new(interpreter()).advance(&StepKey::root(), &wrong.trial(), &[], None).await.unwrap();
    let error = wrong.tested(&trial).unwrap_err();
    assert!(
        error.message().contains("in the test, line 2") && error.message().ends_with("Error: even"),
        "{error}"
    );
    let reaching = Proposal { program: "return tools.pay({})".into(), ..median() };
    let trial =
        Programs::new(interpreter()).advance(&StepKey::root(), &reaching.trial(), &[], None).await.unwrap();
    let error = reaching.tested(&trial).unwrap_err();
    assert!(error.message().contains("in the tool, line 1"), "a tool of the library calls nothing: {error}");
}

#[test]
fn what_a_crash_left_half_written_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path(), OURS);
    library.add(&median(), &origin("one")).unwrap();
    let at = |file: &str| folder.path().join("tools/library/median").join(file);
    // The process died before it had signed.
    std::fs::remove_file(at("signature")).unwrap();
    assert_eq!(library.add(&median(), &origin("one")).unwrap(), 1);
    assert_eq!(library.entry("median").unwrap().standing, Standing::Signed);
    // It died before there was a manifest: there is no tool yet.
    std::fs::remove_file(at("tool.json")).unwrap();
    std::fs::remove_file(at("signature")).unwrap();
    assert_eq!(library.add(&median(), &origin("one")).unwrap(), 1);
    assert_eq!(library.entry("median").unwrap().standing, Standing::Signed);
}

#[test]
fn what_is_signed_is_what_was_shown() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path(), OURS);
    library.add(&median(), &origin("one")).unwrap();
    let shown = library.entry("median").unwrap();
    let program = folder.path().join("tools/library/median/program.js");
    std::fs::write(&program, "return 'swapped'").unwrap();
    library.sign_shown(shown.clone()).unwrap();
    assert_eq!(library.entry("median").unwrap().program, shown.program);
}

#[test]
fn what_was_changed_is_not_run_until_a_person_signs_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path(), OURS);
    library.add(&median(), &origin("one")).unwrap();
    let at = |file: &str| folder.path().join("tools/library/median").join(file);
    for file in ["program.js", "test.js"] {
        let before = std::fs::read_to_string(at(file)).unwrap();
        std::fs::write(at(file), format!("{before} ")).unwrap();
        assert_eq!(library.entry("median").unwrap().standing, Standing::Unsigned, "{file}");
        let Usable { tools, refused } = library.tools().unwrap();
        assert!(tools.is_empty() && refused["median"].help().unwrap().contains("tools library sign median"));
        std::fs::write(at(file), before).unwrap();
        assert_eq!(library.entry("median").unwrap().standing, Standing::Signed);
    }
    let manifest = std::fs::read_to_string(at("tool.json")).unwrap();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("median of", "mean of"),
        ("\"agent\": \"a\"", "\"agent\": \"b\""),
    ] {
        std::fs::write(at("tool.json"), manifest.replacen(from, to, 1)).unwrap();
        assert_eq!(library.entry("median").unwrap().standing, Standing::Unsigned, "{from}");
    }
    library.sign("median").unwrap();
    assert_eq!(library.entry("median").unwrap().standing, Standing::Signed);
    library.withdraw("median").unwrap();
    assert_eq!(library.entry("median").unwrap().standing, Standing::Withdrawn);
    let Usable { tools, refused } = library.tools().unwrap();
    assert!(tools.is_empty() && refused["median"].message().ends_with("was withdrawn"));
    // Whoever removes the word that it is withdrawn has no signature for the rest.
    let withdrawn = std::fs::read_to_string(at("tool.json")).unwrap();
    std::fs::write(at("tool.json"), withdrawn.replace("\"withdrawn\": true", "\"withdrawn\": false"))
        .unwrap();
    assert_eq!(library.entry("median").unwrap().standing, Standing::Unsigned);
    library.sign("median").unwrap();
    // A tool that was signed elsewhere is not signed here.
    assert_eq!(self::library(folder.path(), THEIRS).entry("median").unwrap().standing, Standing::Unsigned);
}

#[test]
fn what_is_no_tool_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path(), OURS);
    assert!(library.entries().unwrap().is_empty());
    for name in ["nothing", "../../etc", "", "a/b"] {
        assert_eq!(library.entry(name).unwrap_err().code(), Code::NotFound, "{name}");
    }
    library.add(&median(), &origin("one")).unwrap();
    std::fs::write(folder.path().join("tools/library/median/tool.json"), "{}").unwrap();
    let error = library.entry("median").unwrap_err();
    assert!(error.message().contains("describes no tool"), "{error}");
    let Usable { tools, refused } = library.tools().unwrap();
    assert!(tools.is_empty() && refused.len() == 1);
}
