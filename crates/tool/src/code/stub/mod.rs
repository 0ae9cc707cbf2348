//! Stubs: the tools of an agent as declarations in the language of its programs.

mod typescript;

use adjutant_core::tool::ToolSpec;

use super::program::Language;

/// The tools as declarations that a model reads before it writes a program.
pub fn stubs<'a>(language: Language, tools: impl IntoIterator<Item = &'a ToolSpec>) -> String {
    match language {
        Language::Javascript => typescript::declare(tools),
    }
}
