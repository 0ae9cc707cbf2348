//! The forms in which several work together: crews, conversations, and steps that wait for events.

use serde_json::{Value, json};

use super::{at_a_time, described, reference, table, text_of, texts, whole};

pub(super) fn crew() -> Value {
    let manager = json!({ "oneOf": [{ "type": "string" }, reference("helper")], "description": "Who says who does a task, and whether its result will do: an agent, or a model." });
    let members =
        json!({ "type": "object", "additionalProperties": reference("member"), "minProperties": 1 });
    let tasks = json!({ "type": "array", "items": reference("assignment"), "minItems": 1 });
    let crew = [
        (
            "process",
            json!({ "enum": ["sequential", "parallel", "hierarchical"], "description": "How the tasks follow one another; `sequential` where nothing is said." }),
        ),
        ("members", members),
        ("manager", manager),
        ("tasks", tasks),
        ("rounds", whole(1, "How often a task is done at most; 3 where nothing is said.")),
        ("at_a_time", at_a_time()),
        (
            "output",
            described("value", "What the crew makes; the result of its last task where nothing is said."),
        ),
    ];
    table(&["members", "tasks"], &crew)
}

pub(super) fn member() -> Value {
    let member = [
        ("role", text_of("Who it is, such as `a researcher`.")),
        ("goal", text_of("What it is out for.")),
        ("backstory", text_of("What else it is to know of itself.")),
        ("tools", texts("The tools that it may call.")),
        ("model", text_of("Its model.")),
        ("agent", text_of("An agent of the project that is the member.")),
        (
            "delegates",
            json!({ "type": "boolean", "description": "Whether it has co-workers do parts of its work." }),
        ),
    ];
    table(&[], &member)
}

pub(super) fn assignment() -> Value {
    let assignment = [
        ("id", text_of("What the task is called.")),
        ("description", text_of("What is to be done: a template.")),
        ("expected", text_of("What is expected of the result: a template.")),
        ("by", text_of("The member that does it.")),
        (
            "context",
            texts(
                "The tasks whose results it is shown; those right before it where nothing is said and they follow one another.",
            ),
        ),
        ("after", texts("Further tasks that must be done before.")),
        (
            "at_the_same_time",
            json!({ "type": "boolean", "description": "Whether it is done at the same time as the one before it." }),
        ),
        (
            "output",
            json!({ "type": "object", "description": "The JSON schema of its result, where that is data." }),
        ),
        ("gate", reference("gate")),
    ];
    table(&["description"], &assignment)
}

pub(super) fn chat() -> Value {
    let next = json!({
        "oneOf": [{ "enum": ["round", "model"] }, { "type": "string", "pattern": "^\\s*=" }, reference("helper")],
        "description": "Who speaks next: in turn, chosen by a model, or named by an expression after `=`.",
    });
    let chat = [
        ("opening", described("value", "What it begins with; `last` where nothing is said.")),
        ("speakers", texts("Who speaks: agents, or `person`.")),
        ("next", next),
        ("until", described("condition", "When it is over; it sees `said`, `turns`, `last` and `speaker`.")),
        ("turns", whole(1, "After how many turns it is over at the latest; 12 where nothing is said.")),
        ("output", described("value", "What it makes; all that was said where nothing is said here.")),
    ];
    table(&["speakers"], &chat)
}

pub(super) fn events() -> Value {
    let kinds = json!({ "type": "object", "additionalProperties": { "type": "object" }, "description": "The JSON schemas of what events hold, by their kinds." });
    let steps =
        json!({ "type": "object", "additionalProperties": reference("reaction"), "minProperties": 1 });
    let events = [
        ("first", described("values", "The events that it begins with, by their kinds.")),
        ("kinds", kinds),
        ("steps", steps),
        ("most", whole(1, "How many events there may be in all; 10,000 where nothing is said.")),
    ];
    table(&["first", "steps"], &events)
}

pub(super) fn reaction() -> Value {
    let on = json!({
        "oneOf": [{ "type": "string" }, { "type": "object", "additionalProperties": { "type": "integer", "minimum": 1 } }],
        "description": "The kind of event that it waits for; or how many of which kinds it takes at once.",
    });
    let outside = [
        ("kind", text_of("The kind of the event that somebody outside signals by that name.")),
        ("request", described("value", "What they are shown.")),
    ];
    let emits =
        json!({ "oneOf": [reference("emission"), { "type": "array", "items": reference("emission") }] });
    let reaction = [
        ("on", on),
        ("workers", whole(1, "How many of it work at the same time; 1 where nothing is said.")),
        ("do", described("steps", "What it does; it sees `event`, or `events` by their kinds.")),
        ("emits", emits),
        ("from_outside", table(&["kind"], &outside)),
    ];
    table(&["on"], &reaction)
}

pub(super) fn emission() -> Value {
    let emission = [
        ("kind", text_of("The kind of the event; `end` ends it all.")),
        ("data", described("value", "What it holds; `result` where nothing is said, or `item`.")),
        ("when", described("condition", "When there is one.")),
        ("each", described("value", "The list for each of whose members, `item`, there is one.")),
    ];
    table(&["kind"], &emission)
}
