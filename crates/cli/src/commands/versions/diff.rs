//! `adjutant versions diff`: how two versions of a name differ.

use adjutant::{Adjutant, Difference};
use clap::Args;
use serde_json::Value;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Style};

/// Shows how two versions of an agent or a workflow differ: each place of the definition with what stands there.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// A label, the beginning of a hash, or `files` for what the project's files say now.
    #[arg(value_name = "A")]
    from: String,
    /// The same for the other one.
    #[arg(value_name = "B")]
    to: String,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let Arguments { name, from, to } = arguments;
    let differences = adjutant.versions().differences(name, from, to).await?;
    if output.json {
        output.json(&differences)?;
    } else if differences.is_empty() {
        output.talk("they are the same");
    } else {
        output.foreign(&render(&differences, output))?;
    }
    Ok(Exit::Success)
}

fn render(differences: &[Difference], output: Output) -> String {
    let mut text = String::new();
    for Difference { at, from, to } in differences {
        text.push_str(&format!("{}\n", output.shaded(Style::Bold, at)));
        let (from, to) = (lines(from.as_ref()), lines(to.as_ref()));
        let (gone, new) = changed(&from, &to);
        for (sign, style, lines) in [("-", Style::Red, gone), ("+", Style::Green, new)] {
            for line in lines {
                text.push_str(&format!("{}\n", output.shaded(style, &format!("{sign} {line}"))));
            }
        }
    }
    text
}

/// A value as lines: a text by its own.
fn lines(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        Some(value) => vec![value.to_string()],
    }
}

/// What differs of two texts between the lines that they begin and end with alike.
fn changed<'a>(from: &'a [String], to: &'a [String]) -> (&'a [String], &'a [String]) {
    let alike = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let (from, to) = (from.get(alike..).unwrap_or_default(), to.get(alike..).unwrap_or_default());
    let alike = from.iter().rev().zip(to.iter().rev()).take_while(|(from, to)| from == to).count();
    (from.get(..from.len() - alike).unwrap_or_default(), to.get(..to.len() - alike).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_told() {
        let difference = |at: &str, from: Option<Value>, to| Difference { at: at.to_owned(), from, to };
        let found = [
            difference("/instructions", Some(json!("a\nb\nc")), Some(json!("a\nB\nc"))),
            difference("/tools/x/t", Some(json!(1)), Some(json!(2))),
            difference("/tools/y/name", None, Some(json!("y"))),
        ];
        let text = render(&found, Output::new(crate::screen::ColorChoice::Never, false));
        assert_eq!(text, "/instructions\n- b\n+ B\n/tools/x/t\n- 1\n+ 2\n/tools/y/name\n+ y\n");
    }
}
