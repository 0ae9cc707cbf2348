//! Has steps wait for events, as somebody wrote it in a plan.

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value};

use super::step::{sequence, whole};
use super::values::Values;
use crate::pattern::{Event, Events};
use crate::plan::{Awaited, Does, Emission, Eventful, Reaction};

/// Works on events until one ends it all; what that one holds is what is made.
pub(super) async fn events(stage: &Stage, eventful: &Eventful, values: &Values) -> Result<Item> {
    let mut first = Vec::new();
    for (kind, data) in &eventful.first {
        first.push(Event::new(kind, values.evaluate(stage, data).await?));
    }
    let mut events = Events::new().most(eventful.most);
    for (kind, schema) in &eventful.kinds {
        events = events.kind(kind, schema);
    }
    for (name, reaction) in &eventful.steps {
        let work = move |stage, given| react(stage, reaction, values, given);
        events = events.collect(name, reaction.on.takes(), reaction.workers, work);
    }
    events.run_all(stage, first).await
}

/// Does what a step does with events, and makes those that it gives rise to.
async fn react(stage: Stage, reaction: &Reaction, values: &Values, given: Vec<Event>) -> Result<Vec<Event>> {
    let all = Item::made_of(Value::Null, given.iter().map(|event| &event.data));
    // That it comes to this is decided by those who gave rise to the events.
    let stage = stage.under([&all]);
    let mut values = seen(values, &reaction.on, &given, &all);
    let mut made = Vec::new();
    match &reaction.does {
        Does::Outside { kind, request } => {
            let request = values.evaluate(&stage, request).await?;
            made.push(Event::new(kind, stage.signal(kind, &request.value).await?));
        }
        Does::Steps { steps, emits } => {
            let result = whole(sequence(&stage.scope("do"), steps, &mut values.clone()).await?)?;
            values.set("result", result);
            for emission in emits {
                made.extend(emit(&stage.scope("emit"), emission, &values).await?);
            }
        }
    }
    Ok(made.into_iter().map(|event| Event::new(event.kind, event.data.influenced_by([&all]))).collect())
}

/// What a step sees of the events that it is given.
fn seen(values: &Values, on: &Awaited, given: &[Event], all: &Item) -> Values {
    match on {
        Awaited::Each(_) => {
            let event = given.first().map(|event| event.data.clone()).unwrap_or_default();
            values.with("event", event.clone()).with("last", event)
        }
        Awaited::Several(kinds) => {
            let of_kind = |kind: &String| -> Value {
                given
                    .iter()
                    .filter(|event| event.kind == *kind)
                    .map(|event| event.data.value.clone())
                    .collect()
            };
            let table: Map<String, Value> = kinds.keys().map(|kind| (kind.clone(), of_kind(kind))).collect();
            let table = all.part(Value::Object(table));
            values.with("events", table.clone()).with("last", table)
        }
    }
}

/// The events that come of a step.
async fn emit(stage: &Stage, emission: &Emission, values: &Values) -> Result<Vec<Event>> {
    let Some(each) = &emission.each else {
        return Ok(one(stage, emission, values).await?.into_iter().collect());
    };
    let list = values.evaluate(stage, each).await?;
    let Value::Array(members) = &list.value else {
        let message = format!("`each` of `{}` needs a list", emission.kind);
        return Err(Error::new(Code::ToolFailed, message));
    };
    let mut events = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let values = values.with("item", list.part(member.clone())).with("index", Item::new(index));
        let made = one(stage, emission, &values).await?;
        // How many there are is said by the list.
        events.extend(made.map(|event| Event::new(event.kind, event.data.influenced_by([&list]))));
    }
    Ok(events)
}

async fn one(stage: &Stage, emission: &Emission, values: &Values) -> Result<Option<Event>> {
    let decided_by = match &emission.when {
        Some(when) => match values.decide(stage, when).await? {
            (true, decided_by) => decided_by,
            (false, _) => return Ok(None),
        },
        None => Item::default(),
    };
    let data = values.evaluate(stage, &emission.data).await?;
    Ok(Some(Event::new(&emission.kind, data.influenced_by([&decided_by]))))
}
