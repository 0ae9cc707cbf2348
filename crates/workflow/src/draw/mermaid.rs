//! Writes diagrams in Mermaid.

use std::fmt::Write;

use super::diagram::{Diagram, Form};

pub(super) fn write(diagram: &Diagram) -> String {
    let mut text = "flowchart TD\n".to_owned();
    inside(diagram, None, 1, &mut text);
    for arrow in &diagram.arrows {
        let line = if arrow.is_dashed { "-.->" } else { "-->" };
        let label = match arrow.label.is_empty() {
            true => String::new(),
            false => format!("|\"{}\"|", escaped(&arrow.label)),
        };
        // Writing to a text never fails.
        let _ = writeln!(text, "  n{} {line}{label} n{}", arrow.from, arrow.to);
    }
    text
}

/// What stands in a group, groups within it first.
fn inside(diagram: &Diagram, group: Option<usize>, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (index, inner) in diagram.groups.iter().enumerate().filter(|(_, inner)| inner.group == group) {
        let _ = writeln!(text, "{indent}subgraph g{index}[\"{}\"]", escaped(&inner.title));
        inside(diagram, Some(index), depth + 1, text);
        let _ = writeln!(text, "{indent}end");
    }
    for (index, node) in diagram.nodes.iter().enumerate().filter(|(_, node)| node.group == group) {
        let label = node.lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br/>");
        let _ = match node.form {
            Form::Work => writeln!(text, "{indent}n{index}[\"{label}\"]"),
            Form::Choice => writeln!(text, "{indent}n{index}{{\"{label}\"}}"),
            Form::End => writeln!(text, "{indent}n{index}([\"{label}\"])"),
        };
    }
}

/// A text within quotation marks, in which nothing is Mermaid, Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '<' | '>' | '&' | '#' | '`' | '\\' | '*' | '_' => {
                let _ = write!(escaped, "#{};", u32::from(letter));
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
