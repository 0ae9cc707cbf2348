//! [`Space`]: everything that could be asked of policies, one kind of request at a time.

use std::collections::BTreeSet;

use adjutant::policy::cedar::{Policies, Schema};
use adjutant_core::{Code, Error, Result};
use cedar_policy::{ActionConstraint, Entities, EntityUid, Policy, PolicyId, PolicySet, RequestEnv};
use cedar_policy_symcc::CompiledPolicySet;
use serde_json::Value;

use super::level::Level;
use super::looks::Looks;

/// The assumption that nobody has agreed yet. It is the first.
const UNASKED: &str = "context.approved";

/// Everything that could be asked of one or two sets of policies of the same project.
pub(super) struct Space {
    /// The schema as Cedar reads it, with all fields of results that any of the policies asks about.
    pub(super) written: Value,
    pub(super) schema: cedar_policy::Schema,
    /// The tools that are forbidden though the project does not know them.
    unknown: BTreeSet<String>,
    actions: Entities,
    pub(super) looks: Looks,
    /// What no request is like, as forbids that every set has.
    assumptions: Vec<Policy>,
    anything: Policy,
}

/// One kind of request: an action.
pub(super) struct Kind {
    pub(super) env: RequestEnv,
    pub(super) action: String,
}

impl Space {
    pub(super) fn of(schema: &Schema, sets: &[&Policies]) -> Result<Self> {
        let looks = Looks::of(sets.iter().flat_map(|set| set.set().policies()));
        let unknown = sets.iter().flat_map(|set| set.unknown()).filter(|name| !schema.has(name));
        let unknown: BTreeSet<String> = unknown.cloned().collect();
        let written = schema.with_unknown(&unknown).cedar(&looks.returned());
        let schema =
            cedar_policy::Schema::from_json_value(written.clone()).map_err(|error| unreadable(&error))?;
        let actions = schema.action_entities().map_err(|error| unreadable(&error))?;
        let assumptions = assumptions(&looks)?;
        let anything =
            Policy::parse(Some(PolicyId::new("anything")), "permit (principal, action, resource);");
        let anything = anything.map_err(|error| unreadable(&error))?;
        Ok(Self { written, schema, unknown, actions, looks, assumptions, anything })
    }

    /// A permit for everything.
    pub(super) fn anything(&self) -> &Policy {
        &self.anything
    }

    /// The kinds of requests, in the order of their names.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let envs = self.schema.request_envs();
        let mut kinds: Vec<Kind> =
            envs.map(|env| Kind { action: env.action().id().unescaped().to_owned(), env }).collect();
        // Nobody calls what is forbidden before it is there.
        kinds.retain(|kind| !self.unknown.contains(&kind.action));
        kinds.sort_by(|a, b| a.action.cmp(&b.action));
        kinds
    }

    /// Whether the scope of a policy lets it hold for requests of this kind.
    pub(super) fn reaches(&self, policy: &Policy, kind: &Kind) -> bool {
        let within = |named: &EntityUid| {
            named == kind.env.action() || self.actions.is_ancestor_of(named, kind.env.action())
        };
        match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(named) => within(&named),
            ActionConstraint::In(named) => named.iter().any(within),
        }
    }

    /// The policies of a level as a solver takes them, for requests as they can be.
    pub(super) fn compile<'a>(
        &'a self,
        level: Level,
        policies: impl IntoIterator<Item = &'a Policy>,
        kind: &Kind,
    ) -> std::result::Result<CompiledPolicySet, String> {
        let of_level = policies.into_iter().filter(|policy| level.has(policy));
        // Once somebody has agreed a request is another one.
        let assumed = self.assumptions.iter().skip(usize::from(level == Level::WithApproval));
        let all = of_level.chain(assumed);
        self.compile_plain(all, kind)
    }

    /// These policies as a solver takes them.
    pub(super) fn compile_plain<'a>(
        &self,
        policies: impl IntoIterator<Item = &'a Policy>,
        kind: &Kind,
    ) -> std::result::Result<CompiledPolicySet, String> {
        let set =
            PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())?;
        CompiledPolicySet::compile(&set, &kind.env, &self.schema).map_err(|error| error.to_string())
    }
}

fn unreadable(error: &dyn std::error::Error) -> Error {
    Error::new(Code::Internal, format!("the schema of the policies cannot be read: {error}"))
}

/// What no request is like: it has fewer calls before it than none, or values of calls that were not made.
fn assumptions(looks: &Looks) -> Result<Vec<Policy>> {
    let mut conditions = vec![
        UNASKED.to_owned(),
        "context.now < datetime(\"2020-01-01\") || context.now > datetime(\"2100-01-01\")".to_owned(),
    ];
    let session = looks.session();
    let tools: BTreeSet<&str> = session.iter().map(|(_, tool)| *tool).collect();
    for tool in tools {
        let of = |part: &str| format!("context.session.{part}{}", attribute(tool));
        let (count, today) = (of("count"), of("today"));
        conditions.push(format!("{today} < 0 || {count} < {today} || {count} > 1000"));
    }
    for path in &looks.paths {
        let [context, session, part, tool, name, ..] = path.as_slice() else { continue };
        if context == "context" && session == "session" && ["seen", "returned"].contains(&part.as_str()) {
            let (tool, name) = (attribute(tool), attribute(name));
            let none = format!("context.session.count{tool} < 1");
            conditions.push(format!("{none} && !context.session.{part}{tool}{name}.isEmpty()"));
        }
    }
    conditions.extend([
        // Whose agent it is, it is in.
        "principal has user && !(principal in principal.user)".to_owned(),
    ]);
    for (_, user) in looks.entities.iter().filter(|(kind, _)| kind == "User") {
        let user = format!("User::{}", quoted(user));
        conditions.push(format!("principal in {user} && !(principal has user && principal.user == {user})"));
    }
    let policies =
        conditions.iter().enumerate().map(|(index, condition)| assumption(index, "action", condition));
    let sums = sums(looks).into_iter().enumerate().map(|(index, (tool, condition))| {
        assumption(conditions.len() + index, &format!("action == Action::{}", quoted(&tool)), &condition)
    });
    policies.chain(sums).collect()
}

/// The sum of an argument is that of this call where there were none before.
fn sums(looks: &Looks) -> Vec<(String, String)> {
    let asked = looks.paths.iter().filter_map(|path| match path.as_slice() {
        [_, session, part, tool, name] if session == "session" && part.starts_with("sum") => {
            let (of, argument) = (attribute(tool), attribute(name));
            let condition = format!(
                "context.arguments has {} && context.session.count{of} < 1 && context.session.{part}{of}{argument} != \
                 context.arguments{argument}.value",
                quoted(name)
            );
            Some((tool.clone(), condition))
        }
        _ => None,
    });
    asked.collect()
}

fn assumption(index: usize, action: &str, condition: &str) -> Result<Policy> {
    let text = format!("forbid (principal, {action}, resource) when {{ {condition} }};");
    Policy::parse(Some(PolicyId::new(format!("assumption {index}"))), text)
        .map_err(|error| unreadable(&error))
}

/// An attribute after its record, whatever is in its name.
fn attribute(name: &str) -> String {
    format!("[{}]", quoted(name))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
