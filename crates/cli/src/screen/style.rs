//! Colour and weight, which only repeat what the words say.

use std::io::IsTerminal;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless the environment has `NO_COLOR`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to style what goes to this stream. See <https://no-color.org> for `NO_COLOR`.
    pub(crate) fn applies_to(self, stream: &impl IsTerminal) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => stream.is_terminal() && !set("NO_COLOR") && !dumb,
        }
    }
}

/// How a piece of text looks (the parameters of SGR in ECMA-48).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// Heavier.
    Bold,
    /// Fainter: what is less important.
    Dim,
    /// An error.
    Red,
    /// A success.
    Green,
    /// Something that waits.
    Yellow,
    /// A name, or code.
    Cyan,
}

impl Style {
    fn begin(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Red => "\x1b[1;31m",
            Self::Green => "\x1b[32m",
            Self::Yellow => "\x1b[33m",
            Self::Cyan => "\x1b[36m",
        }
    }

    /// The text in this style, or as it is when there is no colour.
    pub(crate) fn paint(self, text: &str, colored: bool) -> String {
        if colored && self != Self::Plain && !text.is_empty() {
            format!("{}{text}\x1b[0m", self.begin())
        } else {
            text.to_owned()
        }
    }
}
