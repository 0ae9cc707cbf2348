//! Readable text of an HTML page.
//!
//! Not a parser of HTML: it leaves out tags and what is not meant to be read, keeps headings, lists, rows and the
//! targets of links, and takes linear time on anything.

/// Elements whose content is not meant to be read.
const SILENT: [&str; 7] = ["script", "style", "noscript", "template", "svg", "iframe", "head"];

/// Elements that begin a new line.
const BLOCKS: [&str; 27] = [
    "p",
    "div",
    "br",
    "ul",
    "ol",
    "table",
    "tr",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "nav",
    "aside",
    "form",
    "blockquote",
    "pre",
    "hr",
    "dl",
    "dt",
    "dd",
    "figure",
    "figcaption",
    "address",
    "details",
    "summary",
    "option",
];

/// The text of a page, one line for each block.
pub(super) fn of_html(html: &str) -> String {
    let mut writer = Writer::default();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        writer.text(before);
        rest = match after_tag(tag) {
            Some(after) => {
                let inside = tag.get(1..tag.len() - after.len()).unwrap_or_default();
                writer.tag(inside.trim_end_matches('>'), after)
            }
            // A `<` that begins no tag is text.
            None => {
                writer.text("<");
                tag.get(1..).unwrap_or_default()
            }
        };
    }
    writer.text(rest);
    writer.finish()
}

/// What follows the tag or the comment that the text begins with.
fn after_tag(text: &str) -> Option<&str> {
    if let Some(comment) = text.strip_prefix("<!--") {
        return Some(comment.find("-->").map_or("", |end| comment.get(end + 3..).unwrap_or_default()));
    }
    let begins = text.chars().nth(1).is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
    if !begins {
        return None;
    }
    let mut quote = None;
    for (place, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return text.get(place + 1..),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), found) if open == found => quote = None,
            _ => {}
        }
    }
    Some("")
}

#[derive(Default)]
struct Writer {
    lines: Vec<String>,
    line: String,
    /// Targets of the links that are open.
    links: Vec<Option<String>>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        for character in unescape(text).chars() {
            if !character.is_whitespace() {
                self.line.push(character);
            } else if !self.line.is_empty() && !self.line.ends_with(' ') {
                self.line.push(' ');
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_end();
        if !line.trim_matches(['#', '-', '|', ' ']).is_empty() {
            self.lines.push(line.to_owned());
        }
    }

    /// Writes what a tag means, and says where to go on reading.
    fn tag<'a>(&mut self, inside: &str, after: &'a str) -> &'a str {
        let closes = inside.starts_with('/');
        let name = inside.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let name = name.get(..end).unwrap_or_default().to_ascii_lowercase();
        match name.as_str() {
            silent if SILENT.contains(&silent) && !closes && !inside.ends_with('/') => {
                return skip_element(silent, after);
            }
            "a" if closes => {
                if let Some(Some(target)) = self.links.pop() {
                    self.line.push_str(&format!(" ({target})"));
                }
            }
            "a" => self.links.push(attribute(inside, "href").filter(|target| target.starts_with("http"))),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_line();
                if !closes {
                    let depth =
                        name.as_bytes().get(1).map_or(1, |digit| usize::from(digit.saturating_sub(b'0')));
                    self.line.push_str(&"#".repeat(depth));
                    self.line.push(' ');
                }
            }
            "li" => {
                self.end_line();
                if !closes {
                    self.line.push_str("- ");
                }
            }
            "td" | "th" if closes => self.line.push_str(" | "),
            block if BLOCKS.contains(&block) => self.end_line(),
            _ => {}
        }
        after
    }

    fn finish(mut self) -> String {
        self.end_line();
        self.lines.join("\n")
    }
}

/// What follows the end of an element whose content is left out; nothing where it does not end.
fn skip_element<'a>(name: &str, text: &'a str) -> &'a str {
    let mut rest = text;
    while let Some(place) = rest.find("</") {
        rest = rest.get(place + 2..).unwrap_or_default();
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest.find('>').map_or("", |end| rest.get(end + 1..).unwrap_or_default());
        }
    }
    ""
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let place = lower.find(&format!(" {name}="))? + name.len() + 2;
    let value = tag.get(place..)?;
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    Some(unescape(value.trim()))
}

/// Replaces the character references that pages use; others stay as they are.
fn unescape(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        result.push_str(rest.get(..start).unwrap_or_default());
        rest = rest.get(start..).unwrap_or_default();
        // The longest reference that is known has ten characters.
        let end = rest.char_indices().take(12).find(|(_, c)| *c == ';').map(|(end, _)| end);
        let known = end.and_then(|end| Some((reference(rest.get(1..end)?)?, end)));
        match known {
            Some((character, end)) => {
                result.push(character);
                rest = rest.get(end + 1..).unwrap_or_default();
            }
            None => {
                result.push('&');
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    result.push_str(rest);
    result
}

fn reference(name: &str) -> Option<char> {
    let number = |digits: &str, base| u32::from_str_radix(digits, base).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        "hellip" => Some('…'),
        "euro" => Some('€'),
        "copy" => Some('©'),
        "lsquo" => Some('‘'),
        "rsquo" => Some('’'),
        "ldquo" => Some('“'),
        "rdquo" => Some('”'),
        _ => match name.strip_prefix('#')? {
            hexadecimal if hexadecimal.starts_with(['x', 'X']) => number(hexadecimal.get(1..)?, 16),
            decimal => number(decimal, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_become_lines() {
        let cases = [
            (
                "<h2>Return &amp; refund</h2><p>Within <b>30</b>\n days.</p>",
                "## Return & refund\nWithin 30 days.",
            ),
            ("<ul><li>one<li>two</ul>", "- one\n- two"),
            ("<table><tr><td>a</td><td>b</td></tr></table>", "a | b |"),
            ("<head><title>t</title></head>x<script>if (a<b) { '</p>' }</script>y", "xy"),
            ("<a class='c' href=\"https://a.org/?x=1&amp;y=2\">see</a>", "see (https://a.org/?x=1&y=2)"),
            ("<a href='#top'>up</a>", "up"),
            ("1 < 2 &copy; &#8364;&#x41; &unknown; &", "1 < 2 © €A &unknown; &"),
            ("a<!-- <p>no</p> -->b", "ab"),
            ("<p title='a>b'>c", "c"),
            ("<script>never ends", ""),
            ("cut <a href=", "cut"),
        ];
        for (html, text) in cases {
            assert_eq!(of_html(html), text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn no_page_panics(html in ".{0,200}") {
            let _ = of_html(&html);
        }

        #[test]
        fn no_tangle_of_tags_panics(html in "[<>/!a-c&;#x\"'= -]{0,120}") {
            let _ = of_html(&html);
        }
    }
}
