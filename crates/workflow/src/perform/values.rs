//! [`Values`]: what the steps of a plan have made up to now.

use std::collections::BTreeMap;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::Result;
use adjutant_core::json::Json;
use adjutant_durable::{Effects, work};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::expression::Expression;
use crate::plan::{Argument, Text};

/// What a workflow was started with.
const INPUT: &str = "input";
/// What the step before has made.
const LAST: &str = "last";
/// The name of the steps that record what an expression has come to.
const EVALUATED: &str = "evaluate";

/// What the steps of a plan have made up to now, by their names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Values(BTreeMap<String, Item>);

impl Values {
    /// Those at the beginning.
    pub(super) fn begin(input: Item) -> Self {
        Self(BTreeMap::from([(LAST.to_owned(), input.clone()), (INPUT.to_owned(), input)]))
    }

    /// Takes in what a step has made.
    pub(super) fn made(&mut self, id: &str, item: &Item) {
        self.set(id, item.clone());
        self.set(LAST, item.clone());
    }

    /// Takes in a value.
    pub(super) fn set(&mut self, name: &str, item: Item) {
        self.0.insert(name.to_owned(), item);
    }

    /// The same with one more value.
    pub(super) fn with(&self, name: &str, item: Item) -> Self {
        let mut values = self.clone();
        values.set(name, item);
        values
    }

    /// What is made of all values of these names.
    pub(super) fn named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Item {
        Item::made_of(Value::Null, self.of(names).1)
    }

    /// All of them as one table, made of all of them.
    pub(super) fn table(&self) -> Item {
        let table = self.0.iter().map(|(name, item)| (name.clone(), item.value.clone()));
        Item::made_of(Value::Object(table.collect()), self.0.values())
    }

    /// What the step before has made.
    pub(super) fn last(&self) -> Item {
        self.0.get(LAST).cloned().unwrap_or_default()
    }

    /// The values of these names.
    fn of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> (Map<String, Value>, Vec<&Item>) {
        let mut values = Map::new();
        let mut items = Vec::new();
        for name in names {
            if let Some(item) = self.0.get(name)
                && values.insert(name.to_owned(), item.value.clone()).is_none()
            {
                items.push(item);
            }
        }
        (values, items)
    }

    /// What an argument comes to: made of the values that it names.
    pub(super) async fn evaluate(&self, stage: &Stage, argument: &Argument) -> Result<Item> {
        let (values, items) = self.of(argument.names());
        // What is passed on as it is stays known for what it is.
        if let (Argument::Expression(expression), [item]) = (argument, items.as_slice())
            && values.contains_key(expression.source())
        {
            return Ok((*item).clone());
        }
        let value = match argument.is_to_be_recorded() {
            true => recorded(stage, argument, values).await,
            false => argument.evaluate(&values),
        };
        Ok(Item::made_of(telling(stage, value, &items)?, items))
    }

    /// A text with its values.
    pub(super) fn fill(&self, stage: &Stage, text: &Text) -> Result<Item> {
        let (values, items) = self.of(text.names());
        Ok(Item::made_of(telling(stage, text.fill(&values), &items)?, items))
    }

    /// Whether a condition holds, and what it was made of. What it comes to is recorded where that is another thing each time.
    pub(super) async fn decide(&self, stage: &Stage, condition: &Expression) -> Result<(bool, Item)> {
        if !condition.is_to_be_recorded() {
            let looked_at: Vec<&Item> = self.of(condition.names()).1;
            return telling(stage, self.holds(condition), &looked_at);
        }
        let came_to = self.evaluate(stage, &Argument::Expression(condition.clone())).await?;
        Ok((telling(stage, condition.truth(&came_to.value), &[&came_to])?, came_to))
    }

    /// As [`decide`](Self::decide), of a condition that makes no lists.
    pub(super) fn holds(&self, condition: &Expression) -> Result<(bool, Item)> {
        let (values, items) = self.of(condition.names());
        Ok((condition.holds(&values)?, Item::made_of(Value::Null, items)))
    }

    /// What a number comes to.
    pub(super) async fn number(&self, stage: &Stage, expression: &Expression) -> Result<f64> {
        let came_to = self.evaluate(stage, &Argument::Expression(expression.clone())).await?;
        let value = &came_to.value;
        value.as_f64().ok_or_else(|| {
            stage.failed_for(&came_to);
            let message =
                format!("the expression `{}` comes to {value}, which is no number", expression.source());
            adjutant_core::Error::new(adjutant_core::Code::ToolFailed, message)
        })
    }

    /// Arguments by name.
    pub(super) async fn fields(
        &self,
        stage: &Stage,
        fields: &BTreeMap<String, Argument>,
    ) -> Result<(Map<String, Value>, Vec<Item>)> {
        let (mut values, mut items) = (Map::new(), Vec::new());
        for (name, field) in fields {
            let item = self.evaluate(stage, field).await?;
            values.insert(name.clone(), item.value.clone());
            items.push(item);
        }
        Ok((values, items))
    }
}

/// The same, where a failure tells of the values that were looked at: what is made in its place is made of these, too.
fn telling<T>(stage: &Stage, result: Result<T>, looked_at: &[&Item]) -> Result<T> {
    if result.is_err() {
        stage.failed_for(&Item::made_of(Value::Null, looked_at.iter().copied()));
    }
    result
}

/// What an argument comes to, recorded: the order of its members is another one each time.
async fn recorded(stage: &Stage, argument: &Argument, values: Map<String, Value>) -> Result<Value> {
    let argument = argument.clone();
    let input = Json::from(Value::Object(values.clone()));
    let evaluate = work(move |_| {
        let came_to = argument.evaluate(&values).map(Json::from);
        std::future::ready(came_to)
    });
    let came_to = stage.ctx().effect(EVALUATED, Effects::pure(), input, evaluate).await?;
    Ok(came_to.value().clone())
}
