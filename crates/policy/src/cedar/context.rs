//! What a request is to policies: the context, and the entities that conditions look into.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use adjutant_core::label::{Label, Readers, Sources};
use adjutant_core::tool::Role;
use cedar_policy_core::ast::{
    Context, Eid, Entity, EntityType, EntityUID, EntityUIDEntry, Name, Request as Question, Value as Fact,
};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use serde_json::{Map, Value};

use super::needs::Needs;
use super::schema::{AGENT, ALL_TOOLS, MEMORY, ROLES, SESSION, Schema, TENANT, TOOL, TYPES, Tool, USER};
use super::session;
use super::types::{Slot, Type};
use super::value::{Unfit, moment, plain, record, text, texts};
use crate::facts::{Action, Evidence, Origin, Request};

/// The names of the types, read once.
#[derive(Clone, Debug)]
pub(super) struct Names(BTreeMap<&'static str, EntityType>);

impl Names {
    /// Reads them.
    pub(super) fn new() -> Result<Self, Unfit> {
        let read = TYPES.into_iter().map(|name| Some((name, Name::from_str(name).ok()?.into())));
        read.collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| Unfit("the names of the types cannot be read".to_owned()))
    }

    fn uid(&self, kind: &str, id: &str) -> Result<EntityUID, Unfit> {
        let kind = self.0.get(kind).ok_or_else(|| Unfit(format!("there is no type `{kind}`")))?;
        Ok(EntityUID::from_components(kind.clone(), Eid::new(id), None))
    }

    /// An action within its groups.
    pub(super) fn action(&self, name: &str, groups: &[String]) -> Result<Arc<Entity>, Unfit> {
        let groups =
            groups.iter().map(|group| self.uid("Action", group)).collect::<Result<HashSet<_>, _>>()?;
        let action = self.uid("Action", name)?;
        if groups.contains(&action) {
            return Err(Unfit(format!("the tool `{name}` is called as a group of tools is")));
        }
        Ok(entity(action, [], groups))
    }
}

/// What is the same for every agent of a request.
pub(super) struct Scene {
    action: EntityUID,
    resource: EntityUID,
    context: Context,
    tenant: EntityUID,
    user: Option<EntityUID>,
    /// The action within its groups, the session, the tenant and the user.
    around: Vec<Arc<Entity>>,
}

/// The name of an action in policies.
pub(super) fn action_name(action: &Action) -> &str {
    match action {
        Action::Tool(name) => name,
        Action::Agent(_) => "run.agent",
        Action::Model(_) => "run.model",
        Action::Resource { .. } => "run.resource",
        Action::Remember(_) => "run.remember",
        Action::Answer => "run.answer",
    }
}

impl Scene {
    /// Makes what `needs` looks at, and nothing else.
    pub(super) fn of(
        request: &Request,
        schema: &Schema,
        names: &Names,
        action: Arc<Entity>,
        needs: &Needs,
    ) -> Result<Self, Unfit> {
        let principal = &request.principal;
        let resource = match &request.action {
            Action::Tool(tool) => names.uid(TOOL, tool)?,
            Action::Agent(agent) => names.uid(AGENT, agent)?,
            Action::Model(model) => names.uid("Model", model)?,
            Action::Resource { uri, .. } => names.uid("Resource", uri)?,
            Action::Remember(memory) => names.uid(MEMORY, memory)?,
            Action::Answer => names.uid(USER, principal.user.as_ref().map_or("", |user| user.id.as_str()))?,
        };
        let tenant = names.uid(TENANT, &principal.tenant)?;
        let mut around = vec![entity(tenant.clone(), [], HashSet::new())];
        let user = principal.user.as_ref().map(|user| {
            let (uid, claims) = (names.uid(USER, &user.id)?, claims(schema, &user.claims)?);
            around.push(entity(uid.clone(), claims, HashSet::from([tenant.clone()])));
            Ok(uid)
        });
        let user = user.transpose()?;

        let mut pairs = Vec::new();
        if let Some(needs) = needs.get("context") {
            if let Some(needs) = needs.get("session") {
                let session = names.uid(SESSION, "this")?;
                let attributes = session::attributes(request, schema, needs)?;
                around.push(entity(session.clone(), attributes, HashSet::new()));
                pairs.push(("session", session.into()));
            }
            pairs.extend(Self::always(request, needs)?);
            if let Action::Tool(tool) = &request.action
                && let Some(tool) = schema.tools.get(tool)
            {
                pairs.extend(Self::of_call(request, tool, needs)?);
            }
            if request.action == Action::Answer && needs.get("text").is_some() {
                let text = request.arguments.get("text").and_then(Value::as_str).unwrap_or_default();
                pairs.push(("text", text.into()));
            }
            if let Action::Resource { server, uri } = &request.action {
                let host = super::types::Form::Url.part_of(uri);
                pairs.push(("server", server.as_str().into()));
                pairs.push(("host", host.into()));
            }
        }
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value));
        let context = Context::Value(Arc::new(pairs.collect()));
        let uid = action.uid().clone();
        around.push(action);
        Ok(Self { action: uid, resource, context, tenant, user, around })
    }

    fn always(request: &Request, needs: &Needs) -> Result<Vec<(&'static str, Fact)>, Unfit> {
        let mut pairs = Vec::new();
        if needs.get("run").is_some() {
            pairs.push(("run", record(label(&request.label))));
        }
        if needs.get("now").is_some() {
            pairs.push(("now", moment(request.now.0)?));
        }
        if needs.get("approved").is_some() {
            pairs.push(("approved", request.approved.into()));
        }
        Ok(pairs)
    }

    fn of_call(request: &Request, tool: &Tool, needs: &Needs) -> Result<Vec<(&'static str, Fact)>, Unfit> {
        let mut pairs = Vec::new();
        if let Some(needs) = needs.get("arguments") {
            let arguments = labelled(&tool.arguments, &request.arguments, request, "", needs)?;
            pairs.push(("arguments", record(arguments)));
        }
        if let Some(needs) = needs.get("roles") {
            let named = ROLES.iter().filter(|(name, _)| needs.get(name).is_some());
            let roles = named.map(|(name, role)| (*name, of_role(request, tool, *role)));
            pairs.push(("roles", record(roles)));
        }
        Ok(pairs)
    }

    /// The question and the entities as they are for one agent.
    pub(super) fn case(&self, names: &Names, agent: &str) -> Result<(Question, Entities), Unfit> {
        let uid = names.uid(AGENT, agent)?;
        let user = self.user.iter().map(|user| ("user", user.clone().into()));
        // The parents are all that are above: those of the user are the agent's own.
        let above = self.user.iter().chain([&self.tenant]).cloned().collect();
        let all = self.around.iter().map(Arc::clone).chain([entity(uid.clone(), user, above)]);
        // Whoever an agent hands to may be an agent too, and is no other entity than the one that asks.
        let entities = Entities::new().add_entities(
            all,
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        );
        let entities = entities.map_err(|error| Unfit(error.to_string()))?;
        let [principal, action, resource] =
            [uid, self.action.clone(), self.resource.clone()].map(|uid| EntityUIDEntry::known(uid, None));
        let question = Question::new_unchecked(principal, action, resource, Some(self.context.clone()));
        Ok((question, entities))
    }
}

/// An entity with these above it.
fn entity<'a>(
    uid: EntityUID,
    attributes: impl IntoIterator<Item = (&'a str, Fact)>,
    above: HashSet<EntityUID>,
) -> Arc<Entity> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value.into()));
    Arc::new(Entity::new_with_attr_partial_value(uid, attributes, HashSet::new(), above, []))
}

/// Whether a tool's calls are decided at all.
pub(super) fn is_known(schema: &Schema, action: &Action) -> bool {
    match action {
        Action::Tool(tool) => schema.tools.contains_key(tool) && tool != ALL_TOOLS,
        _ => true,
    }
}

/// What is declared of the claims; others nobody can ask for.
fn claims<'a>(schema: &'a Schema, claims: &Map<String, Value>) -> Result<Vec<(&'a str, Fact)>, Unfit> {
    let declared = schema.vocabulary.claims.iter().filter_map(|(name, claim)| {
        let value = claims.get(name).filter(|value| !value.is_null())?;
        let read =
            plain(&claim.kind(), value).map_err(|Unfit(why)| Unfit(format!("the claim `{name}` {why}")));
        Some(read.map(|value| (name.as_str(), value)))
    });
    declared.collect()
}

/// Arguments that are looked at, each with where it came from.
fn labelled<'a>(
    slots: &'a BTreeMap<String, Slot>,
    values: &Map<String, Value>,
    request: &Request,
    above: &str,
    needs: &Needs,
) -> Result<Vec<(&'a str, Fact)>, Unfit> {
    let mut all = Vec::new();
    for (name, slot) in slots {
        let Some(needs) = needs.get(name) else { continue };
        let Some(value) = values.get(name).filter(|value| !value.is_null()) else {
            if slot.required {
                return Err(Unfit(format!("`{name}` is missing")));
            }
            continue;
        };
        let pointer = format!("{above}/{}", escaped(name));
        let named = |Unfit(why): Unfit| Unfit(format!("`{name}` {why}"));
        let mut pairs = Vec::new();
        if ["trusted", "from", "readers", "public", "evidence"].iter().any(|part| needs.get(part).is_some()) {
            let origin = origin(request, &pointer, value);
            pairs.extend(label(&origin.label));
            pairs.push(("evidence", evidence(origin.evidence).into()));
        }
        if let Some(needs) = needs.get("value") {
            let value = match (&slot.kind, value) {
                (Type::Record(fields), Value::Object(inner)) => {
                    record(labelled(fields, inner, request, &pointer, needs)?)
                }
                (Type::Record(_), _) => return Err(Unfit(format!("`{name}` is no object"))),
                (kind, value) => plain(kind, value).map_err(named)?,
            };
            pairs.push(("value", value));
        }
        if slot.kind.is_scalar() && needs.get("text").is_some() {
            pairs.push(("text", text(value).into()));
        }
        if let Some((one, several)) = slot.form.part() {
            let part = |value: &Value| slot.form.part_of(&text(value));
            match value {
                Value::Array(items) if needs.get(several).is_some() => {
                    pairs.push((several, texts(items.iter().map(part))));
                }
                Value::Array(_) => {}
                value if needs.get(one).is_some() => pairs.push((one, part(value).into())),
                _ => {}
            }
        }
        all.push((name.as_str(), record(pairs)));
    }
    Ok(all)
}

/// What is known together of all arguments of one role: believable if all are, for those who may see each of them.
fn of_role(request: &Request, tool: &Tool, role: Role) -> Fact {
    let mut joined = Label::default();
    let mut values = BTreeSet::new();
    let mut add = |pointer: &str, value: &Value| {
        joined = joined.join(&origin(request, pointer, value).label);
        leaves(value, &mut |leaf| {
            values.insert(text(leaf));
        });
    };
    for (name, value) in request.arguments.iter().filter(|(_, value)| !value.is_null()) {
        let top = format!("/{}", escaped(name));
        if speaks_of(tool, &top) {
            follow(tool, role, (&top, &top), value, &mut add);
        } else if role == Role::Target {
            // What the schema does not speak of has to be known, like any target.
            add(&top, value);
        }
    }
    let mut pairs = label(&joined);
    pairs.push(("values", texts(values)));
    record(pairs)
}

/// Whether the roles of a tool speak of what its schema names so, or of something within it.
fn speaks_of(tool: &Tool, named: &str) -> bool {
    tool.roles.contains_key(named) || below(tool, named).next().is_some()
}

/// The roles of what stands within something.
fn below<'a>(tool: &'a Tool, named: &str) -> impl Iterator<Item = Role> + use<'a> {
    let inner = format!("{named}/");
    let from = tool.roles.range(inner.clone()..);
    from.take_while(move |(pointer, _)| pointer.starts_with(&inner)).map(|(_, role)| *role)
}

/// Finds what is of a role in the value at a place, which the schema names so: with `*` for the items of lists. What has
/// another shape than the schema says is of each role that is within it.
fn follow(
    tool: &Tool,
    role: Role,
    (at, named): (&str, &str),
    value: &Value,
    each: &mut impl FnMut(&str, &Value),
) {
    let item = format!("{named}/*");
    match (tool.roles.get(named), value) {
        (Some(of), _) if *of == role => each(at, value),
        (Some(_), _) => {}
        (None, Value::Array(items)) if speaks_of(tool, &item) => {
            for (index, value) in items.iter().enumerate() {
                follow(tool, role, (&format!("{at}/{index}"), &item), value, each);
            }
        }
        (None, Value::Object(fields)) => {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let name = escaped(name);
                let (at, inner) = (format!("{at}/{name}"), format!("{named}/{name}"));
                if speaks_of(tool, &inner) {
                    follow(tool, role, (&at, &inner), value, each);
                } else if role == Role::Target || below(tool, named).any(|of| of == role) {
                    // What nobody speaks of may be of the kind of what stands beside it.
                    each(&at, value);
                }
            }
        }
        (None, value) if below(tool, named).any(|of| of == role) => each(at, value),
        (None, _) => {}
    }
}

fn leaves(value: &Value, each: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, each)),
        Value::Object(fields) => fields.values().for_each(|field| leaves(field, each)),
        leaf => each(leaf),
    }
}

/// Where a value came from, with all within it.
fn origin(request: &Request, pointer: &str, value: &Value) -> Origin {
    let own = request.origins.get(pointer);
    let inherited = own.or_else(|| {
        let mut above = pointer;
        while let Some((parent, _)) = above.rsplit_once('/') {
            if let Some(origin) = request.origins.get(parent) {
                return Some(origin);
            }
            above = parent;
        }
        None
    });
    within(request, pointer, value, inherited)
}

fn within(request: &Request, pointer: &str, value: &Value, inherited: Option<&Origin>) -> Origin {
    let inherited = request.origins.get(pointer).or(inherited);
    let parts: Vec<(String, &Value)> = match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        Value::Object(fields) => fields.iter().map(|(name, field)| (escaped(name), field)).collect(),
        _ => Vec::new(),
    };
    let parts =
        parts.iter().map(|(name, part)| within(request, &format!("{pointer}/{name}"), part, inherited));
    let joined =
        parts.reduce(|a, b| Origin { evidence: a.evidence.max(b.evidence), label: a.label.join(&b.label) });
    joined.unwrap_or_else(|| inherited.cloned().unwrap_or_else(Origin::unknown))
}

fn escaped(name: &str) -> String {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1") } else { name.to_owned() }
}

fn label(label: &Label) -> Vec<(&'static str, Fact)> {
    let from = match &label.sources {
        Sources::Known(known) => texts(known),
        // Whoever lists what is allowed must not meet a list that could be within it.
        Sources::Many => texts(["*"]),
    };
    let (readers, public) = match &label.readers {
        Readers::Anyone => (texts([""; 0]), true),
        Readers::Only(readers) => (texts(readers), false),
    };
    vec![
        ("trusted", label.is_trusted().into()),
        ("from", from),
        ("readers", readers),
        ("public", public.into()),
    ]
}

pub(super) fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Exact => "exact",
        Evidence::Fixed => "fixed",
        Evidence::Words => "words",
        Evidence::Result => "result",
        Evidence::Endorsed => "endorsed",
        Evidence::None => "none",
    }
}
