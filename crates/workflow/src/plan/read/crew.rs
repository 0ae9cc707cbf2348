//! Reads crews.

use std::collections::BTreeMap;

use adjutant_agent::definition::document::{Content, Place, Table};
use adjutant_core::nearest;

use super::Reader;
use super::scope::{Scope, is_name};
use super::step::place_of;
use crate::pattern::{Fan, Piece, round};
use crate::plan::crew::{
    ASSIGNS, Placed, REVIEWS, about, choice, instructions, one_after_the_other, persona, told_each_time,
    verdict,
};
use crate::plan::{Assignment, Crewed, Helper, Kind, Manager, Member, Process};

/// A member as it was read.
struct Read {
    member: Member,
    /// How it is made, where it is none of the project's agents.
    made: Option<Helper>,
}

impl Reader<'_> {
    pub(super) fn crew(&self, table: &Table<'_>, id: &str, scope: &Scope, depth: usize) -> Option<Kind> {
        let crew = table.table("crew")?;
        crew.require("members", "name the members: `members:`, and below it each by its name");
        crew.require("tasks", "say what they do: `tasks:`, and below it a list of tasks");
        let process = crew.choice("process", &Process::WORDS).unwrap_or_default();
        let read = self.members(&crew, id);
        let (mut tasks, places) = self.assignments(&crew, id, process, &read, scope, depth);
        self.check_context(&tasks, &places, crew.place());
        let (at, placed): (Vec<Place>, Vec<Placed>) = places.into_iter().unzip();
        if process != Process::Parallel {
            one_after_the_other(&mut tasks, &placed);
        }
        self.check_round(&tasks, &at, crew.place());
        for task in &mut tasks {
            task.typed = self.typed(task, id, &read);
        }
        let manager = self.manager(&crew, id, process, &read);
        let rounds = crew.integer("rounds", 1..=100).unwrap_or(Crewed::ROUNDS);
        let at_a_time = crew.integer("at_a_time", 1..=10_000).unwrap_or(Fan::default().at_a_time);
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        let output = crew.entry("output").map(|entry| self.argument(&entry.value, &scope.with(&ids)));
        crew.finish();
        let members = read.into_iter().map(|(name, read)| (name, read.member)).collect();
        Some(Kind::Crew(Box::new(Crewed { process, members, tasks, manager, rounds, at_a_time, output })))
    }

    /// The members, those with co-workers last: all are there by then.
    fn members(&self, crew: &Table<'_>, id: &str) -> BTreeMap<String, Read> {
        let entries = crew.named("members");
        if crew.has("members") && entries.is_empty() {
            self.problems.report(crew.place(), format!("`{}` is empty", crew.name_of("members")));
        }
        let mut read = BTreeMap::new();
        let mut delegating = Vec::new();
        for entry in entries {
            if !is_name(&entry.key) {
                let help = "use a-z, 0-9 and _, at most 40 of them, and begin with a letter";
                let message = format!("`{}` cannot be the name of a member", entry.key);
                self.problems.report_with(entry.place, message, help);
            }
            let path = format!("{}.{}", crew.name_of("members"), entry.key);
            let Some(table) = Table::new(&entry.value, path, self.problems) else { continue };
            let (member, delegates) = self.member(&table, &entry.key, id);
            table.finish();
            if delegates {
                delegating.push(entry.key.clone());
            }
            read.insert(entry.key.clone(), member);
        }
        let all: BTreeMap<String, String> =
            read.values().map(|read| (read.member.agent.clone(), read.member.about.clone())).collect();
        for name in delegating {
            let Some(Read { member, made }) = read.get_mut(&name) else { continue };
            let mut asks = all.clone();
            asks.remove(&member.agent);
            match made {
                Some(helper) => helper.asks = asks,
                None => {
                    let mut found = self.found.borrow_mut();
                    found.co_workers.entry(member.agent.clone()).or_default().extend(asks);
                }
            }
        }
        for helper in read.values().filter_map(|read| read.made.as_ref()) {
            self.found.borrow_mut().helpers.push(helper.clone());
        }
        read
    }

    /// A member, and whether it has its co-workers do a part of its work.
    fn member(&self, table: &Table<'_>, name: &str, id: &str) -> (Read, bool) {
        let text = |key| table.text(key).unwrap_or_default().trim();
        let (role, goal, backstory) = (text("role"), text("goal"), text("backstory"));
        let delegates = table.flag("delegates").unwrap_or_default();
        let about = about(if role.is_empty() { name } else { role }, goal);
        let persona = persona(role, goal, backstory);
        if let Some(agent) = table.text("agent") {
            self.asks(agent, place_of(table, "agent"));
            for key in ["tools", "model"] {
                if !table.has(key) {
                    continue;
                }
                let message =
                    format!("`{}` is an agent of the project, and has its own `{key}`", table.path());
                let help = "say it in its file";
                self.problems.report_with(place_of(table, key), message, help);
            }
            // These are known keys here all the same.
            let _ = (table.texts("tools"), table.text("model"));
            let persona = told_each_time(&persona, delegates);
            let member = Member { agent: agent.to_owned(), about, persona };
            return (Read { member, made: None }, delegates);
        }
        table.require(
            "role",
            "say who it is, such as `role: a researcher`; or name an agent: `agent: writer`",
        );
        let mut tools = Vec::new();
        for (tool, place) in table.texts("tools").unwrap_or_default() {
            self.uses(tool, place);
            tools.push(tool.to_owned());
        }
        let from = self.helper_from(table);
        let made = Helper {
            name: self.free_name(id, name),
            from,
            instructions: instructions(&persona, delegates),
            output: None,
            tools,
            asks: BTreeMap::new(),
        };
        let member = Member { agent: made.name.clone(), about, persona: String::new() };
        (Read { member, made: Some(made) }, delegates)
    }

    fn assignments(
        &self,
        crew: &Table<'_>,
        id: &str,
        process: Process,
        members: &BTreeMap<String, Read>,
        scope: &Scope,
        depth: usize,
    ) -> (Vec<Assignment>, Vec<(Place, Placed)>) {
        let (mut tasks, mut places) = (Vec::new(), Vec::new());
        let Some(node) = crew.value("tasks") else { return (tasks, places) };
        let Content::List(items) = &node.content else {
            crew.wrong("tasks", node, "a list of tasks", "write one as `- { id: find, description: .. }`");
            return (tasks, places);
        };
        if items.is_empty() {
            self.problems.report(node.place, format!("`{}` is empty", crew.name_of("tasks")));
        }
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{}]", crew.name_of("tasks"), index + 1);
            let Some(table) = Table::new(item, path, self.problems) else { continue };
            let placed = Placed {
                is_beside: table.flag("at_the_same_time").unwrap_or_default(),
                has_context: table.has("context"),
            };
            if placed.is_beside && process == Process::Parallel {
                let message = format!("`{}` is in a crew whose tasks are all done so", table.path());
                let help = "take it out, or say with `process: sequential` that they follow one another";
                self.problems.report_with(place_of(&table, "at_the_same_time"), message, help);
            }
            let task = self.assignment(&table, index, id, process, members, scope, depth);
            table.finish();
            if let Some(task) = task {
                if tasks.iter().any(|other: &Assignment| other.id == task.id) {
                    self.problems.report(item.place, format!("there are two tasks called `{}`", task.id));
                }
                tasks.push(task);
                places.push((item.place, placed));
            }
        }
        (tasks, places)
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is where the task stands")]
    fn assignment(
        &self,
        table: &Table<'_>,
        index: usize,
        id: &str,
        process: Process,
        members: &BTreeMap<String, Read>,
        scope: &Scope,
        depth: usize,
    ) -> Option<Assignment> {
        let own = table.text("id").map_or_else(|| format!("task{}", index + 1), str::to_owned);
        if !is_name(&own) || scope.has(&own) {
            let help =
                "use a-z, 0-9 and _, begin with a letter, and take no name of a value that is there already";
            let message = format!("`{own}` cannot be the name of a task");
            self.problems.report_with(place_of(table, "id"), message, help);
        }
        table.require("description", "say what is to be done");
        let description = table.text("description").map(str::trim);
        let description = description.and_then(|text| self.text(text, place_of(table, "description"), scope));
        let expected = table.text("expected").map(str::trim);
        let expected = expected.and_then(|text| self.text(text, place_of(table, "expected"), scope));
        if process != Process::Hierarchical {
            table.require(
                "by",
                "name the member that does it; a manager says who with `process: hierarchical`",
            );
        }
        let by = table.text("by").map(str::to_owned);
        if let Some(by) = &by
            && !members.contains_key(by)
        {
            let message = format!("the crew has no member `{by}`");
            self.unknown(by, members.keys().map(String::as_str), place_of(table, "by"), message);
        }
        let texts = |key| -> Vec<String> {
            table.texts(key).unwrap_or_default().into_iter().map(|(text, _)| text.to_owned()).collect()
        };
        let (context, after) = (texts("context"), texts("after"));
        let output = table.value("output").and_then(|node| self.schema("output", node));
        let of_helpers = format!("{id}-{own}");
        let gate = table.table("gate").and_then(|gate| self.gate(gate, &of_helpers, scope, depth));
        let typed = BTreeMap::new();
        Some(Assignment {
            id: own,
            description: description?,
            expected,
            by,
            context,
            after,
            output,
            typed,
            gate,
        })
    }

    /// The members that answer a task in its form, made for that.
    fn typed(
        &self,
        task: &Assignment,
        id: &str,
        members: &BTreeMap<String, Read>,
    ) -> BTreeMap<String, String> {
        let Some(output) = &task.output else { return BTreeMap::new() };
        let doing = members.iter().filter(|(name, _)| task.by.as_ref().is_none_or(|by| by == *name));
        let made = doing.filter_map(|(name, read)| Some((name, read.made.as_ref()?)));
        made.map(|(name, made)| {
            let role = format!("{name}-{}", task.id);
            let agent = self.helper(id, &role, |own| Helper {
                name: own,
                output: Some(output.clone()),
                ..made.clone()
            });
            (name.clone(), agent)
        })
        .collect()
    }

    fn manager(
        &self,
        crew: &Table<'_>,
        id: &str,
        process: Process,
        members: &BTreeMap<String, Read>,
    ) -> Option<Manager> {
        let from = self.leader(crew, "manager");
        if process != Process::Hierarchical {
            if crew.has("manager") {
                let message = format!("`{}` has nothing to do here", crew.name_of("manager"));
                let help = "say `process: hierarchical`, or take it out";
                self.problems.report_with(place_of(crew, "manager"), message, help);
            }
            return None;
        }
        let from = from?;
        let assigns = self.helper(id, "manager", |name| {
            Helper::answering(name, from.clone(), ASSIGNS.to_owned(), choice(members.keys()))
        });
        let reviews =
            self.helper(id, "review", |name| Helper::answering(name, from, REVIEWS.to_owned(), verdict()));
        Some(Manager { assigns, reviews })
    }

    /// Notes the tasks under `context` and `after` that are not there.
    fn check_context(&self, tasks: &[Assignment], places: &[(Place, Placed)], place: Place) {
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        for (index, task) in tasks.iter().enumerate() {
            let place = places.get(index).map_or(place, |(place, _)| *place);
            for other in task.needs().filter(|other| !ids.contains(other)) {
                let message = format!("the task `{}` comes after `{other}`, which there is not", task.id);
                self.unknown(other, ids.iter().copied(), place, message);
            }
        }
    }

    /// Notes the tasks that wait for one another.
    fn check_round(&self, tasks: &[Assignment], places: &[Place], place: Place) {
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        let known = |task: &Assignment| -> Vec<String> {
            task.needs().filter(|other| ids.contains(other)).map(str::to_owned).collect()
        };
        let needs: Vec<Vec<String>> = tasks.iter().map(known).collect();
        let pieces: Vec<_> =
            tasks.iter().zip(&needs).map(|(task, needs)| Piece { id: &task.id, needs }).collect();
        let waiting = round(&pieces, []);
        let Some(first) = waiting.first() else { return };
        let at = ids.iter().position(|id| id == first).and_then(|index| places.get(index));
        let names: Vec<_> = waiting.iter().map(|id| format!("`{id}`")).collect();
        let message = match names.as_slice() {
            [only] => format!("the task {only} waits for itself"),
            all => format!("the tasks {} wait for one another", all.join(", ")),
        };
        let help = "a task can be shown what those before it have made";
        self.problems.report_with(at.copied().unwrap_or(place), message, help);
    }

    /// Notes a name that is not there, with the one that was meant, or all that there are.
    pub(super) fn unknown<'n>(
        &self,
        name: &str,
        names: impl Iterator<Item = &'n str> + Clone,
        place: Place,
        message: String,
    ) {
        let help = match nearest(name, names.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
                format!("there are {}", names.join(", "))
            }
        };
        self.problems.report_with(place, message, help);
    }
}
