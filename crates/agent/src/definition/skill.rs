//! A skill as a Markdown file, `SKILL.md` of its folder, by the open standard (agentskills.io).
//!
//! ```markdown
//! ---
//! name: refunds                            # as its folder
//! description: How refunds are worked out. Use it when a customer wants money back.
//! ---
//! Find the order first...
//! ```

use adjutant_core::Error;
use adjutant_tool::skill::Skill;

use super::document::{Content, Node, Place, Problems, Table, parse_yaml};
use super::front_matter::{self, Parts};

/// The longest `SKILL.md`, in bytes.
pub const LONGEST: usize = 256 << 10;

const HELP: &str = "begin it with a line `---`, the keys `name` and `description`, another line `---`, and then the instructions";
const START: Place = Place { line: 1, column: 1 };

/// Reads a skill from the text of its `SKILL.md`, without the other files of its folder. `folder` is what that is called.
///
/// Reports all that is wrong with it, each error with line and column:
/// [`Code::ProjectInvalid`](adjutant_core::Code::ProjectInvalid).
pub fn parse(file: &str, folder: &str, text: &str) -> Result<Skill, Vec<Error>> {
    let problems = Problems::new(file);
    let skill = read(folder, text, &problems);
    match skill.filter(|_| problems.is_empty()) {
        Some(skill) => Ok(skill),
        None => Err(problems.into_errors()),
    }
}

fn read(folder: &str, text: &str, problems: &Problems) -> Option<Skill> {
    if text.len() > LONGEST {
        problems.report_with(
            START,
            format!("the skill is longer than {LONGEST} bytes: it has {}", text.len()),
            "put what is not always needed into other files of its folder",
        );
        return None;
    }
    let Parts { front_matter, body, body_line } = front_matter::split(text, HELP, problems)?;
    let body = body.replace("\r\n", "\n").trim().to_owned();
    if body.is_empty() {
        problems.report_with(
            Place { line: body_line, column: 1 },
            "the skill has no instructions",
            "write how the work is done below the second `---`",
        );
    }
    let root = parse_yaml(front_matter, 1, problems)?;
    let table = Table::new(&root, "", problems)?;
    let name = read_name(&table, folder);
    let description = read_bounded(&table, "description", 1_024);
    table.require("description", "say what the skill does and when to use it: models choose it by that");
    let skill = Skill {
        name: name.unwrap_or_default(),
        description: description.unwrap_or_default(),
        body,
        allowed_tools: read_tools(&table),
        license: table.text("license").map(str::to_owned),
        compatibility: read_bounded(&table, "compatibility", 500),
        metadata: table
            .named("metadata")
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), scalar(&table, &entry.value)?)))
            .collect(),
        files: Vec::new(),
    };
    table.finish();
    Some(skill)
}

fn read_name(table: &Table<'_>, folder: &str) -> Option<String> {
    table.require("name", &format!("add `name: {folder}`: a skill is called like its folder"));
    let name = table.text("name")?;
    let place = table.value("name").map_or(table.place(), |node| node.place);
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    let shown: String = name.chars().take(80).collect();
    if !is_name {
        table.problems().report_with(
            place,
            format!("`{shown}` cannot be the name of a skill"),
            "use 1 to 64 characters of a-z, 0-9 and single - between them",
        );
    } else if name != folder {
        table.problems().report_with(
            place,
            format!("the skill is called `{name}`, and its folder `{folder}`"),
            "give both the same name",
        );
    }
    Some(name.to_owned())
}

/// A text that says something and is not too long.
fn read_bounded(table: &Table<'_>, key: &'static str, most: usize) -> Option<String> {
    let text = table.text(key)?.trim();
    let place = table.value(key).map_or(table.place(), |node| node.place);
    let length = text.chars().count();
    if length == 0 || length > most {
        let message = format!("`{key}` must have 1 to {most} characters, not {length}");
        table.problems().report(place, message);
    }
    Some(text.to_owned())
}

/// The names of tools: a list, or one text with spaces between them.
fn read_tools(table: &Table<'_>) -> Vec<String> {
    let Some(node) = table.value("allowed-tools") else { return Vec::new() };
    match &node.content {
        Content::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
        Content::List(_) => {
            let texts = table.texts("allowed-tools").unwrap_or_default();
            texts.into_iter().map(|(name, _)| name.to_owned()).collect()
        }
        _ => {
            table.wrong("allowed-tools", node, "names of tools", "write them as `[order, refund]`");
            Vec::new()
        }
    }
}

/// What stands for a text in `metadata`.
fn scalar(table: &Table<'_>, node: &Node) -> Option<String> {
    match &node.content {
        Content::Text(text) => Some(text.clone()),
        Content::Boolean(value) => Some(value.to_string()),
        Content::Integer(number) => Some(number.to_string()),
        Content::Float(number) => Some(number.to_string()),
        _ => {
            table.wrong("metadata", node, "a table of texts", "write each as `key: \"text\"`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "---\nname: refunds\ndescription: How refunds work. Use it for money back.\nlicense: MIT\nallowed-tools: order Bash(git:*)\n\
                        metadata:\n  version: 1.5\n  author: us\n---\n# Refunds\n\nFind the order.\n";

    #[test]
    fn a_skill_is_read() {
        let skill = parse("skills/refunds/SKILL.md", "refunds", GOOD).unwrap();
        assert_eq!((skill.name.as_str(), skill.body.as_str()), ("refunds", "# Refunds\n\nFind the order."));
        assert_eq!(skill.allowed_tools, ["order", "Bash(git:*)"]);
        assert_eq!((skill.metadata["version"].as_str(), skill.license.as_deref()), ("1.5", Some("MIT")));
        let listed = GOOD.replace("allowed-tools: order Bash(git:*)", "allowed-tools: [order, refund]");
        assert_eq!(parse("SKILL.md", "refunds", &listed).unwrap().allowed_tools, ["order", "refund"]);
    }

    #[test]
    fn what_is_wrong_has_a_place_and_is_told_at_once() {
        for (folder, text, expected) in [
            ("refunds", "", "1:1: the file does not begin with front matter"),
            ("refunds", "---\nname: refunds\n", "1:1: the front matter that begins here has no end"),
            ("refunds", "---\nname: refunds\ndescription: x\n---\n \n", "5:1: the skill has no instructions"),
            ("refunds", "---\ndescription: x\n---\ny", "2:1: `name` is missing"),
            ("refunds", "---\nname: refunds\n---\ny", "2:1: `description` is missing"),
            (
                "refund",
                "---\nname: refunds\ndescription: x\n---\ny",
                "2:7: the skill is called `refunds`, and its folder `refund`",
            ),
            ("..", "---\nname: ../x\ndescription: x\n---\ny", "2:7: `../x` cannot be the name of a skill"),
            ("a--b", "---\nname: a--b\ndescription: x\n---\ny", "2:7: `a--b` cannot be the name of a skill"),
            ("A", "---\nname: A\ndescription: x\n---\ny", "2:7: `A` cannot be the name of a skill"),
            (
                "a",
                "---\nname: a\ndescription: \"\"\n---\ny",
                "3:14: `description` must have 1 to 1024 characters, not 0",
            ),
            ("a", "---\nname: a\ndescription: x\nlicence: MIT\n---\ny", "4:1: unknown key `licence`"),
            (
                "a",
                "---\nname: a\ndescription: x\nallowed-tools: 7\n---\ny",
                "4:16: `allowed-tools` must be names of tools",
            ),
            (
                "a",
                "---\nname: a\ndescription: x\nmetadata: { a: [1] }\n---\ny",
                "4:16: `metadata` must be a table of texts",
            ),
        ] {
            let errors = parse("SKILL.md", folder, text).unwrap_err();
            assert!(errors[0].to_string().starts_with(&format!("SKILL.md:{expected}")), "{text}: {errors:?}");
        }
        let errors = parse("SKILL.md", "a", "---\nname: B\nx: 1\n---\n").unwrap_err();
        assert_eq!(errors.len(), 4, "{errors:?}");
    }

    #[test]
    fn bombs_and_giants_are_refused() {
        assert!(parse("SKILL.md", "a", &"x".repeat(LONGEST + 1)).is_err());
        let mut bomb = "---\na: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (one, other) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            bomb.push_str(&format!(
                "{other}: &{other} [*{one},*{one},*{one},*{one},*{one},*{one},*{one},*{one},*{one}]\n"
            ));
        }
        assert!(parse("SKILL.md", "a", &format!("{bomb}---\ny")).is_err());
    }
}
