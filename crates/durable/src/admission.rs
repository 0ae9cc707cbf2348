//! Admission: what a run is started with.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use serde::{Deserialize, Serialize};

use crate::busy::WhenBusy;
use crate::engine::Edit;
use crate::operation::Amount;
use crate::version::Chosen;

/// What a run is started with. It never changes afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Admission {
    /// The run's id: starting the same id twice starts one run.
    pub run: RunId,
    /// What people call it: the agent's or workflow's name.
    pub name: String,
    /// Which of the host's programs drives it, such as `agent`.
    pub program: String,
    /// What people find it by, until there is something better: the beginning of what it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The pinned definition.
    pub definition: Digest,
    /// What goes in.
    pub input: Json,
    /// The conversation that the run is a turn of. Turns of one session run one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The person whose data it handles; what is deleted when that person's data is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Who had it started, such as the name of a key; none where nobody said. That need not be the [user](Self::user).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Where the run comes from, if not from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The most that the run and all that it starts may take together; none shares the parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Amount>,
    /// The published version that it is started with; none where the definition comes from elsewhere. What is pinned may hold more
    /// than that, such as the policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Chosen>,
    /// What happens where a turn of its conversation is under way.
    #[serde(default, skip_serializing_if = "WhenBusy::is_usual")]
    pub when_busy: WhenBusy,
    /// How its conversation stood when somebody looked whether it may be a turn of it; however it stands, where nobody did. It is not
    /// recorded: the run is refused with [`adjutant_core::Code::Conflict`] where another turn was begun meanwhile.
    #[serde(skip)]
    pub after: Option<After>,
    /// The turns that it takes back: neither it nor any later turn sees them. The engine finds them when it records the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_back: Vec<RunId>,
}

/// How a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It has no turn.
    Nothing,
    /// This is its last turn.
    Turn(RunId),
}

impl After {
    /// How one stands that has these turns, oldest first.
    pub fn turns<'a>(turns: impl IntoIterator<Item = &'a RunId>) -> Self {
        turns.into_iter().last().map_or(Self::Nothing, |last| Self::Turn(last.clone()))
    }
}

impl Admission {
    /// An admission with nothing optional.
    pub fn new(
        run: RunId,
        name: impl Into<String>,
        program: impl Into<String>,
        definition: Digest,
        input: Json,
    ) -> Self {
        Self {
            run,
            name: name.into(),
            program: program.into(),
            title: None,
            definition,
            input,
            session: None,
            user: None,
            by: None,
            origin: None,
            budget: None,
            version: None,
            when_busy: WhenBusy::default(),
            after: None,
            takes_back: Vec::new(),
        }
    }
}

/// Where a run comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A step of another run started it and waits for it.
    Child {
        /// That run.
        parent: RunId,
        /// The segment of the step.
        segment: u32,
        /// The step.
        key: StepKey,
    },
    /// It continues another run from a point of that run's journal.
    Fork {
        /// That run.
        of: RunId,
        /// The first offset that is not taken over.
        before: u64,
        /// The answers that stand in place of recorded ones. Only the first record of the run has them: they are content.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edits: Vec<Edit>,
    },
}
