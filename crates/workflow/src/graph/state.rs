//! [`State`]: what the nodes of a graph share.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_agent::workflow::Item;
use adjutant_core::{Code, Error, Result, nearest};
use jsonschema::Validator;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fit;

/// What a node is called for, where an edge leads there for each item of a list.
pub(crate) const ITEM: &str = "item";
/// Which of these it is, from 0.
pub(crate) const INDEX: &str = "index";
/// Why the node has failed in whose place this one works.
pub(crate) const ERROR: &str = "error";

type Merging = dyn Fn(&Value, &Value) -> Result<Value> + Send + Sync;

/// How what nodes write goes into a field.
#[derive(Clone, Default)]
pub enum Merge {
    /// It takes the place of what was there.
    #[default]
    Replace,
    /// It comes behind what was there: the members of a list, or anything else as one member.
    Append,
    /// It is added to the number that was there.
    Add,
    /// What a function makes of what was there and what is written.
    Custom(Arc<Merging>),
}

impl Merge {
    /// Merges by a function of what was there and what is written. It is called once for each write, and recorded.
    pub fn custom(merge: impl Fn(&Value, &Value) -> Result<Value> + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(merge))
    }

    /// Whether what comes of it is made of what was there.
    fn keeps(&self) -> bool {
        !matches!(self, Self::Replace)
    }
}

impl std::fmt::Debug for Merge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Replace => "Replace",
            Self::Append => "Append",
            Self::Add => "Add",
            Self::Custom(_) => "Custom",
        })
    }
}

/// What a field may hold; what its members may be, where it is [appended](Merge::Append) to.
#[derive(Clone)]
pub(crate) struct Type(Arc<Validator>);

impl Type {
    /// The type that a JSON schema says. Fails with what is wrong with the schema.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        fit::validator(schema).map(|validator| Self(Arc::new(validator)))
    }

    fn check(&self, field: &str, value: &Value) -> Result<()> {
        fit::passes(&self.0, value).map_err(|why| {
            Error::new(Code::ToolFailed, format!("the field `{field}` cannot hold this: {why}"))
        })
    }
}

/// The fields of a graph: how each is merged, and what it may hold where that is said.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    pub(super) merges: BTreeMap<String, Merge>,
    pub(super) types: BTreeMap<String, Type>,
}

impl Fields {
    /// Whether a field can begin with a value, or with nothing yet.
    pub(super) fn can_begin(&self, field: &str, value: &Value) -> Result<()> {
        match (self.merges.get(field), value) {
            (_, Value::Null) => Ok(()),
            (Some(Merge::Append), Value::Array(members)) => {
                members.iter().try_for_each(|member| self.fits(field, member))
            }
            _ => self.fits(field, value),
        }
    }

    fn fits(&self, field: &str, value: &Value) -> Result<()> {
        self.types.get(field).map_or(Ok(()), |kind| kind.check(field, value))
    }
}

/// What a node sees: the fields as they were before its super-step, and what it was called for.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) fields: Arc<BTreeMap<String, Item>>,
    pub(super) besides: BTreeMap<&'static str, Item>,
}

impl State {
    /// The value of a field; nothing where there is none of that name.
    pub fn get(&self, field: &str) -> Item {
        self.fields.get(field).cloned().unwrap_or_default()
    }

    /// The item that this node is called for, where an edge leads there for each of a list.
    pub fn item(&self) -> Option<&Item> {
        self.besides.get(ITEM)
    }

    /// Why the node has failed in whose place this one works: a table of `node` and `message`.
    pub fn error(&self) -> Option<&Item> {
        self.besides.get(ERROR)
    }

    /// All fields as one table, made of all of them.
    pub fn table(&self) -> Item {
        let fields = self.fields.iter().map(|(name, item)| (name.clone(), item.value.clone()));
        Item::made_of(Value::Object(fields.collect()), self.fields.values())
    }

    /// All that can be named, by its name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Item)> {
        let fields = self.fields.iter().map(|(name, item)| (name.as_str(), item));
        fields.chain(self.besides.iter().map(|(name, item)| (*name, item)))
    }
}

/// What a node writes: values by the names of fields.
#[derive(Clone, Debug, Default)]
pub struct Writes(pub(super) Vec<(String, Item)>);

impl Writes {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// One value.
    pub fn to(field: impl Into<String>, item: impl Into<Item>) -> Self {
        Self::none().and(field, item)
    }

    /// One more value.
    #[must_use]
    pub fn and(mut self, field: impl Into<String>, item: impl Into<Item>) -> Self {
        self.0.push((field.into(), item.into()));
        self
    }
}

/// What a super-step has changed. It is what the step `state` records, so a fork can edit it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which super-step it was; 0 is what the graph begins with.
    pub super_step: u32,
    /// The nodes that have worked, in the order in which their writes were merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// What these fields are now.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
    /// What has come to the end of these. Only that is recorded: a list that grows would otherwise be written again each time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append: BTreeMap<String, Vec<Value>>,
}

impl Change {
    /// What comes of writes, in their order. `old` has what was there of those that are [made of it](Merge::keeps).
    pub(super) fn merge(
        super_step: u32,
        nodes: Vec<String>,
        fields: &Fields,
        old: &Map<String, Value>,
        writes: &[(String, Value)],
    ) -> Result<Self> {
        let merges = &fields.merges;
        let mut change = Self { super_step, nodes, ..Self::default() };
        for (field, new) in writes {
            let Some(merge) = merges.get(field) else { return Err(no_field(field, merges.keys())) };
            let was = change.set.get(field).or_else(|| old.get(field)).unwrap_or(&Value::Null);
            let merged = match merge {
                Merge::Replace => new.clone(),
                Merge::Add => add(field, was, new)?,
                Merge::Custom(merge) => merge(was, new)?,
                Merge::Append => {
                    let members = new.as_array().map_or(std::slice::from_ref(new), Vec::as_slice);
                    members.iter().try_for_each(|member| fields.fits(field, member))?;
                    change.append.entry(field.clone()).or_default().extend_from_slice(members);
                    continue;
                }
            };
            fields.fits(field, &merged)?;
            change.set.insert(field.clone(), merged);
        }
        Ok(change)
    }

    /// The fields after this change, as plain values.
    pub(super) fn play(&self, fields: &mut Map<String, Value>) {
        for (field, value) in &self.set {
            fields.insert(field.clone(), value.clone());
        }
        for (field, end) in &self.append {
            match fields.get_mut(field) {
                Some(Value::Array(members)) => members.extend_from_slice(end),
                _ => drop(fields.insert(field.clone(), json!(end))),
            }
        }
    }

    /// The fields after this change, each known for what it was made of.
    ///
    /// Fails where it changes a field that there is not, as one that was edited may.
    pub(super) fn apply(
        self,
        merges: &BTreeMap<String, Merge>,
        fields: &mut BTreeMap<String, Item>,
        writes: &[(String, Item)],
    ) -> Result<()> {
        let of = |field: &str| {
            let field = field.to_owned();
            writes.iter().filter(move |(name, _)| *name == field).map(|(_, item)| item)
        };
        for (field, value) in self.set {
            let Some(merge) = merges.get(&field) else { return Err(no_field(&field, merges.keys())) };
            let old = fields.remove(&field).filter(|_| merge.keeps());
            let item = match of(&field).collect::<Vec<_>>().as_slice() {
                // What is passed on as it is stays known for what it is.
                [only] if old.is_none() && only.value == value => (*only).clone(),
                all => Item::made_of(value, all.iter().copied().chain(&old)),
            };
            fields.insert(field.clone(), item.condensed(&field));
        }
        for (field, end) in self.append {
            if !merges.contains_key(&field) {
                return Err(no_field(&field, merges.keys()));
            }
            let mut old = fields.remove(&field).unwrap_or_default();
            let was = std::mem::take(&mut old.value);
            let mut made = Item::made_of(Value::Null, of(&field)).influenced_by([&old]);
            made.value = Value::Array(match was {
                Value::Array(mut members) => {
                    members.extend(end);
                    members
                }
                Value::Null => end,
                one => std::iter::once(one).chain(end).collect(),
            });
            fields.insert(field.clone(), made.condensed(&field));
        }
        Ok(())
    }
}

/// What was there of the fields that are written, as far as what comes of it is made of that.
pub(super) fn old(
    merges: &BTreeMap<String, Merge>,
    fields: &BTreeMap<String, Item>,
    writes: &[(String, Item)],
) -> Map<String, Value> {
    let needed =
        writes.iter().filter(|(field, _)| matches!(merges.get(field), Some(Merge::Add | Merge::Custom(_))));
    let known = needed.filter_map(|(field, _)| Some((field.clone(), fields.get(field)?.value.clone())));
    known.collect()
}

fn add(field: &str, was: &Value, new: &Value) -> Result<Value> {
    let wrong = |value: &Value| {
        let message = format!("the field `{field}` is a sum, and `{value}` is no number");
        Error::new(Code::ToolFailed, message)
    };
    let zero = Value::from(0);
    let was = if was.is_null() { &zero } else { was };
    let whole = was.as_i64().zip(new.as_i64()).and_then(|(was, new)| was.checked_add(new));
    if let Some(sum) = whole {
        return Ok(sum.into());
    }
    let was = was.as_f64().ok_or_else(|| wrong(was))?;
    Ok((was + new.as_f64().ok_or_else(|| wrong(new))?).into())
}

fn no_field<'n>(field: &str, fields: impl Iterator<Item = &'n String>) -> Error {
    let fields: Vec<&str> = fields.map(String::as_str).collect();
    let error = Error::new(Code::ToolFailed, format!("the graph has no field `{field}`"));
    match nearest(field, fields.iter().copied()) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!("its fields are {}", fields.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(merge: Merge, old: Value, writes: &[Value]) -> Result<Value> {
        let merges = Fields { merges: BTreeMap::from([("x".to_owned(), merge)]), ..Fields::default() };
        let mut fields = Map::from_iter([("x".to_owned(), old)]);
        let writes: Vec<_> = writes.iter().map(|value| ("x".to_owned(), value.clone())).collect();
        Change::merge(1, Vec::new(), &merges, &fields.clone(), &writes)?.play(&mut fields);
        Ok(fields.remove("x").unwrap_or_default())
    }

    #[test]
    fn what_is_written_is_merged_as_the_field_says() {
        let longest = || {
            Merge::custom(|old, new| {
                Ok(std::cmp::max_by_key(old, new, |value| value.as_str().map_or(0, str::len)).clone())
            })
        };
        for (merge, old, writes, expected) in [
            (Merge::Replace, json!(1), vec![json!(2), json!([3])], json!([3])),
            (Merge::Append, json!([1]), vec![json!(2), json!([3, 4])], json!([1, 2, 3, 4])),
            (Merge::Append, json!(null), vec![json!(2)], json!([2])),
            (Merge::Add, json!(1), vec![json!(2), json!(3)], json!(6)),
            (Merge::Add, json!(null), vec![json!(0.5), json!(1)], json!(1.5)),
            (longest(), json!("ab"), vec![json!("a"), json!("abc")], json!("abc")),
        ] {
            assert_eq!(merged(merge.clone(), old, &writes).unwrap(), expected, "{merge:?}");
        }
        let error = merged(Merge::Add, json!(1), &[json!("two")]).unwrap_err();
        assert_eq!(error.message(), "the field `x` is a sum, and `\"two\"` is no number");
    }
}
