//! Documents: what a service keeps beside runs, such as answers that are asked for again, conversations, and addresses to call.
//!
//! An engine keeps them under a kind and a key and knows nothing of what they mean.

use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A document as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What sort of thing it is: a word.
    pub kind: String,
    /// Its name among those of its kind.
    pub key: String,
    /// What it says.
    pub body: Json,
    /// Which state of it this is. Each change makes another, and none comes twice, also not after it was deleted.
    pub revision: u64,
    /// The person whose data it is; it is erased with their runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When it was first put.
    pub created: Timestamp,
    /// When it was last put.
    pub updated: Timestamp,
    /// When it is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A document to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What sort of thing it is: a word.
    pub kind: String,
    /// Its name among those of its kind.
    pub key: String,
    /// What it says.
    pub body: Json,
    /// The person whose data it is.
    pub user: Option<String>,
    /// When it is forgotten; never where none is given.
    pub expires: Option<Timestamp>,
    /// What must be there for it to be kept.
    pub expected: Expected,
}

impl Draft {
    /// A document that is kept whatever is there.
    pub fn new(kind: impl Into<String>, key: impl Into<String>, body: Json) -> Self {
        let (kind, key) = (kind.into(), key.into());
        Self { kind, key, body, user: None, expires: None, expected: Expected::Anything }
    }

    /// Keeps it only over what is expected.
    #[must_use]
    pub fn over(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }
}

/// What must be there for a document to be kept or deleted: of two who change one at the same time, one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever there is.
    Anything,
    /// Nothing.
    Nothing,
    /// This revision of it.
    Revision(u64),
    /// Some revision of it: it was not deleted.
    Something,
}
