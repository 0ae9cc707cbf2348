//! Writes diagrams in SVG.

use std::fmt::Write;

use super::diagram::{Diagram, Form};
use super::layout::{Area, HIGH, Layout, wide};

/// How things look: in letters that every machine has, and readable in print.
const STYLE: &str = "text{font:13px ui-monospace,monospace;fill:#1b1f24}.t{fill:#57606a}.l{font-size:11px;fill:#57606a}\
     .w{fill:#fff;stroke:#1b1f24}.c{fill:#fff4d6;stroke:#9a6700}.e{fill:#1b1f24}.e+text{fill:#fff}\
     .g{fill:#f6f8fa;stroke:#d0d7de}.a{fill:none;stroke:#57606a}.d{stroke-dasharray:5 4}";

pub(super) fn write(diagram: &Diagram) -> String {
    let layout = Layout::of(diagram);
    let (width, height) = (layout.width, layout.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n\
         <defs><marker id=\"p\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#57606a\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (group, area) in diagram.groups.iter().zip(&layout.groups) {
        rectangle(&mut svg, *area, "g", 6);
        line(&mut svg, "t", "start", area.x + 12, area.y + 20, &group.title);
    }
    let ways = diagram
        .arrows
        .iter()
        .filter_map(|arrow| Some((arrow, way(*layout.nodes.get(arrow.from)?, *layout.nodes.get(arrow.to)?))));
    let ways: Vec<_> = ways.collect();
    for (arrow, way) in &ways {
        let dashed = if arrow.is_dashed { " d" } else { "" };
        let path = &way.path;
        let _ = writeln!(svg, "<path class=\"a{dashed}\" d=\"{path}\" marker-end=\"url(#p)\"/>");
    }
    for (node, area) in diagram.nodes.iter().zip(&layout.nodes) {
        match node.form {
            Form::Work => rectangle(&mut svg, *area, "w", 4),
            Form::End => rectangle(&mut svg, *area, "e", area.height / 2),
            Form::Choice => choice(&mut svg, *area),
        }
        let mut y = area.y + 21;
        for text in &node.lines {
            line(&mut svg, "", "middle", area.middle(), y, text);
            y += HIGH;
        }
    }
    for (arrow, way) in ways.iter().filter(|(arrow, _)| !arrow.label.is_empty()) {
        label(&mut svg, &arrow.label, way);
    }
    svg.push_str("</svg>\n");
    svg
}

// Writing to a text never fails.
fn rectangle(svg: &mut String, area: Area, class: &str, round: i64) {
    let Area { x, y, width, height } = area;
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\"/>"
    );
}

/// A box with pointed sides.
fn choice(svg: &mut String, area: Area) {
    let (left, right, top, bottom) = (area.x, area.right(), area.y, area.bottom());
    let middle = area.y + area.height / 2;
    let points = format!(
        "{left},{middle} {},{top} {},{top} {right},{middle} {},{bottom} {},{bottom}",
        left + 16,
        right - 16,
        right - 16,
        left + 16
    );
    let _ = writeln!(svg, "<polygon class=\"c\" points=\"{points}\"/>");
}

/// Where an arrow goes: down from box to box, or at the right of both where it leads back up.
struct Way {
    path: String,
    /// Where what is written at it stands, and whether it begins there or has its middle there.
    x: i64,
    y: i64,
    is_beside: bool,
}

fn way(from: Area, to: Area) -> Way {
    if to.y >= from.bottom() {
        let (x1, y1, x2, y2) = (from.middle(), from.bottom(), to.middle(), to.y);
        let bend = (y2 - y1) / 2;
        let path = format!("M{x1} {y1}C{x1} {} {x2} {} {x2} {y2}", y1 + bend, y2 - bend);
        // Nearer to where it leads: others may come from the same box.
        Way { path, x: x1 + (x2 - x1) * 2 / 3, y: y1 + (y2 - y1) * 2 / 3, is_beside: false }
    } else {
        let (x1, y1) = (from.right(), from.y + from.height / 2);
        let (x2, y2) = (to.right(), to.y + to.height / 2);
        let out = x1.max(x2) + 40;
        let path = format!("M{x1} {y1}C{out} {y1} {out} {y2} {x2} {y2}");
        Way { path, x: (x1 + x2 + 6 * out) / 8 + 6, y: y1.midpoint(y2), is_beside: true }
    }
}

fn label(svg: &mut String, text: &str, way: &Way) {
    let width = wide(text) * 7 / 8 + 6;
    let (left, anchor) = if way.is_beside { (way.x - 3, "start") } else { (way.x - width / 2, "middle") };
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"15\" fill=\"#fff\" opacity=\"0.85\"/>",
        way.y - 11
    );
    line(svg, "l", anchor, way.x, way.y, text);
}

fn line(svg: &mut String, class: &str, anchor: &str, x: i64, y: i64, text: &str) {
    let text = escaped(text);
    let _ =
        writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// A text in which nothing is XML, and nothing is a letter that XML does not have.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
