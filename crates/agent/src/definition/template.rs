//! Prompts as templates: `{{ shop }}`, conditions, loops and filters of the Jinja language.
//!
//! A template sees its variables and nothing else: it includes no file, calls nothing outside, and stops after a
//! bounded number of instructions and a bounded length.

use std::io::{self, Write};

use adjutant_core::{Code, Error, Result};
use minijinja::value::{Rest, Serde};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};

use super::document::Place;

/// The longest template, in bytes.
pub const LONGEST: usize = 1 << 20;
/// The longest text that a template may become, in bytes.
const LONGEST_OUTPUT: usize = 4 << 20;
/// How many instructions a template may run; a prompt of a thousand variables takes a few thousand.
const FUEL: u64 = 200_000;
/// How many faults of one template are looked for.
const MOST_FAULTS: usize = 20;

/// A variable that a template uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where it stands first, in the template.
    pub place: Place,
}

/// The variables that a template asks for, in the order of their first places.
///
/// Fails with [`Code::ProjectInvalid`] and the line when the text is no template.
pub fn variables(text: &str) -> Result<Vec<Variable>> {
    check_length(text)?;
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|error| syntax(text, &error))?;
    let known: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
    let mut names = template.undeclared_variables(false);
    names.retain(|name| !known.contains(&name.as_str()));
    let mut variables: Vec<_> = names
        .into_iter()
        .map(|name| Variable { place: Place::of_byte(text, first_use(text, &name).unwrap_or(0)), name })
        .collect();
    variables.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
    Ok(variables)
}

/// Fills a template in. A variable whose value is `null` counts as one without a value.
///
/// Fails with [`Code::PromptVariable`] and the line when a variable has no value, and with [`Code::ProjectInvalid`]
/// when the text is no template, or does not come to an end.
pub fn render(text: &str, values: &Map<String, Value>) -> Result<String> {
    check_length(text)?;
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|error| syntax(text, &error))?;
    let given: Map<String, Value> = values
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut output = Bounded(Vec::new());
    match template.render_captured_to(Serde(&given), &mut output) {
        Ok(_) => Ok(String::from_utf8_lossy(&output.0).into_owned()),
        Err(error) if error.kind() == ErrorKind::UndefinedError => Err(missing(text, &given, &error)),
        Err(error) => Err(failed(text, &error)),
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    // It would show a prompt all values at once.
    environment.remove_global("debug");
    environment
}

fn check_length(text: &str) -> Result<()> {
    if text.len() <= LONGEST {
        return Ok(());
    }
    let message = format!("the prompt is longer than {LONGEST} bytes: it has {}", text.len());
    Err(Error::new(Code::ProjectInvalid, message)
        .with_help("put long material into files and give the agent a tool that reads them"))
}

/// What keeps a template from being filled in whatever a run is given, and where: it is no template, uses filters that
/// are not there or gives one the wrong arguments, or comes to no end.
pub(super) fn faults(text: &str) -> Vec<(Place, Error)> {
    let mut environment = environment();
    // Here a variable without a value is not the question: a run may bring one.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let mut faults = Vec::new();
    while let Some((fault, cause)) = first_fault(text, &environment, !faults.is_empty()) {
        faults.push(fault);
        // With something in its place the next fault comes to light.
        let name = unknown_name(&cause).to_owned();
        match cause.kind() {
            ErrorKind::UnknownFilter => environment.add_filter(name, nothing),
            ErrorKind::UnknownTest => environment.add_test(name, nothing),
            ErrorKind::UnknownFunction => environment.add_function(name, nothing),
            _ => break,
        }
        if faults.len() == MOST_FAULTS {
            break;
        }
    }
    faults
}

fn nothing(_: Rest<minijinja::Value>) -> bool {
    false
}

/// The first thing wrong with a template. With something `replaced`, only what is wrong with its names is certain.
fn first_fault(
    text: &str,
    environment: &Environment<'_>,
    replaced: bool,
) -> Option<((Place, Error), minijinja::Error)> {
    let help = "to show braces as they are, write `{{ '{{' }}`";
    let template = match environment.template_from_str(text) {
        Ok(template) => template,
        Err(error) => {
            let message = format!("the prompt is not a valid template: {}", why(text, &error));
            let explained = Error::new(Code::ProjectInvalid, message).with_help(help);
            return Some(((place(text, &error), explained), error));
        }
    };
    let error = template.render_captured_to((), &mut Bounded(Vec::new())).err()?;
    let is_certain = match error.kind() {
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction
        | ErrorKind::MissingArgument
        | ErrorKind::TooManyArguments => true,
        ErrorKind::UndefinedError => false,
        // What is wrong with a value may be right with another one that a run brings.
        _ => !replaced && variables(text).is_ok_and(|used| used.is_empty()),
    };
    let message = format!("the prompt cannot be filled in: {}", why(text, &error));
    is_certain.then(|| ((place(text, &error), Error::new(Code::ProjectInvalid, message)), error))
}

/// Where an error stands in the template.
fn place(text: &str, error: &minijinja::Error) -> Place {
    match error.range() {
        Some(range) => Place::of_byte(text, range.start),
        None => Place { line: error.line().unwrap_or(1), column: 1 },
    }
}

/// The place of an error in words; nothing where it is not known.
fn at(text: &str, error: &minijinja::Error) -> String {
    let Place { line, column } = place(text, error);
    error.line().map_or_else(String::new, |_| format!(" in line {line}, column {column} of the prompt"))
}

fn syntax(text: &str, error: &minijinja::Error) -> Error {
    let message = format!("the prompt is not a valid template{}: {}", at(text, error), why(text, error));
    Error::new(Code::ProjectInvalid, message).with_help("to show braces as they are, write `{{ '{{' }}`")
}

/// The filter, the test or the function that is not there.
fn unknown_name(error: &minijinja::Error) -> &str {
    let detail = error.detail().unwrap_or_default();
    let name = detail.trim_start_matches("filter ").trim_start_matches("test ");
    name.trim_end_matches(" is unknown")
}

/// What is wrong, in words.
fn why(text: &str, error: &minijinja::Error) -> String {
    let detail = error.detail().unwrap_or_default();
    let unknown = |what: &str| format!("there is no {what} `{}`", unknown_name(error));
    let expression = error.range().and_then(|range| text.get(range)).unwrap_or_default().trim();
    match error.kind() {
        ErrorKind::UnknownFilter => unknown("filter"),
        ErrorKind::UnknownTest => unknown("test"),
        ErrorKind::UnknownFunction => unknown("function"),
        ErrorKind::MissingArgument => format!("`{expression}` lacks an argument"),
        ErrorKind::TooManyArguments => format!("`{expression}` has too many arguments"),
        ErrorKind::OutOfFuel => format!("it takes more than {FUEL} instructions"),
        ErrorKind::WriteFailure => format!("it becomes longer than {LONGEST_OUTPUT} bytes"),
        kind => match detail {
            "" => kind.to_string(),
            "unexpected end of input, expected end of variable block" => "a `{{` has no `}}`".to_owned(),
            "unexpected end of input, expected end of block" => {
                "a `{%`, or the block that it begins, has no end".to_owned()
            }
            detail => match detail.strip_prefix("unknown statement ") {
                Some(name) => format!("there is no statement `{name}`"),
                None => detail.to_owned(),
            },
        },
    }
}

fn missing(text: &str, given: &Map<String, Value>, error: &minijinja::Error) -> Error {
    let expression = error.range().and_then(|range| text.get(range)).map(str::trim);
    let mut unset = variables(text).unwrap_or_default();
    unset.retain(|variable| !given.contains_key(&variable.name));
    // The expression may be a filter that got the value; then the line says which variable it was.
    let by_expression =
        expression.and_then(|text| unset.iter().find(|variable| mentions(text, &variable.name)));
    let by_line = unset.iter().find(|variable| Some(variable.place.line) == error.line());
    let named = by_expression.or(by_line).map(|variable| variable.name.as_str());
    let name = named.or(expression.filter(|text| text.len() <= 80)).unwrap_or("?");
    let line = error.line().map_or_else(String::new, |line| format!(" in line {line}"));
    Error::new(Code::PromptVariable, format!("the prompt uses `{name}`{line}, which has no value")).with_help(
        format!("give it with `--var {name}=VALUE`, or a default under `variables:` in the agent's file"),
    )
}

fn failed(text: &str, error: &minijinja::Error) -> Error {
    let message = format!("the prompt cannot be filled in{}: {}", at(text, error), why(text, error));
    Error::new(Code::ProjectInvalid, message)
}

/// Where a variable stands first as a word of its own within `{{ }}` or `{% %}`, in bytes.
fn first_use(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(open) = text.get(from..)?.find("{{").into_iter().chain(text.get(from..)?.find("{%")).min()
    {
        let start = from + open;
        let close = if text.get(start..)?.starts_with("{{") { "}}" } else { "%}" };
        let end = text.get(start..)?.find(close).map_or(text.len(), |length| start + length);
        let inside = text.get(start..end)?;
        let found = inside.match_indices(name).find(|(at, _)| is_variable(inside, *at, name.len()));
        if let Some((at, _)) = found {
            return Some(start + at);
        }
        from = end.max(start + 2);
    }
    None
}

/// Whether the word at `at` is a name of its own: not a part of a longer one, not an attribute, not quoted.
fn is_variable(text: &str, at: usize, length: usize) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at + length..).unwrap_or_default();
    let quotes = before.matches(['"', '\'']).count();
    !before.ends_with(|c| is_letter(c) || c == '.') && !after.starts_with(is_letter) && quotes % 2 == 0
}

fn mentions(expression: &str, name: &str) -> bool {
    expression.match_indices(name).any(|(at, _)| is_variable(expression, at, name.len()))
}

/// Refuses to grow beyond the longest output.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_OUTPUT {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(text: &str, values: &Value) -> Result<String> {
        render(text, values.as_object().unwrap())
    }

    #[test]
    fn variables_are_filled_in() {
        let cases = [
            ("Hi {{ name }}.", json!({ "name": "Ann" }), "Hi Ann."),
            ("{% if vip %}gold{% else %}plain{% endif %}", json!({ "vip": null }), "plain"),
            ("{{ name | default('you') }}", json!({}), "you"),
            ("{% for x in list %}{{ x }},{% endfor %}", json!({ "list": [1, 2] }), "1,2,"),
            ("{{ html }}", json!({ "html": "<b> & 'x'" }), "<b> & 'x'"),
            ("{{ order.id }}", json!({ "order": { "id": 7 } }), "7"),
            ("{{ order | tojson }}", json!({ "order": { "id": 7 } }), r#"{"id": 7}"#),
        ];
        for (text, values, expected) in cases {
            assert_eq!(with(text, &values).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_value_is_named_with_its_line() {
        let cases = [
            ("a\n{{ shop }}", json!({}), "the prompt uses `shop` in line 2, which has no value"),
            ("{{ shop }}", json!({ "shop": null }), "the prompt uses `shop` in line 1, which has no value"),
            (
                "{{ order.total }}",
                json!({ "order": {} }),
                "the prompt uses `order.total` in line 1, which has no value",
            ),
            ("{{ shop | upper }}", json!({}), "the prompt uses `shop` in line 1, which has no value"),
        ];
        for (text, values, message) in cases {
            let error = with(text, &values).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::PromptVariable, message));
        }
    }

    #[test]
    fn hostile_templates_end() {
        for text in [
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
            "{{ 'x' * 99999999 }}",
            "{{ 'x' * 999999999999 }}",
            "{% include 'etc/passwd' %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ debug() }}",
        ] {
            let error = with(text, &json!({})).unwrap_err();
            assert_eq!(error.code(), Code::ProjectInvalid, "{text}: {error}");
        }
        assert!(with(&"x".repeat(LONGEST + 1), &json!({})).is_err());
        assert!(variables(&"{{ (".repeat(100_000)).is_err());
    }

    #[test]
    fn uses_have_places() {
        let text = "The name.\nHello \"{{ user.name }}\", {% if name %}{{ 'rest' }} {{ rest }}{% endif %}";
        let found = variables(text).unwrap();
        let found: Vec<_> = found.iter().map(|v| (v.name.as_str(), v.place.line, v.place.column)).collect();
        assert_eq!(found, [("user", 2, 11), ("name", 2, 32), ("rest", 2, 55)]);
    }

    #[test]
    fn what_no_run_can_fill_in_is_found_before() {
        let cases = [
            ("a\n  {{ x | foo }}", (2, 10), "there is no filter `foo`"),
            ("{{ x is odd1 }}", (1, 9), "there is no test `odd1`"),
            ("{{ f() }}", (1, 4), "there is no function `f`"),
            ("{{ x | replace }}", (1, 8), "`replace` lacks an argument"),
            ("{{ x | upper(1) }}", (1, 8), "`upper(1)` has too many arguments"),
            ("{{ 3 | round('x') }}", (1, 8), "cannot convert string to i32"),
            ("Hi {{ x", (1, 7), "a `{{` has no `}}`"),
            ("é {% foo %}", (1, 6), "there is no statement `foo`"),
        ];
        for (text, (line, column), why) in cases {
            let (place, error) = faults(text).remove(0);
            assert_eq!(place, Place { line, column }, "{text}");
            assert!(error.message().ends_with(why), "{text}: {error}");
        }
        // What a run brings may be right.
        for text in [
            "{{ x }}",
            "{{ x.y.z }}",
            "{{ x + 1 }}",
            "{% for a in x %}{{ a }}{% endfor %}",
            "{{ x | round }}",
        ] {
            assert_eq!(faults(text), [], "{text}");
        }
    }
}
