//! [`Diagram`]: the boxes and arrows of a plan.

use crate::plan::{
    Branches, Gate, Kind, Mapped, Orchestrating, Otherwise, Plan, Refining, Routing, Shut, Step,
};

/// The longest line of a label, in characters.
const LONGEST: usize = 48;

/// The boxes and arrows of a plan.
#[derive(Debug, Default)]
pub(super) struct Diagram {
    pub(super) nodes: Vec<Shape>,
    pub(super) groups: Vec<Group>,
    pub(super) arrows: Vec<Arrow>,
    /// Groups and nodes in the order in which they were drawn.
    order: Vec<Drawn>,
}

#[derive(Clone, Copy, Debug)]
enum Drawn {
    Node(usize),
    Group(usize),
}

/// One thing that is done or decided.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) lines: Vec<String>,
    pub(super) form: Form,
    pub(super) group: Option<usize>,
}

/// What a box looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Something is done.
    Work,
    /// A way is chosen.
    Choice,
    /// It begins or ends.
    End,
}

/// Boxes that belong together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) group: Option<usize>,
}

/// What leads from one box to another.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
    /// Whether it is gone where something failed or is done again.
    pub(super) is_dashed: bool,
}

/// An end of an arrow whose other end is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Loose {
    pub(super) node: usize,
    pub(super) label: String,
}

/// Where steps begin and end.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) heads: Vec<Loose>,
    pub(super) tails: Vec<Loose>,
}

impl Diagram {
    /// Draws a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut diagram = Self::default();
        let start = diagram.node(&["start"], Form::End, None);
        let flow = diagram.steps(&plan.steps, None);
        let end = diagram.node(&["end"], Form::End, None);
        diagram.join(&[Loose::of(start)], &flow.heads);
        diagram.join(&flow.tails, &[Loose::of(end)]);
        diagram
    }

    /// All groups and boxes one below the other, each with how deep it is nested.
    pub(super) fn outline(&self) -> Vec<(usize, String)> {
        let depth = |mut group: Option<usize>| {
            let mut depth = 0;
            while let Some(found) = group.and_then(|group| self.groups.get(group)) {
                (depth, group) = (depth + 1, found.group);
            }
            depth
        };
        let line = |drawn: &Drawn| match drawn {
            Drawn::Node(node) => {
                let node = self.nodes.get(*node).filter(|node| node.form != Form::End)?;
                Some((depth(node.group), node.lines.join(": ")))
            }
            Drawn::Group(group) => {
                let group = self.groups.get(*group)?;
                Some((depth(group.group), group.title.clone()))
            }
        };
        self.order.iter().filter_map(line).collect()
    }

    pub(super) fn node(&mut self, lines: &[&str], form: Form, group: Option<usize>) -> usize {
        let lines = lines.iter().map(|line| short(line)).collect();
        self.nodes.push(Shape { lines, form, group });
        self.order.push(Drawn::Node(self.nodes.len() - 1));
        self.nodes.len() - 1
    }

    pub(super) fn group(&mut self, title: &str, group: Option<usize>) -> usize {
        self.groups.push(Group { title: short(title), group });
        self.order.push(Drawn::Group(self.groups.len() - 1));
        self.groups.len() - 1
    }

    /// Draws arrows from all of these to all of those.
    pub(super) fn join(&mut self, tails: &[Loose], heads: &[Loose]) {
        for tail in tails {
            for head in heads {
                let labels = [&tail.label, &head.label].map(String::as_str);
                let labels: Vec<&str> = labels.into_iter().filter(|label| !label.is_empty()).collect();
                self.arrow(tail.node, head.node, &labels.join(", "), false);
            }
        }
    }

    pub(super) fn arrow(&mut self, from: usize, to: usize, label: &str, is_dashed: bool) {
        self.arrows.push(Arrow { from, to, label: short(label), is_dashed });
    }

    /// Draws steps one after the other.
    pub(super) fn steps(&mut self, steps: &[Step], group: Option<usize>) -> Flow {
        let mut whole: Option<Flow> = None;
        for step in steps {
            let mut flow = self.step(step, group);
            if let Some(when) = &step.when {
                flow = flow.headed(&format!("when {}", when.source()));
            }
            whole = Some(match whole {
                None => flow,
                Some(before) => {
                    self.join(&before.tails, &flow.heads);
                    Flow { heads: before.heads, tails: flow.tails }
                }
            });
        }
        whole.unwrap_or_default()
    }

    fn step(&mut self, step: &Step, group: Option<usize>) -> Flow {
        let flow = match &step.kind {
            Kind::Agent { agent, .. } => self.leaf(step, &format!("agent {agent}"), group),
            Kind::Tool { tool, .. } => self.leaf(step, &format!("tool {tool}"), group),
            Kind::Person { question, .. } => {
                self.leaf(step, &format!("person: {}", question.source()), group)
            }
            Kind::Value(_) => self.leaf(step, "value", group),
            Kind::Sleep(millis) => {
                let time = adjutant_core::time::format_exact(std::time::Duration::from_millis(*millis));
                self.leaf(step, &format!("wait {time}"), group)
            }
            Kind::Sequence(steps) => {
                let inner = self.group(&titled(step, "sequence"), group);
                self.steps(steps, Some(inner))
            }
            Kind::Parallel(branches) => self.parallel(step, branches, group),
            Kind::Map(mapped) => self.map(step, mapped, group),
            Kind::Route(routing) => self.route(step, routing, group),
            Kind::Refine(refining) => self.refine(step, refining, group),
            Kind::Orchestrate(orchestrating) => self.orchestrate(step, orchestrating, group),
            Kind::Crew(crewed) => {
                let inner = self.group(&titled(step, &format!("crew, {}", crewed.process.word())), group);
                self.crew(crewed, inner)
            }
            Kind::Chat(chatting) => {
                let inner = self.group(&titled(step, "chat"), group);
                self.chat(chatting, inner)
            }
            Kind::Events(eventful) => {
                let inner = self.group(&titled(step, "events"), group);
                self.events(eventful, inner)
            }
            Kind::Graph(graphed) => {
                let inner = self.group(&titled(step, "graph"), group);
                self.graph(graphed, inner)
            }
        };
        match &step.gate {
            Some(gate) => self.gate(gate, flow, group),
            None => flow,
        }
    }

    fn leaf(&mut self, step: &Step, what: &str, group: Option<usize>) -> Flow {
        let named = is_named(step).then_some(step.id.as_str());
        let lines: Vec<&str> = named.into_iter().chain([what]).collect();
        let node = self.node(&lines, Form::Work, group);
        Flow { heads: vec![Loose::of(node)], tails: vec![Loose::of(node)] }
    }

    pub(super) fn gate(&mut self, gate: &Gate, flow: Flow, group: Option<usize>) -> Flow {
        let node = self.node(&["gate"], Form::Choice, group);
        self.join(&flow.tails, &[Loose::of(node)]);
        let mut tails = vec![Loose { node, label: "passes".to_owned() }];
        match &gate.otherwise {
            None => {}
            Some(Shut::End(_)) => {
                let end = self.node(&["ends early"], Form::End, group);
                self.arrow(node, end, "otherwise", false);
            }
            Some(Shut::Steps(steps)) => {
                let instead = self.steps(steps, group);
                self.join(&[Loose { node, label: "otherwise".to_owned() }], &instead.heads);
                tails.extend(instead.tails);
            }
        }
        Flow { heads: flow.heads, tails }
    }

    fn parallel(&mut self, step: &Step, branches: &Branches, group: Option<usize>) -> Flow {
        let inner = self.group(&titled(step, "at the same time"), group);
        let mut whole = Flow::default();
        for (name, steps) in &branches.branches {
            let flow = self.steps(steps, Some(inner)).headed(name);
            whole.heads.extend(flow.heads);
            whole.tails.extend(flow.tails);
        }
        whole
    }

    fn map(&mut self, step: &Step, mapped: &Mapped, group: Option<usize>) -> Flow {
        let inner = self.group(&titled(step, &format!("for each {}", mapped.item)), group);
        self.steps(&mapped.steps, Some(inner))
    }

    fn route(&mut self, step: &Step, routing: &Routing, group: Option<usize>) -> Flow {
        let inner = self.group(&titled(step, "route"), group);
        let by = match (&routing.embedding, &routing.classifier) {
            (Some(_), _) => "chosen by likeness",
            (None, Some(_)) => "chosen by a model",
            (None, None) => "chosen by conditions",
        };
        let asks = matches!(routing.otherwise, Otherwise::Ask).then_some("or else by a person");
        let lines: Vec<&str> = [by].into_iter().chain(asks).collect();
        let choice = self.node(&lines, Form::Choice, Some(inner));
        let mut whole = Flow { heads: vec![Loose::of(choice)], tails: Vec::new() };
        for path in &routing.paths {
            let flow = self.steps(&path.steps, Some(inner));
            self.join(&[Loose { node: choice, label: path.name.clone() }], &flow.heads);
            whole.tails.extend(flow.tails);
        }
        if let Otherwise::Steps(steps) = &routing.otherwise {
            let flow = self.steps(steps, Some(inner));
            self.join(&[Loose { node: choice, label: "otherwise".to_owned() }], &flow.heads);
            whole.tails.extend(flow.tails);
        }
        whole
    }

    fn refine(&mut self, step: &Step, refining: &Refining, group: Option<usize>) -> Flow {
        let inner = self.group(&titled(step, "refine"), group);
        let draft = self.steps(&refining.draft, Some(inner));
        let review = self.steps(&refining.review, Some(inner));
        self.join(&draft.tails, &review.heads);
        let choice = self.node(&[refining.accept.source()], Form::Choice, Some(inner));
        self.join(&review.tails, &[Loose::of(choice)]);
        for head in &draft.heads {
            self.arrow(choice, head.node, &format!("again, at most {} drafts", refining.rounds.most), true);
        }
        Flow { heads: draft.heads, tails: vec![Loose { node: choice, label: "accepted".to_owned() }] }
    }

    fn orchestrate(&mut self, step: &Step, orchestrating: &Orchestrating, group: Option<usize>) -> Flow {
        let inner = Some(self.group(&titled(step, "orchestrate"), group));
        let planner = self.node(&["planner"], Form::Work, inner);
        let mut tails = Vec::new();
        for worker in &orchestrating.workers {
            let worker = self.node(&[&format!("worker {worker}")], Form::Work, inner);
            self.arrow(planner, worker, "tasks", false);
            self.arrow(worker, planner, "", true);
            tails.push(Loose::of(worker));
        }
        if let Some(synthesis) = &orchestrating.synthesis {
            let node = self.node(&[&format!("agent {synthesis}")], Form::Work, inner);
            self.join(&tails, &[Loose::of(node)]);
            tails = vec![Loose::of(node)];
        }
        Flow { heads: vec![Loose::of(planner)], tails }
    }
}

impl Loose {
    pub(super) fn of(node: usize) -> Self {
        Self { node, label: String::new() }
    }
}

impl Flow {
    /// The same with something written at the arrows that lead there.
    pub(super) fn headed(mut self, label: &str) -> Self {
        for head in &mut self.heads {
            head.label =
                if head.label.is_empty() { label.to_owned() } else { format!("{label}, {}", head.label) };
        }
        self
    }
}

fn titled(step: &Step, what: &str) -> String {
    if is_named(step) { format!("{}: {what}", step.id) } else { what.to_owned() }
}

/// Whether its author has named a step.
fn is_named(step: &Step) -> bool {
    let place = step.id.strip_prefix("step");
    !place.is_some_and(|place| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The first line of a text, as far as it fits.
fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.chars().count() > LONGEST {
        true => line.chars().take(LONGEST - 1).chain(['…']).collect(),
        false => line.to_owned(),
    }
}
