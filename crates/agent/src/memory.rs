//! [`Memory`]: what a run knows at a point between two of its turns.

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_policy::detect::Pseudonyms;
use adjutant_policy::facts::Past;
use adjutant_policy::narrow::Narrowing;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::guard::Watch;
use crate::handoff::Handing;
use crate::tally::Tally;
use crate::termination::Tried;
use crate::workflow::Item;

/// The version of the form of a [`Memory`]. The first held what was said in earlier turns, too.
const VERSION: u16 = 2;

/// What a run knows at a point between two of its turns. A segment of a long run begins with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    version: u16,
    /// What was said.
    pub conversation: Conversation,
    /// What was used and done.
    pub tally: Tally,
    /// What a model has called the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    pub(crate) tried: Tried,
    /// The tools that the agent has found, in the order in which it found them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) found: Vec<String>,
    /// The calls that were made, as far as a policy asks about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) past: Vec<Past>,
    /// Those that were made before by whom the run works for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) given: Vec<Past>,
    /// What the pseudonyms of the conversation stand for.
    #[serde(default, skip_serializing_if = "Pseudonyms::is_empty")]
    pub(crate) names: Pseudonyms,
    /// What the task needs, where that was fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) narrowing: Option<Narrowing>,
    /// How many calls the code of a workflow has made.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) calls: u32,
    /// What the code of a workflow has left for this segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Json>,
    /// What the tasks need for which it was started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) narrowed: Vec<Narrowing>,
    /// Those to which the conversation was handed over since somebody said something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) handed: Vec<String>,
    /// How often it was handed over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) handoffs: u32,
    /// What the code of a workflow has made last, where that may end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Item>,
    /// The condition under which it has done enough, once it holds, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enough: Option<String>,
    /// What is left to do, as far as it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) open: Vec<String>,
    /// The handoff that the last answer of the model makes.
    #[serde(skip)]
    pub(crate) handing: Option<Handing>,
    /// About how many steps the segment has recorded.
    #[serde(skip)]
    pub(crate) recorded: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Memory {
    /// What a run knows at its beginning.
    pub(crate) fn new(conversation: Conversation) -> Self {
        Self {
            version: VERSION,
            conversation,
            tally: Tally::default(),
            title: None,
            tried: Tried::default(),
            found: Vec::new(),
            past: Vec::new(),
            given: Vec::new(),
            names: Pseudonyms::default(),
            narrowing: None,
            calls: 0,
            state: None,
            narrowed: Vec::new(),
            handed: Vec::new(),
            handoffs: 0,
            made: None,
            enough: None,
            open: Vec::new(),
            handing: None,
            recorded: 0,
        }
    }

    /// Counts what the judges of guardrails took.
    pub(crate) fn judged(&mut self, watch: &Watch) {
        watch.spent().iter().for_each(|answer| self.tally.spend(answer));
    }

    /// Takes in the title that a model has made, and what that took.
    pub(crate) fn call(&mut self, made: Option<(Answer, Option<String>)>) {
        if let Some((answer, title)) = made {
            self.tally.spend(&answer);
            self.title = title;
        }
    }

    /// Reads what a segment begins with, without what was said in earlier turns: that is to be put back, or left out. Fails
    /// with [`Code::StoreNewer`] when a later version wrote it.
    pub(crate) fn read(recorded: &Json) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: u16,
        }
        let Version { version } = recorded.to()?;
        if version > VERSION {
            let message =
                format!("the run's memory has version {version}, and this program reads up to {VERSION}");
            return Err(Error::new(Code::StoreNewer, message)
                .with_help("use the version that wrote it, or a later one"));
        }
        recorded.to()
    }
}
