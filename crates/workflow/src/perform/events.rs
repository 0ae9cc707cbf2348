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
    // An event that there is not tells of what has decided that, too.
    let mut decided = all;
    match &reaction.does {
        Does::Outside { kind, request } => {
            let request = values.evaluate(&stage, request).await?;
            made.push(Event::new(kind, stage.signal(kind, &request.value).await?));
        }
        Does::Steps { steps, emits } => {
            let result = whole(sequence(&stage.scope("do"), steps, &mut values.clone()).await?)?;
            values.set("result", result);
            for emission in emits {
                let (events, decided_by) = emit(&stage.scope("emit"), emission, &values).await?;
                made.extend(events);
                decided = decided.influenced_by([&decided_by]);
            }
        }
    }
    Ok(made.into_iter().map(|event| Event::new(event.kind, event.data.influenced_by([&decided]))).collect())
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

/// The events that come of a step, and what has decided which there are.
async fn emit(stage: &Stage, emission: &Emission, values: &Values) -> Result<(Vec<Event>, Item)> {
    let Some(each) = &emission.each else {
        let (event, decided_by) = one(stage, emission, values).await?;
        return Ok((event.into_iter().collect(), decided_by));
    };
    let list = values.evaluate(stage, each).await?;
    let Value::Array(members) = &list.value else {
        stage.failed_for(&list);
        let message = format!("`each` of `{}` needs a list", emission.kind);
        return Err(Error::new(Code::ToolFailed, message));
    };
    let mut events = Vec::new();
    let mut decided = list.part(Value::Null);
    for (index, member) in members.iter().enumerate() {
        let values = values.with("item", list.part(member.clone())).with("index", Item::new(index));
        let (event, decided_by) = one(stage, emission, &values).await?;
        events.extend(event);
        decided = decided.influenced_by([&decided_by]);
    }
    Ok((events, decided))
}

async fn one(stage: &Stage, emission: &Emission, values: &Values) -> Result<(Option<Event>, Item)> {
    let (holds, decided_by) = match &emission.when {
        Some(when) => values.decide(stage, when).await?,
        None => (true, Item::default()),
    };
    if !holds {
        return Ok((None, decided_by));
    }
    let data = values.evaluate(stage, &emission.data).await?;
    Ok((Some(Event::new(&emission.kind, data)), decided_by))
}
