//! Changes to answers: what a broken server, a gateway or an attacker makes of them.

use adjutant_model::event_stream;
use adjutant_model::sse::Event;
use adjutant_testkit::provider::Interface;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::read::Subject;
use crate::seed::{SEEDS, Seed};

/// A change to the events of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Drop(Index),
    Repeat(Index, usize),
    Swap(Index, Index),
    /// Puts an event of another answer, which may be another provider's, before one.
    Borrow(Index, Index, Index, Index),
    /// Changes the name of one.
    Name(Index, Index),
    /// Changes a value within one.
    Edit(Index, Edit),
}

/// A change to a value within JSON.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Put(Index, Value),
    /// Puts a word of the interface's own.
    Word(Index, Index),
    Remove(Index),
    /// Gives a field of an object the name of another.
    Rename(Index, Index),
}

/// A change to bytes.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Truncate(Index),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        1 => at().prop_map(Change::Drop),
        1 => (at(), 1usize..4).prop_map(|(at, times)| Change::Repeat(at, times)),
        1 => (at(), at()).prop_map(|(a, b)| Change::Swap(a, b)),
        1 => (at(), at(), at(), at()).prop_map(|(a, b, c, d)| Change::Borrow(a, b, c, d)),
        1 => (at(), at()).prop_map(|(at, word)| Change::Name(at, word)),
        8 => (at(), edit()).prop_map(|(at, edit)| Change::Edit(at, edit)),
    ]
}

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), value()).prop_map(|(at, value)| Edit::Put(at, value)),
        3 => (at(), at()).prop_map(|(at, word)| Edit::Word(at, word)),
        1 => at().prop_map(Edit::Remove),
        1 => (at(), at()).prop_map(|(at, word)| Edit::Rename(at, word)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let deep = (0..100).fold(json!(0), |inner, _| json!([inner]));
    prop_oneof![
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(-1),
            json!(1),
            json!(u64::MAX),
            json!(u32::MAX),
            json!(1e300),
            json!(2.5),
            json!(""),
            json!("null"),
            json!("\u{feff}\u{0}\r\n\n"),
            json!("x".repeat(300)),
            json!([]),
            json!([null]),
            json!([{}]),
            json!({}),
            json!({"": ""}),
            json!({"type": "error", "message": "no", "code": 529}),
            deep,
        ]),
        "\\PC{0,12}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
    ]
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..6),
        prop::sample::select(vec!["\n", "\r\n\r\n", "\n\n{", "data:", "event:x\n", "\u{feff}", "\"", "}"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (any::<Index>(), bytes).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<Index>(), 1usize..40).prop_map(|(at, count)| Damage::Remove(at, count)),
        any::<Index>().prop_map(Damage::Truncate),
    ]
}

impl Change {
    pub(crate) fn make(&self, subject: usize, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let count = events.len();
        match self {
            Self::Drop(at) => drop(events.remove(at.index(count))),
            Self::Repeat(at, times) => {
                let at = at.index(count);
                let again = vec![events[at].clone(); *times];
                drop(events.splice(at..at, again));
            }
            Self::Swap(a, b) => events.swap(a.index(count), b.index(count)),
            Self::Borrow(at, other, seed, event) => {
                let lender = seed.get(&SEEDS[other.index(SEEDS.len())].0);
                events.insert(at.index(count), event.get(&lender.events).clone());
            }
            Self::Name(at, word) => word.get(&SEEDS[subject].1).clone_into(&mut events[at.index(count)].name),
            Self::Edit(at, edit) => {
                let event = &mut events[at.index(count)];
                if let Ok(mut data) = serde_json::from_str(&event.data) {
                    edit.make(subject, &mut data);
                    event.data = data.to_string();
                }
            }
        }
    }
}

impl Edit {
    pub(crate) fn make(&self, subject: usize, value: &mut Value) {
        let words = &SEEDS[subject].1;
        let mut places = Vec::new();
        add_places(value, String::new(), &mut places);
        let place = |at: &Index| places[at.index(places.len())].as_str();
        match self {
            Self::Put(at, new) => *value.pointer_mut(place(at)).unwrap() = new.clone(),
            Self::Word(at, word) => *value.pointer_mut(place(at)).unwrap() = word.get(words).as_str().into(),
            Self::Remove(at) => drop(taken(value, place(at))),
            Self::Rename(at, word) => {
                let place = place(at);
                let Some(field) = taken(value, place) else { return };
                let parent = place.rsplit_once('/').and_then(|(parent, _)| value.pointer_mut(parent));
                if let Some(Value::Object(fields)) = parent {
                    fields.insert(word.get(words).clone(), field);
                }
            }
        }
    }
}

/// Takes a field or an element out.
fn taken(value: &mut Value, place: &str) -> Option<Value> {
    let (parent, key) = place.rsplit_once('/')?;
    match value.pointer_mut(parent)? {
        Value::Object(fields) => fields.remove(&key.replace("~1", "/").replace("~0", "~")),
        Value::Array(items) => Some(items.remove(key.parse().ok()?)),
        _ => None,
    }
}

fn add_places(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            add_places(value, format!("{place}/{name}"), places);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| {
            add_places(item, format!("{place}/{index}"), places);
        }),
        _ => {}
    }
    places.push(place);
}

impl Damage {
    pub(crate) fn make(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let count = bytes.len();
        match self {
            Self::Flip(at, bits) => bytes[at.index(count)] ^= bits,
            Self::Insert(at, new) => {
                let at = at.index(count);
                drop(bytes.splice(at..at, new.iter().copied()));
            }
            Self::Remove(at, length) => {
                let at = at.index(count);
                drop(bytes.drain(at..count.min(at + length)));
            }
            Self::Truncate(at) => bytes.truncate(at.index(count)),
        }
    }
}

/// Events on the wire, with right lengths and checksums.
pub(crate) fn wire(subject: Subject, events: &[Event]) -> Vec<u8> {
    match subject.interface {
        Interface::Converse => events.iter().flat_map(frame).collect(),
        _ => events.iter().flat_map(lines).collect(),
    }
}

fn lines(Event { name, data }: &Event) -> Vec<u8> {
    let name = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
    let data: String = data.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("{name}{data}\n").into_bytes()
}

fn frame(Event { name, data }: &Event) -> Vec<u8> {
    let header =
        |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let message = Message::new(data.clone());
    let message = match name == event_stream::EXCEPTION {
        true => message
            .add_header(header(":message-type", "exception"))
            .add_header(header(":exception-type", "throttlingException")),
        false => message.add_header(header(":message-type", "event")).add_header(header(":event-type", name)),
    };
    let mut wire = Vec::new();
    write_message_to(&message, &mut wire).unwrap();
    wire
}

pub(crate) fn seed(subject: usize, at: &Index) -> Seed {
    at.get(&SEEDS[subject].0).clone()
}
