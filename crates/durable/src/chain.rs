//! The chain: what makes a change of what was recorded visible.
//!
//! Every batch of records that is committed, and every [`Act`] of administration, is a link: a hash over the link before and over
//! hashes of the content. The hashes of the content are kept with the link, so content can be erased and the chain stays whole; what
//! was erased is named by an act, so that it is told from what was removed in silence. One chain is one tenant's and project's.

use adjutant_core::hash::Digest;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// Something that somebody did, and that no record of a run holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// Who; empty where it was not said.
    pub by: String,
    /// What, in two words such as `key.created`.
    pub what: String,
    /// On what: a key, a grant, a name.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// What else is to be known: no secret, and nothing that a person could ask to have erased.
    #[serde(default = "Json::null")]
    pub details: Json,
}

impl Act {
    /// Runs were forgotten because they were old. Its details name them.
    pub const PRUNED: &'static str = "runs.pruned";
    /// The runs of a person were erased. Its details name them, and not the person.
    pub const ERASED: &'static str = "person.erased";

    /// Under which name the details have the run that something was done to.
    pub const RUN: &'static str = "run";

    /// Something that was done, with nothing else to be known of it.
    pub fn new(by: impl Into<String>, what: &str, subject: impl Into<String>, at: Timestamp) -> Self {
        Self { by: by.into(), what: what.to_owned(), subject: subject.into(), at, details: Json::null() }
    }

    /// Says what else is to be known.
    #[must_use]
    pub fn with(mut self, details: Json) -> Self {
        self.details = details;
        self
    }

    /// The runs whose records went with it.
    pub fn gone(&self) -> Vec<RunId> {
        #[derive(Deserialize)]
        struct Gone {
            runs: Vec<RunId>,
        }
        match self.what.as_str() {
            Self::PRUNED | Self::ERASED => {
                self.details.to::<Gone>().map(|gone| gone.runs).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// One link as it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Its place in the chain, from 1.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
    /// What it is a link for.
    pub what: Linked,
}

/// What a link is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Linked {
    /// Something was done to the service.
    Act(Act),
    /// Something was recorded of a run: those records of it that may say what people did, or what was kept
    /// from being done. None where they were erased.
    Records {
        /// The run.
        run: RunId,
        /// Its agent or workflow; nothing where it was erased.
        name: String,
        /// What was recorded.
        told: Vec<Told>,
    },
}

/// A record, with the step whose result it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The record.
    pub record: Record,
    /// The step, where it is the result of one.
    pub from: Option<Source>,
}

/// A step whose result may say what people did, or what was kept from being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A signal of this name was waited for, and came.
    Signal(String),
    /// An effect of this name was made.
    Effect(String),
}

/// A batch of records of one run, in the order in which all batches of its tenant and project were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in that order: the number of its link.
    pub place: u64,
    /// The run. It may have been erased since.
    pub run: RunId,
    /// The offset of the first record.
    pub first: u64,
    /// How many there are.
    pub count: u64,
}

/// What is to be verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verify {
    /// The first link whose content is looked at; of those before, only the chain itself.
    pub from: u64,
    /// A link that must be in the chain: the last one of an earlier time, which was kept elsewhere.
    pub head: Option<Digest>,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verified {
    /// How many links the chain has.
    pub links: u64,
    /// The hash of the last one; none where there is none. Kept elsewhere, it shows later that nothing was cut off.
    pub head: Option<Digest>,
    /// When the chain began; none where nothing was recorded yet.
    pub begun: Option<Timestamp>,
    /// How many records there were before it began: they are in no link.
    pub before: u64,
    /// How many records were compared with their link.
    pub records: u64,
    /// How many acts were.
    pub acts: u64,
    /// How many records were erased since they were linked.
    pub erased: u64,
    /// The acts by which they were, in order.
    pub erasures: Vec<Act>,
    /// The first thing that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// Where a chain, or what it is for, is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The link, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
    /// The run, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The record of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// What is wrong, in a sentence.
    pub what: String,
}
