//! Words within a line: bold, italic, code, and the wrap.

use unicode_width::UnicodeWidthStr;

use super::super::style::Style;

const RESET: &str = "\x1b[0m";

/// Shows words one after the other, wraps them, and keeps the style that they are in.
pub(super) struct Inline {
    width: usize,
    column: usize,
    indent: usize,
    base: Style,
    bold: bool,
    italic: bool,
    code: bool,
    /// Whether a word stands before the next one in this line.
    follows: bool,
}

impl Inline {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            column: 0,
            indent: 0,
            base: Style::Plain,
            bold: false,
            italic: false,
            code: false,
            follows: false,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn begin_line(&mut self, mark: &str, indent: usize, style: Style, shown: &mut String) {
        shown.push_str(mark);
        self.column = mark.width();
        self.indent = indent;
        self.base = style;
        self.follows = false;
        self.apply(shown);
    }

    /// Shows a word with what it switches on or off.
    pub(super) fn word(&mut self, word: &str, shown: &mut String) {
        if word.is_empty() {
            return;
        }
        let marked = self.marked(word);
        let width: usize = marked
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.width(),
                Piece::Switch(_) => 0,
            })
            .sum();
        if self.follows && self.column + 1 + width > self.width {
            shown.push('\n');
            shown.push_str(&" ".repeat(self.indent));
            self.column = self.indent;
        } else if self.follows {
            shown.push(' ');
            self.column += 1;
        }
        for piece in marked {
            match piece {
                Piece::Text(text) => shown.push_str(&text),
                Piece::Switch(mark) => {
                    if !self.switch(mark) {
                        shown.push_str(RESET);
                    }
                    self.apply(shown);
                }
            }
        }
        self.column += width;
        self.follows = true;
    }

    pub(super) fn end_line(&mut self, shown: &mut String) {
        if self.base != Style::Plain {
            self.base = Style::Plain;
            shown.push_str(RESET);
            self.apply(shown);
        }
        shown.push('\n');
        self.column = 0;
        self.follows = false;
    }

    /// Ends whatever is still switched on: a mark that is never closed must not style the rest of the text.
    pub(super) fn end_paragraph(&mut self, shown: &mut String) {
        if self.is_styled() {
            shown.push_str(RESET);
        }
        (self.bold, self.italic, self.code, self.base) = (false, false, false, Style::Plain);
    }

    fn is_styled(&self) -> bool {
        self.bold || self.italic || self.code || self.base != Style::Plain
    }

    /// Switches a style, and says whether it is on now.
    fn switch(&mut self, mark: Mark) -> bool {
        let style = match mark {
            Mark::Bold => &mut self.bold,
            Mark::Italic => &mut self.italic,
            Mark::Code => &mut self.code,
        };
        *style = !*style;
        *style
    }

    /// Switches on all that holds.
    fn apply(&self, shown: &mut String) {
        let parameters = [
            (self.base == Style::Bold || self.bold).then_some("1"),
            (self.base == Style::Dim).then_some("2"),
            self.italic.then_some("3"),
            self.code.then_some("36"),
        ];
        let on: Vec<_> = parameters.into_iter().flatten().collect();
        if !on.is_empty() {
            shown.push_str(&format!("\x1b[{}m", on.join(";")));
        }
    }

    /// Splits a word at its marks, given what is switched on before it.
    fn marked(&self, word: &str) -> Vec<Piece> {
        let (mut code, mut italic) = (self.code, self.italic);
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = word;
        while let Some(c) = rest.chars().next() {
            let before = text.chars().next_back();
            let (length, mark) = if c == '`' {
                code = !code;
                (1, Some(Mark::Code))
            } else if !code && rest.starts_with("**") && word != "**" {
                (2, Some(Mark::Bold))
            } else if !code && matches!(c, '*' | '_') && toggles_italic(rest, before, italic) {
                italic = !italic;
                (1, Some(Mark::Italic))
            } else {
                (c.len_utf8(), None)
            };
            let (taken, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            match mark {
                Some(mark) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Switch(mark));
                }
                None => text.push_str(taken),
            }
            rest = after;
        }
        pieces.push(Piece::Text(text));
        pieces
    }
}

enum Piece {
    Text(String),
    Switch(Mark),
}

#[derive(Clone, Copy)]
enum Mark {
    Bold,
    Italic,
    Code,
}

/// Whether `*` or `_` at the beginning of `rest` opens or closes: `snake_case` and `2 * 3` do neither.
fn toggles_italic(rest: &str, before: Option<char>, on: bool) -> bool {
    let after = rest.chars().nth(1);
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match on {
        true => before.is_some() && !is_letter(after),
        false => is_letter(after) && !is_letter(before),
    }
}
