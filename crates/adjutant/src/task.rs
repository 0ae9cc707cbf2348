//! [`Task`]: what an agent is asked to do, and on what terms.

use adjutant_core::id::SessionId;
use adjutant_core::message::Message;
use adjutant_core::money::Money;
use adjutant_durable::{Amount, WhenBusy};
use serde_json::{Map, Value};

/// What an agent is asked to do, and on what terms. A plain text is one: `adjutant.run(&desk, "Where is order 1042?")`.
///
/// ```
/// use adjutant::Task;
///
/// let task = Task::new("Where is order 1042?").session("ann").user("ann@example.com").variable("shop", "Bluebell");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub(crate) message: Message,
    pub(crate) variables: Map<String, Value>,
    pub(crate) session: Option<SessionId>,
    pub(crate) user: Option<String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) model: Option<String>,
    pub(crate) budget: Option<Amount>,
    pub(crate) id: Option<String>,
    /// Whether it may be given a title by a model.
    pub(crate) titled: bool,
    pub(crate) when_busy: WhenBusy,
}

impl Task {
    /// A task in words.
    pub fn new(text: impl Into<String>) -> Self {
        Self::from(Message::user(text))
    }

    /// Makes it a turn of a conversation: the agent sees the turns before it.
    #[must_use]
    pub fn session(mut self, id: impl Into<SessionId>) -> Self {
        self.session = Some(id.into());
        self
    }

    /// Says what happens where a turn of its conversation is under way. It waits for that one where nothing is said.
    #[must_use]
    pub fn when_busy(mut self, when_busy: WhenBusy) -> Self {
        self.when_busy = when_busy;
        self
    }

    /// Says whose data it handles; what [`Adjutant::erase_user`](crate::Adjutant::erase_user) later goes by.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Says something of the [user](Self::user) that policies may ask for, such as their role. Whoever calls this vouches for it.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Gives a variable of the prompt a value.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Uses another model than the agent's own: a role or a model id.
    #[must_use]
    pub fn model(mut self, role_or_id: impl Into<String>) -> Self {
        self.model = Some(role_or_id.into());
        self
    }

    /// Sets the most that the run, and all that it starts, may spend together.
    #[must_use]
    pub fn budget(mut self, most: Money) -> Self {
        let tokens = self.budget.map_or(u64::MAX, |budget| budget.tokens);
        self.budget = Some(Amount { tokens, nanos: most.nanos() });
        self
    }

    /// Names the task, so that it is done once: starting it again, also in another process, goes on with the run that
    /// is there. Any text will do, such as an order's number.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

impl From<Message> for Task {
    fn from(message: Message) -> Self {
        Self {
            message,
            variables: Map::new(),
            session: None,
            user: None,
            claims: Map::new(),
            model: None,
            budget: None,
            id: None,
            titled: true,
            when_busy: WhenBusy::default(),
        }
    }
}

impl From<&str> for Task {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Task {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
