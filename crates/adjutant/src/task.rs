//! [`Task`]: what an agent is asked to do, and on what terms.

use adjutant_agent::definition::{Definition, check_schema};
use adjutant_core::id::SessionId;
use adjutant_core::message::Message;
use adjutant_core::money::Money;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{After, Amount, WhenBusy};
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
    pub(crate) terms: Terms,
    pub(crate) budget: Option<Amount>,
    pub(crate) id: Option<String>,
    /// Whether it may be given a title by a model.
    pub(crate) titled: bool,
    pub(crate) when_busy: WhenBusy,
    pub(crate) after: Option<After>,
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

    /// Starts it only where its conversation still stands as it stood when somebody looked whether this may be a turn of it; starting
    /// fails with [`adjutant_core::Code::Conflict`] where another turn was begun meanwhile.
    #[must_use]
    pub fn after(mut self, after: After) -> Self {
        self.after = Some(after);
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

    /// Has the model choose its words so freely, from 0 to 2, in the place of what the agent says.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.terms.temperature = Some(temperature);
        self
    }

    /// Sets the most tokens of one answer of the model, in the place of what the agent says. It does not raise that.
    #[must_use]
    pub fn max_output_tokens(mut self, most: u32) -> Self {
        self.terms.max_output_tokens = Some(most);
        self
    }

    /// Has the answer be data by this JSON schema (2020-12), for an agent that has no form of its own.
    #[must_use]
    pub fn output(mut self, schema: Value) -> Self {
        self.terms.output = Some(schema);
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
            terms: Terms::default(),
            budget: None,
            id: None,
            titled: true,
            when_busy: WhenBusy::default(),
            after: None,
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

/// How an agent answers this once, where that is not as its definition says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    temperature: Option<f32>,
    max_output_tokens: Option<u32>,
    output: Option<Value>,
}

impl Terms {
    /// Puts them into what the run pins. Fails with [`Code::InputInvalid`] for terms that an agent cannot be given.
    pub(crate) fn apply(self, definition: &mut Definition) -> Result<()> {
        let refuse =
            |message: String, help: &str| Err(Error::new(Code::InputInvalid, message).with_help(help));
        let name = &definition.name;
        if self != Self::default() && definition.workflow.is_some() {
            return refuse(
                format!("`{name}` is a workflow, and answers as it says itself"),
                "leave out the temperature, the most tokens of an answer and its form, or ask an agent",
            );
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return refuse(
                "the temperature must be from 0 to 2".to_owned(),
                "leave it out for the agent's own",
            );
        }
        if self.max_output_tokens == Some(0) {
            return refuse("an answer of no tokens is none".to_owned(), "give it at least 1 token");
        }
        match (&definition.output, &self.output) {
            (Some(own), Some(other)) if own != other => {
                return refuse(
                    format!("`{name}` answers in a form of its own, and is asked for another one"),
                    "leave the form out, or ask an agent without one",
                );
            }
            (None, Some(schema)) => {
                check_schema(schema).map_err(|error| Error::new(Code::InputInvalid, error.message()))?;
            }
            _ => {}
        }
        definition.temperature = self.temperature.or(definition.temperature);
        let most = [self.max_output_tokens, definition.max_output_tokens];
        definition.max_output_tokens = most.into_iter().flatten().min();
        definition.output = self.output.or(definition.output.take());
        Ok(())
    }
}
