//! [`Crew`]: members who do tasks, in Rust.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_agent::Agent;
use adjutant_agent::definition::schema_of;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_tool::Tool;
use schemars::JsonSchema;
use serde_json::Value;

use crate::coded::Coded;
use crate::pattern::{Attempts, Fan, Piece, round};
use crate::perform::Planned;
use crate::plan::crew::{
    ASSIGNS, Placed, REVIEWS, about, choice, instructions, one_after_the_other, persona, told_each_time,
    verdict,
};
use crate::plan::helper::named;
use crate::plan::{self, Assignment, Crewed, Gate, Kind, Manager, Plan, Step, Text};

pub use crate::plan::Process;

/// Members, each for some kind of work, and the tasks that they do.
///
/// ```
/// use adjutant_workflow::crew::{Crew, Member, Task};
///
/// let crew = Crew::new("desk")
///     .member(Member::new("reader", "a researcher").goal("Find out what is known."))
///     .member(Member::new("writer", "a writer for people in a hurry").delegates())
///     .task(Task::new("find", "Find out about {{ input }}.").by("reader"))
///     .task(Task::new("tell", "Tell it.").expected("Three sentences.").by("writer"))
///     .workflow()?;
/// # Ok::<(), adjutant_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Crew {
    name: String,
    description: String,
    process: Process,
    members: Vec<Member>,
    tasks: Vec<Task>,
    manager: String,
    rounds: u32,
    at_a_time: usize,
}

/// A member of a crew.
#[derive(Clone)]
pub struct Member {
    name: String,
    role: String,
    goal: String,
    backstory: String,
    model: Option<String>,
    tools: Vec<Arc<dyn Tool>>,
    agent: Option<Agent>,
    delegates: bool,
}

/// A task of a crew.
#[derive(Clone, Debug)]
pub struct Task {
    id: String,
    description: String,
    expected: Option<String>,
    by: Option<String>,
    context: Option<Vec<String>>,
    after: Vec<String>,
    is_beside: bool,
    output: Option<Value>,
    gate: Option<Gate>,
}

impl Crew {
    /// A crew without members and tasks.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            process: Process::default(),
            members: Vec::new(),
            tasks: Vec::new(),
            manager: adjutant_agent::Source::DEFAULT_MODEL.to_owned(),
            rounds: Crewed::ROUNDS,
            at_a_time: Fan::default().at_a_time,
        }
    }

    /// Says what it is for, in a sentence.
    #[must_use]
    pub fn description(self, text: impl Into<String>) -> Self {
        Self { description: text.into(), ..self }
    }

    /// Adds a member.
    #[must_use]
    pub fn member(mut self, member: Member) -> Self {
        self.members.push(member);
        self
    }

    /// Adds a task.
    #[must_use]
    pub fn task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }

    /// Says how the tasks follow one another; one after the other where nothing is said.
    #[must_use]
    pub fn process(self, process: Process) -> Self {
        Self { process, ..self }
    }

    /// Has a manager say who does each task, and whether its result will do: this model, by its role or id.
    #[must_use]
    pub fn managed_by(self, model: impl Into<String>) -> Self {
        Self { manager: model.into(), process: Process::Hierarchical, ..self }
    }

    /// Sets how often a task is done at most, where its result is sent back; 3 where nothing is said.
    #[must_use]
    pub fn rounds(self, rounds: u32) -> Self {
        Self { rounds, ..self }
    }

    /// Sets how many tasks are done at a time; 8 where nothing is said.
    #[must_use]
    pub fn at_a_time(self, at_a_time: usize) -> Self {
        Self { at_a_time, ..self }
    }

    /// The crew as a workflow, which is given what its tasks call `input`, and makes what its last task makes.
    ///
    /// Fails with [`Code::ProjectInvalid`] where a task names a member or a task that there is not, where tasks wait for one
    /// another, and where a text is no template.
    pub fn workflow(self) -> Result<Coded> {
        let mut tasks = self.tasks.iter().map(Task::assignment).collect::<Result<Vec<_>>>()?;
        if self.process != Process::Parallel {
            let placed = self.tasks.iter().map(Task::placed).collect::<Vec<_>>();
            one_after_the_other(&mut tasks, &placed);
        }
        self.check(&tasks)?;
        let mut workflow = Coded::new(&self.name).description(&self.description);
        for member in &self.members {
            workflow = workflow.agent(&self.whole(member, None));
        }
        for task in &mut tasks {
            let Some(output) = task.output.clone() else { continue };
            let doing = self.members.iter().filter(|member| member.agent.is_none());
            for member in doing.filter(|member| task.by.as_ref().is_none_or(|by| *by == member.name)) {
                let typed = self.whole(member, Some((&task.id, &output)));
                task.typed.insert(member.name.clone(), typed.name().to_owned());
                workflow = workflow.agent(&typed);
            }
        }
        let mut manager = None;
        if self.process == Process::Hierarchical {
            let leads = |role: &str, told: &str, output: Value| {
                let agent = Agent::new(named(format!("{}-{role}", self.name))).model(&self.manager);
                agent.instructions(told).output_schema(output)
            };
            let assigns = leads("manager", ASSIGNS, choice(self.members.iter().map(|member| &member.name)));
            let reviews = leads("review", REVIEWS, verdict());
            workflow = workflow.agent(&assigns).agent(&reviews);
            manager =
                Some(Manager { assigns: assigns.name().to_owned(), reviews: reviews.name().to_owned() });
        }
        let members = self.members.iter().map(|member| (member.name.clone(), self.planned(member)));
        let crewed = Crewed {
            process: self.process,
            members: members.collect(),
            tasks,
            manager,
            rounds: self.rounds,
            at_a_time: self.at_a_time,
            output: None,
        };
        Ok(workflow.directed_by(Planned::new(alone(crewed))))
    }

    /// Fails with the first thing that is wrong with how members and tasks hang together.
    fn check(&self, tasks: &[Assignment]) -> Result<()> {
        let members: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        for (index, task) in tasks.iter().enumerate() {
            let id = &task.id;
            if ids.iter().take(index).any(|other| other == id) {
                return Err(wrong(format!("there are two tasks called `{id}`")));
            }
            match &task.by {
                Some(by) => known(by, &members, format!("the crew has no member `{by}`"))?,
                None if self.process == Process::Hierarchical => {}
                None => return Err(wrong(format!("nobody says who does the task `{id}`"))),
            }
            for other in task.needs() {
                known(other, &ids, format!("the task `{id}` comes after `{other}`, which there is not"))?;
            }
        }
        let needs = tasks.iter().map(|task| task.needs().map(str::to_owned).collect());
        let needs: Vec<Vec<String>> = needs.collect();
        let pieces: Vec<_> =
            tasks.iter().zip(&needs).map(|(task, needs)| Piece { id: &task.id, needs }).collect();
        let names: Vec<_> = round(&pieces, []).into_iter().map(|id| format!("`{id}`")).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(wrong(format!("the tasks {} wait for one another", names.join(", ")))),
        }
    }

    /// A member as an agent with those that it may ask; one that answers a task in its form, where that is given.
    fn whole(&self, member: &Member, task: Option<(&String, &Value)>) -> Agent {
        let name = match task {
            Some((id, _)) => named(format!("{}-{}-{id}", self.name, member.name)),
            None => self.name_of(member),
        };
        let mut agent = self.bare(member, name);
        if let Some((_, output)) = task {
            agent = agent.output_schema(output.clone());
        }
        if member.delegates {
            for other in self.members.iter().filter(|other| other.name != member.name) {
                // Those that are asked ask nobody in turn, so what is handed on comes to an end.
                agent = agent.agent(&self.bare(other, self.name_of(other)).description(other.about()));
            }
        }
        agent
    }

    /// A member as an agent that asks nobody.
    fn bare(&self, member: &Member, name: String) -> Agent {
        if let Some(agent) = &member.agent {
            return agent.clone();
        }
        let told = instructions(&member.persona(), member.delegates);
        // What it is told is no template.
        let agent = Agent::new(name).instructions(format!("{{% raw %}}{told}{{% endraw %}}"));
        let agent = match &member.model {
            Some(model) => agent.model(model),
            None => agent,
        };
        agent.tools(member.tools.iter().cloned())
    }

    /// What a member is called as an agent.
    fn name_of(&self, member: &Member) -> String {
        match &member.agent {
            Some(agent) => agent.name().to_owned(),
            None => named(format!("{}-{}", self.name, member.name)),
        }
    }

    fn planned(&self, member: &Member) -> plan::Member {
        let persona = match &member.agent {
            Some(_) => told_each_time(&member.persona(), member.delegates),
            None => String::new(),
        };
        plan::Member { agent: self.name_of(member), about: member.about(), persona }
    }
}

/// A plan of one step.
fn alone(crewed: Crewed) -> Plan {
    let step = Step {
        id: "crew".to_owned(),
        kind: Kind::Crew(Box::new(crewed)),
        when: None,
        attempts: Attempts::default(),
        cache: None,
        gate: None,
        or_else: None,
    };
    Plan {
        version: Plan::VERSION,
        input: None,
        steps: vec![step],
        output: None,
        helpers: Vec::new(),
        co_workers: BTreeMap::new(),
    }
}

fn wrong(message: String) -> Error {
    Error::new(Code::ProjectInvalid, message)
}

/// Fails where a name is not there, with the one that was meant.
fn known(name: &str, names: &[&str], message: String) -> Result<()> {
    if names.contains(&name) {
        return Ok(());
    }
    Err(match nearest(name, names.iter().copied()) {
        Some(meant) => wrong(message).with_help(format!("did you mean `{meant}`?")),
        None => wrong(message),
    })
}

impl Member {
    /// A member with a role, such as `a researcher`.
    pub fn new(name: impl Into<String>, role: impl Into<String>) -> Self {
        let (goal, backstory) = (String::new(), String::new());
        let (name, role) = (name.into(), role.into());
        Self { name, role, goal, backstory, model: None, tools: Vec::new(), agent: None, delegates: false }
    }

    /// An agent as a member, with all that it has.
    pub fn agent(name: impl Into<String>, agent: &Agent) -> Self {
        Self { agent: Some(agent.clone()), ..Self::new(name, "") }
    }

    /// Says what it is out for.
    #[must_use]
    pub fn goal(self, goal: impl Into<String>) -> Self {
        Self { goal: goal.into(), ..self }
    }

    /// Says what else it is to know of itself.
    #[must_use]
    pub fn backstory(self, backstory: impl Into<String>) -> Self {
        Self { backstory: backstory.into(), ..self }
    }

    /// Gives it a model: a role or a model id.
    #[must_use]
    pub fn model(self, role_or_id: impl Into<String>) -> Self {
        Self { model: Some(role_or_id.into()), ..self }
    }

    /// Gives it a tool.
    #[must_use]
    pub fn tool(mut self, tool: impl Into<Arc<dyn Tool>>) -> Self {
        self.tools.push(tool.into());
        self
    }

    /// Lets it have co-workers do parts of its work, and ask them questions.
    #[must_use]
    pub fn delegates(self) -> Self {
        Self { delegates: true, ..self }
    }

    fn persona(&self) -> String {
        persona(&self.role, &self.goal, &self.backstory)
    }

    fn about(&self) -> String {
        about(if self.role.is_empty() { &self.name } else { &self.role }, &self.goal)
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Task {
    /// A task. What is to be done is a template over `input`.
    pub fn new(id: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            description: description.into(),
            expected: None,
            by: None,
            context: None,
            after: Vec::new(),
            is_beside: false,
            output: None,
            gate: None,
        }
    }

    /// Says what is expected of its result.
    #[must_use]
    pub fn expected(self, text: impl Into<String>) -> Self {
        Self { expected: Some(text.into()), ..self }
    }

    /// Says which member does it.
    #[must_use]
    pub fn by(self, member: impl Into<String>) -> Self {
        Self { by: Some(member.into()), ..self }
    }

    /// Says which tasks' results it is shown; those right before it where nothing is said and they follow one another.
    #[must_use]
    pub fn context<T: Into<String>>(self, tasks: impl IntoIterator<Item = T>) -> Self {
        Self { context: Some(tasks.into_iter().map(Into::into).collect()), ..self }
    }

    /// Names a further task that must be done before it.
    #[must_use]
    pub fn after(mut self, task: impl Into<String>) -> Self {
        self.after.push(task.into());
        self
    }

    /// Has it done at the same time as the task before it.
    #[must_use]
    pub fn at_the_same_time(self) -> Self {
        Self { is_beside: true, ..self }
    }

    /// Makes its result a value of this type.
    #[must_use]
    pub fn output<T: JsonSchema>(self) -> Self {
        Self { output: Some(schema_of::<T>()), ..self }
    }

    /// Says what its result must pass; what does not goes back with the reason.
    #[must_use]
    pub fn gate(self, gate: Gate) -> Self {
        Self { gate: Some(gate), ..self }
    }

    fn placed(&self) -> Placed {
        Placed { is_beside: self.is_beside, has_context: self.context.is_some() }
    }

    fn assignment(&self) -> Result<Assignment> {
        Ok(Assignment {
            id: self.id.clone(),
            description: Text::parse(&self.description)?,
            expected: self.expected.as_deref().map(Text::parse).transpose()?,
            by: self.by.clone(),
            context: self.context.clone().unwrap_or_default(),
            after: self.after.clone(),
            output: self.output.clone(),
            typed: BTreeMap::new(),
            gate: self.gate.clone(),
        })
    }
}
