//! What is wrong with one file.

use std::cell::RefCell;

use adjutant_core::{Code, Error};

use super::node::Place;

/// How many mistakes of one file are reported; a person mends these first.
const MOST: usize = 50;

/// Collects what is wrong with one file, so that everything is reported together.
#[derive(Debug)]
pub struct Problems {
    file: String,
    errors: RefCell<Vec<Error>>,
}

impl Problems {
    /// Nothing is wrong yet. `file` is the name as the person knows it.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), errors: RefCell::default() }
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Notes a mistake ([`Code::ProjectInvalid`]) at a place.
    pub fn report(&self, place: Place, message: impl Into<String>) {
        self.add(place, Error::new(Code::ProjectInvalid, message));
    }

    /// Notes a mistake ([`Code::ProjectInvalid`]) at a place, with what to do about it.
    pub fn report_with(&self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.add(place, Error::new(Code::ProjectInvalid, message).with_help(help));
    }

    /// Notes an error of any code, at a place of this file.
    pub fn add(&self, place: Place, error: Error) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() < MOST {
            errors.push(error.at(&self.file, Some(place.line), Some(place.column)));
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// Everything that is wrong, in the order of the file.
    pub fn into_errors(self) -> Vec<Error> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|error| error.location().map(|at| (at.line, at.column)));
        errors
    }
}
