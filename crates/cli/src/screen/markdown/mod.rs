//! Markdown for a terminal, as it streams in.
//!
//! Text is shown word by word as it comes, so nothing waits for the end of a paragraph. Only what cannot be known
//! earlier is held back: the first characters of a line, a fence, and a table, whose columns line up when it is over.

mod block;
mod inline;

use block::Block;
use inline::Inline;

use super::clean::clean;
use super::style::Style;
use super::table::Table;

/// What decides the kind of a line is within so many characters of its beginning.
const DECIDED: usize = 8;

/// Turns a stream of Markdown into styled, wrapped lines. Without colour the text stays as it is.
pub(crate) struct Renderer {
    colored: bool,
    inline: Inline,
    /// Text that is not shown yet.
    held: String,
    /// The mark that ends the code block that the text is in.
    fence: Option<&'static str>,
    /// Whether the text held begins a line.
    fresh: bool,
    table: Vec<String>,
    /// Whether what was shown last ended its line.
    ended: bool,
}

impl Renderer {
    /// A renderer for lines of so many characters.
    pub(crate) fn new(width: usize, colored: bool) -> Self {
        Self {
            colored,
            inline: Inline::new(width),
            held: String::new(),
            fence: None,
            fresh: true,
            table: Vec::new(),
            ended: true,
        }
    }

    /// Takes the next piece and gives what can be shown by now.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let piece = clean(piece);
        let mut shown = String::new();
        if self.colored {
            self.held.push_str(&piece);
            while self.advance(&mut shown) {}
        } else {
            shown.push_str(&piece);
        }
        self.note(&shown);
        shown
    }

    /// Shows what was held back and ends the line. The renderer can then take another text.
    pub(crate) fn finish(&mut self) -> String {
        let mut shown = String::new();
        if !self.held.is_empty() {
            self.held.push('\n');
            while self.advance(&mut shown) {}
        }
        self.flush_table(&mut shown);
        self.inline.end_paragraph(&mut shown);
        self.fence = None;
        self.fresh = true;
        self.note(&shown);
        if !self.ended {
            shown.push('\n');
            self.ended = true;
        }
        shown
    }

    fn note(&mut self, shown: &str) {
        if !shown.is_empty() {
            self.ended = shown.ends_with('\n');
        }
    }

    /// Shows a little more, and says whether it could.
    fn advance(&mut self, shown: &mut String) -> bool {
        if self.fresh { self.begin_line(shown) } else { self.continue_line(shown) }
    }

    fn begin_line(&mut self, shown: &mut String) -> bool {
        let whole = self.held.contains('\n');
        if self.fence.is_some() {
            return whole && self.code_line(shown);
        }
        if !whole && self.held.trim_start().chars().count() < DECIDED {
            return false;
        }
        let block = Block::of(&self.held);
        if block.needs_whole_line() && !whole {
            return false;
        }
        if !matches!(block, Block::Row) {
            self.flush_table(shown);
        }
        match block {
            Block::Fence(mark) => {
                self.take_line();
                self.fence = Some(mark);
            }
            Block::Row => {
                let line = self.take_line();
                self.table.push(line);
            }
            Block::Rule => {
                self.take_line();
                shown.push_str(&Style::Dim.paint(&"-".repeat(self.inline.width().min(40)), true));
                shown.push('\n');
            }
            Block::Blank => {
                self.take_line();
                self.inline.end_paragraph(shown);
                shown.push('\n');
            }
            Block::Text { mark, skip, indent, style } => {
                self.held.drain(..skip);
                self.inline.begin_line(&mark, indent, style, shown);
                self.fresh = false;
            }
        }
        true
    }

    fn continue_line(&mut self, shown: &mut String) -> bool {
        let Some(end) = self.held.find([' ', '\t', '\n']) else { return false };
        let word: String = self.held.drain(..end).collect();
        let gap = self.held.remove(0);
        self.inline.word(&word, shown);
        if gap == '\n' {
            self.inline.end_line(shown);
            self.fresh = true;
        }
        true
    }

    fn code_line(&mut self, shown: &mut String) -> bool {
        let line = self.take_line();
        if self.fence.is_some_and(|mark| line.trim_start().starts_with(mark)) {
            self.fence = None;
        } else {
            shown.push_str(&format!("    {}\n", Style::Cyan.paint(&line, true)));
        }
        true
    }

    fn take_line(&mut self) -> String {
        let end = self.held.find('\n').unwrap_or(self.held.len());
        let line = self.held.drain(..end).collect();
        if !self.held.is_empty() {
            self.held.remove(0);
        }
        line
    }

    fn flush_table(&mut self, shown: &mut String) {
        if self.table.is_empty() {
            return;
        }
        let rows: Vec<Vec<String>> =
            std::mem::take(&mut self.table).iter().filter_map(|row| block::cells(row)).collect();
        shown.push_str(&Table::of(&rows).render(true));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn render(text: &str, width: usize) -> String {
        let mut renderer = Renderer::new(width, true);
        let mut shown = renderer.push(text);
        shown.push_str(&renderer.finish());
        shown.replace("\x1b[0m", "<>").replace("\x1b[", "<").replace('m', ">").replace(">>", ">")
    }

    /// The text without its styles.
    fn plain(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown;
        while let Some(start) = rest.find("\x1b[") {
            text.push_str(&rest[..start]);
            rest = &rest[start..];
            rest = &rest[rest.find('m').unwrap() + 1..];
        }
        text + rest
    }

    #[test]
    fn marks_become_styles() {
        let cases = [
            ("# Big\ntext\n", "<1>Big<>\ntext\n"),
            ("a **b c** d", "a <1>b c<> d\n"),
            ("run `x y` now", "run <36>x y<> now\n"),
            ("*so* it is, 2 * 3", "<3>so<> it is, 2 * 3\n"),
            ("snake_case_na", "snake_case_na\n"),
            ("- one\n- two", "- one\n- two\n"),
            ("```rust\nlet x;\n```\nend", "    <36>let x;<>\nend\n"),
            ("| a | b |\n|---|---|\n| 1 | two |\n", "<2>a  b<>\n1  two\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(render(text, 80), expected, "{text}");
        }
    }

    #[test]
    fn long_lines_wrap_under_their_text() {
        assert_eq!(render("- one two three four\n", 12), "- one two\n  three four\n");
        assert_eq!(render("averyveryverylongword x\n", 12), "averyveryverylongword\nx\n");
    }

    #[test]
    fn without_colour_the_text_stays() {
        let mut renderer = Renderer::new(10, false);
        assert_eq!(
            renderer.push("**a** long line of `text`") + &renderer.finish(),
            "**a** long line of `text`\n"
        );
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[-a-c#*`|_> \n0-9.~]{0,60}", cut in 0usize..60) {
            let whole = { let mut r = Renderer::new(20, true); r.push(&text) + &r.finish() };
            let cut = cut.min(text.len());
            let mut r = Renderer::new(20, true);
            let pieces = r.push(&text[..cut]) + &r.push(&text[cut..]) + &r.finish();
            prop_assert_eq!(plain(&pieces), plain(&whole));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,80}") {
            let mut r = Renderer::new(20, true);
            let shown = r.push(&text) + &r.finish();
            prop_assert!(shown.is_empty() || shown.ends_with('\n'));
        }
    }
}
