//! [`Engine`]: what runs programs of one language, in the child process.

use super::advance::{Advance, Completion, End, Fault};
use super::javascript;
use super::program::{Language, Program};

/// A program under way. Nothing of it lives outside this value.
pub(super) trait Engine {
    /// Runs on until the program waits for its calls, or ends: first without a completion, then with one at a time.
    fn advance(&mut self, completion: Option<Completion>) -> Advance;
}

/// Begins a program.
pub(super) fn begin(program: &Program) -> Box<dyn Engine> {
    if program.source.len() > program.limits.source as usize {
        let message = format!(
            "the program has {} bytes, and {} are allowed",
            program.source.len(),
            program.limits.source
        );
        return Box::new(Unstarted(Fault { message, ..Fault::default() }));
    }
    let begun = match program.language {
        Language::Javascript => javascript::begin(program),
    };
    begun.unwrap_or_else(|fault| Box::new(Unstarted(fault)))
}

/// The name and version of what runs a language.
pub(super) fn version(language: Language) -> &'static str {
    match language {
        Language::Javascript => javascript::VERSION,
    }
}

/// A program that could not begin.
struct Unstarted(Fault);

impl Engine for Unstarted {
    fn advance(&mut self, _completion: Option<Completion>) -> Advance {
        Advance { end: Some(End::Fault(self.0.clone())), ..Advance::default() }
    }
}
