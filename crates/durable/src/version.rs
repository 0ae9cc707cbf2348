//! Versions: definitions that were published under a name, and what is known of them.
//!
//! An engine keeps them and knows nothing of what they mean: which one a run is started with is for others to say.

use adjutant_core::hash::Digest;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A definition that was published under a name. It never changes; the hash of its content is what it is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The agent or workflow.
    pub name: String,
    /// Its definition at that time.
    pub definition: Digest,
    /// Who published it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Which version a run is started with, and because of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The version.
    pub definition: Digest,
    /// The label that it had then; none where it was named by its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// How many of a hundred new runs get the version of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The label.
    pub label: String,
    /// Of a hundred.
    pub percent: u8,
}

/// A change of what the labels of a name mean. It says how it found them, and counts only where they are still so: of two
/// who change the same thing at once, the second is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A label means another version.
    Label {
        /// The label.
        label: String,
        /// What it meant; none where it was not there.
        from: Option<Digest>,
        /// What it means now; none where it is taken away.
        to: Option<Digest>,
        /// Whether it goes back to what it meant before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        back: bool,
    },
    /// New runs are shared otherwise among the labels.
    Split {
        /// How they were shared; not at all where it is empty.
        from: Vec<Share>,
        /// How they are shared now.
        to: Vec<Share>,
    },
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The agent or workflow.
    pub name: String,
    /// What was changed.
    pub change: Change,
    /// Who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}
