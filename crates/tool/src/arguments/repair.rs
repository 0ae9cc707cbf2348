//! Repair: reads a text that is almost JSON, where only one reading is possible.
//!
//! Accepted beyond RFC 8259: a Markdown fence around the text, an empty text (no arguments), trailing commas, single
//! quotes, names without quotes, `True`, `False` and `None`, raw line breaks and tabs in a text, and closing brackets
//! missing at the very end. Refused is whatever would need a guess, above all a value that may have been cut off.

use std::fmt;

use serde_json::{Map, Number, Value};

/// How deep values may nest; the same as `serde_json`'s own limit.
const DEEPEST: usize = 128;

/// What cannot be repaired, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    reason: String,
    line: usize,
    column: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.reason, self.line, self.column)
    }
}

/// Reads the text, valid or slightly broken.
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    let mut reader = Reader { text, at: 0, end: text.len() };
    reader.strip_fence();
    reader.skip_space();
    if reader.peek().is_none() {
        return Ok(Value::Object(Map::new()));
    }
    let value = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(found) => Err(reader.fault(format!("`{}` after the end", shown(found)))),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// The place of the next character, in bytes.
    at: usize,
    /// Where reading stops, in bytes.
    end: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        let before = self.text.get(..self.at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Fault { reason: reason.into(), line, column }
    }

    fn unexpected(&self, expected: &str) -> Fault {
        match self.peek() {
            Some(found) => self.fault(format!("expected {expected}, found `{}`", shown(found))),
            None => self.fault(format!("expected {expected}, but the text ends")),
        }
    }

    /// Leaves out a fence of three backticks around everything, with or without a language.
    fn strip_fence(&mut self) {
        self.skip_space();
        let Some(inside) = self.rest().strip_prefix("```") else { return };
        let language = inside.len() - inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).len();
        self.at += 3 + language;
        let body = self.rest().trim_end();
        let body = body.strip_suffix("```").unwrap_or(body);
        self.end = self.at + body.len();
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth > DEEPEST {
            return Err(self.fault("values are nested too deeply"));
        }
        self.skip_space();
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Value::String),
            Some('-' | '0'..='9') => self.number(depth),
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        self.next();
        let mut fields = Map::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some('}') => {
                    self.next();
                    break;
                }
                // Nothing was begun, so nothing was cut off but the bracket.
                None if fields.is_empty() => break,
                _ => {}
            }
            let name = self.name()?;
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.unexpected("`:`"));
            }
            self.next();
            let value = self.value(depth + 1)?;
            if fields.contains_key(&name) {
                return Err(self.fault(format!("`{}` is given twice", shorten(&name))));
            }
            fields.insert(name, value);
            if self.closes('}')? {
                break;
            }
        }
        Ok(Value::Object(fields))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Fault> {
        self.next();
        let mut items = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(']') => {
                    self.next();
                    break;
                }
                None if items.is_empty() => break,
                _ => {}
            }
            items.push(self.value(depth + 1)?);
            if self.closes(']')? {
                break;
            }
        }
        Ok(Value::Array(items))
    }

    /// After an element: whether the list ends here. A comma at the very end means that more was to come.
    fn closes(&mut self, bracket: char) -> Result<bool, Fault> {
        self.skip_space();
        match self.peek() {
            None => Ok(true),
            Some(found) if found == bracket => {
                self.next();
                Ok(true)
            }
            Some(',') => {
                self.next();
                self.skip_space();
                match self.peek() {
                    None => Err(self.unexpected("more after the comma")),
                    Some(_) => Ok(false),
                }
            }
            Some(_) => Err(self.unexpected(&format!("`,` or `{bracket}`"))),
        }
    }

    fn name(&mut self) -> Result<String, Fault> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some(c) if c.is_ascii_alphabetic() || c == '_' || c == '$' => {
                let rest = self.rest();
                let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '-';
                let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
                self.at += end;
                Ok(rest.get(..end).unwrap_or_default().to_owned())
            }
            _ => Err(self.unexpected("a name in quotes")),
        }
    }

    fn string(&mut self, quote: char) -> Result<String, Fault> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.fault("a text that does not end")),
                Some(found) if found == quote => return Ok(text),
                Some('\\') => text.push(self.escape(quote)?),
                Some(other) => text.push(other),
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<char, Fault> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('u') => self.unicode(),
            Some(c @ ('"' | '\\' | '/')) => Ok(c),
            Some(c) if c == quote => Ok(c),
            Some(c) => Err(self.fault(format!("`\\{}` means nothing", shown(c)))),
            None => Err(self.fault("a text that does not end")),
        }
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let high = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            if !self.rest().starts_with("\\u") {
                return Err(self.fault("half of a surrogate pair"));
            }
            self.at += 2;
            let low = self.hex()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.fault("half of a surrogate pair"));
            }
            0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.fault("half of a surrogate pair"))
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.fault("`\\u` needs four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self, depth: usize) -> Result<Value, Fault> {
        let rest = self.rest();
        let inside = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        let Ok(number) = serde_json::from_str::<Number>(digits) else {
            return Err(self.fault(format!("`{}` is not a number", shorten(digits))));
        };
        self.at += end;
        // `{"limit": 10` may have been 100.
        if depth > 0 && self.peek().is_none() {
            return Err(self.fault("a number that may have been cut off"));
        }
        Ok(Value::Number(number))
    }

    fn word(&mut self) -> Result<Value, Fault> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let value = match rest.get(..end).unwrap_or_default() {
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            "null" | "None" => Value::Null,
            other => return Err(self.fault(format!("`{}` is a text without quotes", shorten(other)))),
        };
        self.at += end;
        Ok(value)
    }
}

/// The character as it is; one that does not show, by its code.
fn shown(character: char) -> String {
    if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_repair_is_made() {
        let cases = [
            ("", json!({})),
            (" \n", json!({})),
            ("```json\n{\"a\": 1}\n```", json!({"a": 1})),
            ("```{\"a\": 1}```", json!({"a": 1})),
            ("```json\n{\"a\": \"```\"}", json!({"a": "```"})),
            ("{\"a\": 1,}", json!({"a": 1})),
            ("[1, 2, ]", json!([1, 2])),
            ("{'a': 'it is \"so\"'}", json!({"a": "it is \"so\""})),
            ("{'a': 'it\\'s'}", json!({"a": "it's"})),
            ("{a: 1, b_2: 'x'}", json!({"a": 1, "b_2": "x"})),
            ("{\"a\": True, \"b\": False, \"c\": None}", json!({"a": true, "b": false, "c": null})),
            ("{\"a\": [\"x\", {\"b\": \"y\"", json!({"a": ["x", {"b": "y"}]})),
            ("{\"a\": 1\n", json!({"a": 1})),
            ("{", json!({})),
            ("{\"a\": \"one\ntwo\tthree\"}", json!({"a": "one\ntwo\tthree"})),
            ("\u{feff}{\"a\": \"\\ud83d\\ude00\"}", json!({"a": "😀"})),
        ];
        for (text, value) in cases {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn a_guess_is_refused_with_its_place() {
        let cases = [
            ("{\"a\": \"cut o", "a text that does not end at line 1, column 13"),
            ("{\"a\": 12", "a number that may have been cut off at line 1, column 9"),
            ("{\"a\": tru", "`tru` is a text without quotes at line 1, column 7"),
            ("{\"a\": \"x\",", "expected more after the comma, but the text ends at line 1, column 11"),
            ("{\"a\":", "expected a value, but the text ends at line 1, column 6"),
            ("{\"a\"", "expected `:`, but the text ends at line 1, column 5"),
            ("{'a': 'it's'}", "expected `,` or `}`, found `s` at line 1, column 11"),
            ("{\"a\": paris}", "`paris` is a text without quotes at line 1, column 7"),
            ("{\"a\": 1,\n \"a\": 2}", "`a` is given twice at line 2, column 8"),
            ("{\"a\": 1} {\"b\": 2}", "`{` after the end at line 1, column 10"),
            ("{\"a\": 01}", "`01` is not a number at line 1, column 7"),
            ("{\"a\": \"\\d\"}", "`\\d` means nothing at line 1, column 10"),
            ("{\"a\": \"\\ud83d\"}", "half of a surrogate pair at line 1, column 14"),
            ("I call it with a = 1", "`I` is a text without quotes at line 1, column 1"),
            ("{\"a\" \"b\"}", "expected `:`, found `\"` at line 1, column 6"),
            ("[1 2]", "expected `,` or `]`, found `2` at line 1, column 4"),
        ];
        for (text, fault) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), fault, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let fault = parse(&"[".repeat(1_000_000)).unwrap_err();
        assert_eq!(fault.reason, "values are nested too deeply");
        assert!(parse(&"{\"a\":".repeat(1_000_000)).is_err());
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..6).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn valid_json_is_never_changed(value in json_value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert_eq!(parse(&text.unwrap()), Ok(value));
        }

        /// A careless writer is understood.
        #[test]
        fn careless_json_means_the_same(value in json_value(), habits in prop::collection::vec(any::<u8>(), 1..40)) {
            let value = json!({ "a": value });
            prop_assert_eq!(parse(&careless(&value, &habits)), Ok(value));
        }

        /// What is closed at the end or not means the same, or is refused.
        #[test]
        fn missing_brackets_change_nothing(
            value in json_value(),
            habits in prop::collection::vec(any::<u8>(), 1..40),
            kept in 0usize..6,
        ) {
            let value = json!({ "a": value });
            let text = careless(&value, &habits);
            let open = text.trim_end_matches(['}', ']', ' ', '\n', '`']);
            let text = text.get(..text.len().min(open.len() + kept)).unwrap_or_default();
            if let Ok(read) = parse(text) {
                prop_assert_eq!(read, value, "{}", text);
            }
        }

        /// Damage anywhere: what is still read is no larger than the text, and is read again as the same.
        #[test]
        fn a_damaged_text_is_read_steadily(
            value in json_value(),
            habits in prop::collection::vec(any::<u8>(), 1..40),
            damages in prop::collection::vec((any::<prop::sample::Index>(), 0usize..4, "\\PC|[\\[\\]{}\",:'\\\\`\n]"), 1..5),
        ) {
            let mut text = careless(&value, &habits);
            for (at, removed, inserted) in damages {
                let at = text.floor_char_boundary(at.index(text.len() + 1));
                let end = text.ceil_char_boundary(text.len().min(at + removed));
                text.replace_range(at..end, &inserted);
            }
            match parse(&text) {
                Ok(read) => {
                    let written = read.to_string();
                    // A character that JSON must escape becomes six, and so does a short number that is written out.
                    prop_assert!(written.len() <= 6 * text.len() + 2, "{text} became {written}");
                    prop_assert_eq!(parse(&written), Ok(read));
                }
                Err(fault) => prop_assert!(fault.to_string().len() < 300, "{}", fault),
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_text_of_json_characters_panics(text in "[\\[\\]{}\",:'\\\\ua0-9e.+`TFNn \n-]{0,60}") {
            let _ = parse(&text);
        }

        /// A text that is cut anywhere is read as what it began with, or refused; never as another value.
        #[test]
        fn a_cut_text_never_changes_a_value(value in json_value(), cut in 0usize..200) {
            let whole = json!({ "a": value });
            let text = whole.to_string();
            let Some(part) = text.get(..cut.min(text.len())) else { return Ok(()) };
            if let Ok(read) = parse(part) {
                prop_assert!(is_beginning(&read, &whole), "{part} became {read}");
            }
        }
    }

    /// Writes a value with every habit that is forgiven; the bytes say which of them, each in its turn.
    fn careless(value: &Value, habits: &[u8]) -> String {
        let mut habits = habits.iter().copied().cycle();
        let mut text = String::new();
        let fenced = habits.next() == Some(0);
        write(value, &mut habits, &mut text);
        if fenced { format!("```json\n{text}\n```") } else { text }
    }

    fn write(value: &Value, habits: &mut impl Iterator<Item = u8>, text: &mut String) {
        let mut chooses = |choices: u8| habits.next().unwrap_or_default() % choices;
        match value {
            Value::Null => text.push_str(["null", "None"][usize::from(chooses(2))]),
            Value::Bool(true) => text.push_str(["true", "True"][usize::from(chooses(2))]),
            Value::Bool(false) => text.push_str(["false", "False"][usize::from(chooses(2))]),
            Value::Number(number) => text.push_str(&number.to_string()),
            Value::String(said) => write_text(said, chooses(3), text),
            Value::Array(items) => {
                text.push('[');
                for (place, item) in items.iter().enumerate() {
                    text.push_str(if place > 0 { "," } else { "" });
                    write(item, habits, text);
                }
                write_end(']', items.is_empty(), habits, text);
            }
            Value::Object(fields) => {
                text.push('{');
                for (place, (name, field)) in fields.iter().enumerate() {
                    text.push_str(if place > 0 { ",\n" } else { "" });
                    let quotes = habits.next().unwrap_or_default() % 4;
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '-';
                    let begins = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
                    match quotes == 3 && name.starts_with(begins) && name.chars().all(plain) {
                        true => text.push_str(name),
                        false => write_text(name, quotes, text),
                    }
                    text.push_str(": ");
                    write(field, habits, text);
                }
                write_end('}', fields.is_empty(), habits, text);
            }
        }
    }

    /// A closing bracket, after a comma or not.
    fn write_end(bracket: char, is_empty: bool, habits: &mut impl Iterator<Item = u8>, text: &mut String) {
        text.push_str(
            ["", ",", ", ", "\n"]
                [usize::from(habits.next().unwrap_or_default() % if is_empty { 1 } else { 4 })],
        );
        text.push(bracket);
    }

    /// A text in quotes as JSON wants them, or in single ones, or with its line breaks as they are.
    fn write_text(said: &str, quotes: u8, text: &mut String) {
        let quote = if quotes == 1 { '\'' } else { '"' };
        text.push(quote);
        for c in said.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c == quote => text.extend(['\\', c]),
                '\n' if quotes == 0 => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push(quote);
    }

    fn is_beginning(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Object(part), Value::Object(whole)) => part
                .iter()
                .all(|(name, value)| whole.get(name).is_some_and(|other| is_beginning(value, other))),
            (Value::Array(part), Value::Array(whole)) => {
                part.len() <= whole.len() && part.iter().zip(whole).all(|(a, b)| is_beginning(a, b))
            }
            (part, whole) => part == whole,
        }
    }
}
