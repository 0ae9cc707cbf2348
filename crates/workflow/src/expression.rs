//! [`Expression`]: a condition or a value in CEL, the Common Expression Language.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use adjutant_agent::definition::document::Place;
use adjutant_core::{Code, Error, Result};
use cel::common::ast::{EntryExpr, Expr};
use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, IdedExpr, Program, extensions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// The longest expression, in bytes.
const LONGEST: usize = 2_000;

/// How deep brackets may nest in an expression.
const DEEPEST: usize = 24;

/// How deep loops over lists may nest in an expression: three of them over a list of a hundred do a million things.
const MOST_LOOPS: usize = 2;

/// What an expression of that length may take of the stack, in bytes.
const STACK: usize = 64 << 20;

/// How deep an expression may be to be evaluated on the stack that is there.
const SHALLOW: usize = 40;

/// How many conditions `a ? b : c` an expression may have.
const MOST_CONDITIONS: usize = 24;

/// The names of types in CEL, with which those of values are compared: `type(last) == int`.
const TYPES: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Words that mean something else in CEL than a value.
const RESERVED: [&str; 6] = ["true", "false", "null", "in", "as", "has"];

/// What expressions know: the standard library, and its extensions for texts, lists and numbers.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    // An extension that is refused is one that its own crate declares twice: expressions that use it are no expressions then.
    for extension in [extensions::strings, extensions::lists, extensions::math] {
        drop(environment.add_extension(extension));
    }
    Arc::new(environment)
});

/// An expression in CEL over values by name. It looks at nothing else, and always comes to an end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    source: String,
    program: Arc<Program>,
    names: BTreeSet<String>,
    makes_lists: bool,
    is_deep: bool,
}

/// What is wrong with the text of an expression, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl Expression {
    /// Reads an expression.
    pub fn parse(source: &str) -> Result<Self, Mistake> {
        let at_start = |message: String| Mistake { message, line: 1, column: 1 };
        if source.len() > LONGEST {
            return Err(at_start(format!("the expression is longer than {LONGEST} bytes")));
        }
        if let Some(place) = too_deep(source) {
            let message = format!("its brackets, signs or conditions are nested more than {DEEPEST} deep");
            return Err(Mistake { message, line: place.line, column: place.column });
        }
        let program = with_stack(|| ENVIRONMENT.compile(source)).map_err(|errors| {
            let first = errors.errors.into_iter().next();
            first.map_or_else(
                || at_start("it is no expression".to_owned()),
                |error| Mistake {
                    message: error.msg,
                    line: usize::try_from(error.pos.0).unwrap_or(1).max(1),
                    column: usize::try_from(error.pos.1).unwrap_or(1).max(1),
                },
            )
        })?;
        let mut seen = Seen::default();
        with_stack(|| seen.look(program.expression(), &mut Vec::new()));
        let Seen { names, makes_lists, loops, deepest, unknown, .. } = seen;
        if let Some(function) = unknown {
            return Err(at_start(format!("there is no function `{function}`")));
        }
        if loops > MOST_LOOPS {
            return Err(at_start(format!(
                "its loops over lists are nested {loops} deep, and may be {MOST_LOOPS}"
            )));
        }
        let (program, is_deep) = (Arc::new(program), deepest > SHALLOW);
        Ok(Self { source: source.to_owned(), program, names, makes_lists, is_deep })
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names of the values that it looks at.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether a value can be called so.
    pub fn can_name(name: &str) -> bool {
        !TYPES.contains(&name) && !RESERVED.contains(&name)
    }

    /// Whether it may make a list out of the keys of an object, which CEL does in no certain order: then what it comes to must
    /// be recorded.
    pub fn is_to_be_recorded(&self) -> bool {
        self.makes_lists
    }

    /// What it comes to. `values` has all [`names`](Self::names) that there are.
    ///
    /// Fails with [`Code::ToolFailed`], saying why.
    pub fn evaluate(&self, values: &Map<String, Value>) -> Result<Value> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for name in &self.names {
            if let Some(value) = values.get(name) {
                context.add_variable_from_value(name.as_str(), to_cel(value));
            }
        }
        let came_to = self.execute(&context).map_err(|error| self.failed(&error.to_string()))?;
        from_cel(&came_to).ok_or_else(|| self.failed("it comes to something that is no JSON"))
    }

    /// What it comes to whatever the values are; none where it looks at any.
    pub fn constant(&self) -> Option<Value> {
        if !self.names.is_empty() || self.is_to_be_recorded() {
            return None;
        }
        self.evaluate(&Map::new()).ok()
    }

    /// Whether it holds whatever the values are.
    pub fn is_always(&self) -> bool {
        self.constant() == Some(Value::Bool(true))
    }

    /// Whether it holds.
    ///
    /// Fails with [`Code::ToolFailed`] where it comes to no truth value.
    pub fn holds(&self, values: &Map<String, Value>) -> Result<bool> {
        self.truth(&self.evaluate(values)?)
    }

    /// What it has come to as a truth value.
    pub(crate) fn truth(&self, came_to: &Value) -> Result<bool> {
        came_to.as_bool().ok_or_else(|| self.failed(&format!("it comes to {came_to}, not to true or false")))
    }

    fn execute(&self, context: &Context<'_, '_>) -> cel::ResolveResult {
        match self.is_deep {
            true => with_stack(|| self.program.execute(context)),
            false => self.program.execute(context),
        }
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(Code::ToolFailed, format!("the expression `{}` cannot be evaluated: {why}", self.source))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl TryFrom<String> for Expression {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        Self::parse(&source).map_err(|mistake| mistake.message)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.source
    }
}

/// Calls a function with the stack that an expression may take.
fn with_stack<T>(function: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK, STACK, function)
}

/// Where brackets are nested too deep, too many signs stand in front of something, or there are too many conditions.
fn too_deep(source: &str) -> Option<Place> {
    let (mut depth, mut row, mut conditions, mut quote) = (0_usize, 0_usize, 0_usize, None);
    let mut signs = source.char_indices();
    while let Some((at, sign)) = signs.next() {
        match (quote, sign) {
            (Some(_), '\\') => drop(signs.next()),
            (Some(open), sign) if sign == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(sign),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '?') => conditions += 1,
            _ => {}
        }
        row = match (quote, sign) {
            (None, '!' | '-') => row + 1,
            (None, ' ') => row,
            _ => 0,
        };
        if depth > DEEPEST || row > DEEPEST || conditions > MOST_CONDITIONS {
            return Some(Place::of_byte(source, at));
        }
    }
    None
}

/// What was seen in an expression.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    makes_lists: bool,
    /// How deep loops are nested.
    loops: usize,
    /// How many loops stand around what is looked at.
    within: usize,
    /// How deep its parts are nested.
    deepest: usize,
    /// How deep what is looked at stands.
    depth: usize,
    /// A function that there is not.
    unknown: Option<String>,
}

impl Seen {
    /// Looks through a part. `bound` are the names that stand for members there.
    fn look<'a>(&mut self, part: &'a IdedExpr, bound: &mut Vec<&'a str>) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.look_into(part, bound);
        self.depth -= 1;
    }

    fn look_into<'a>(&mut self, part: &'a IdedExpr, bound: &mut Vec<&'a str>) {
        match &part.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                let name_of_type = TYPES.contains(&name.as_str());
                if !name.starts_with('@') && !name_of_type && !bound.contains(&name.as_str()) {
                    self.names.insert(name.clone());
                }
            }
            Expr::Call(call) => {
                let is_of_set = call.target.as_ref().is_some_and(
                    |target| matches!(&target.expr, Expr::Ident(name) if SETS.contains(&name.as_str())),
                );
                if !is_of_set && self.unknown.is_none() && !is_known(&call.func_name) {
                    self.unknown = Some(call.func_name.clone());
                }
                let target = call.target.iter().map(AsRef::as_ref);
                target.chain(&call.args).for_each(|part| self.look(part, bound));
            }
            Expr::Comprehension(comprehension) => {
                self.look(&comprehension.iter_range, bound);
                self.makes_lists |= matches!(comprehension.accu_init.expr, Expr::List(_));
                self.look(&comprehension.accu_init, bound);
                let before = bound.len();
                bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
                bound.extend(comprehension.iter_var2.as_deref());
                self.within += 1;
                self.loops = self.loops.max(self.within);
                self.look(&comprehension.loop_cond, bound);
                self.look(&comprehension.loop_step, bound);
                self.look(&comprehension.result, bound);
                self.within -= 1;
                bound.truncate(before);
            }
            Expr::List(list) => list.elements.iter().for_each(|part| self.look(part, bound)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr, bound)),
            Expr::Struct(made) => made.entries.iter().for_each(|entry| self.entry(&entry.expr, bound)),
            Expr::Select(select) => self.look(&select.operand, bound),
        }
    }

    fn entry<'a>(&mut self, entry: &'a EntryExpr, bound: &mut Vec<&'a str>) {
        match entry {
            EntryExpr::StructField(field) => self.look(&field.value, bound),
            EntryExpr::MapEntry(entry) => {
                self.look(&entry.key, bound);
                self.look(&entry.value, bound);
            }
        }
    }
}

/// What stands before the names of functions that come in sets, such as `math.greatest`.
const SETS: [&str; 2] = ["math", "lists"];

/// Whether expressions know a function, by itself or of a value. Signs and what the language makes of its own words are no names.
fn is_known(function: &str) -> bool {
    let is_name = function.starts_with(|first: char| first.is_ascii_alphabetic())
        && function.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !is_name {
        return true;
    }
    if KNOWN.lock().unwrap_or_else(PoisonError::into_inner).contains(function) {
        return true;
    }
    let context = Context::with_env(Arc::clone(&ENVIRONMENT));
    // Asked for with nothing, it says that it wants something else, or that nobody has heard of it.
    let is_known = [format!("{function}()"), format!("''.{function}()")].iter().any(|probe| {
        let program = ENVIRONMENT.compile(probe);
        program.is_ok_and(|program| {
            !matches!(program.execute(&context), Err(cel::ExecutionError::UndeclaredReference(_)))
        })
    });
    if is_known {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(function.to_owned());
    }
    is_known
}

/// The functions that were asked for and are there.
static KNOWN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// JSON as CEL. Whole numbers are signed as far as they fit: CEL compares literals with these.
fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(bool) => cel::Value::Bool(*bool),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => cel::Value::Int(number),
            (None, Some(number)) => cel::Value::UInt(number),
            (None, None) => cel::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields = fields.iter();
            let map = fields.map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value)));
            cel::Value::Map(CelMap { map: Arc::new(map.collect()) })
        }
    }
}

/// CEL as JSON, with keys in order; none of what JSON has nothing for.
fn from_cel(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(bool) => Value::Bool(*bool),
        cel::Value::Int(number) => Value::from(*number),
        cel::Value::UInt(number) => Value::from(*number),
        cel::Value::Float(number) => Value::Number(Number::from_f64(*number)?),
        cel::Value::String(text) => Value::from(text.as_str()),
        cel::Value::List(items) => Value::Array(items.iter().map(from_cel).collect::<Option<_>>()?),
        cel::Value::Map(map) => {
            let fields = map.map.iter().map(|(key, value)| Some((key.to_string(), from_cel(value)?)));
            let sorted: std::collections::BTreeMap<String, Value> = fields.collect::<Option<_>>()?;
            Value::Object(sorted.into_iter().collect())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluate(source: &str) -> Value {
        let values = json!({
            "input": { "files": ["a", "b"], "count": 3, "share": 0.5, "big": u64::MAX },
            "last": "fine",
        });
        let expression = Expression::parse(source).unwrap();
        expression.evaluate(values.as_object().unwrap()).unwrap_or_else(|error| json!(error.message()))
    }

    #[test]
    fn functions_that_there_are_not_are_told_before_anything_runs() {
        for known in [
            "size(a)",
            "a.trim().lowerAscii().split(',')",
            "math.greatest(1, 2)",
            "[1].map(x, x)",
            "has(a.b) ? int('1') : 2",
            "'a'.matches('b') && 'a' in ['a']",
            "[2, 1].sort()",
            "type(a) == int",
            "a.filter(x, x.startsWith('b'))",
        ] {
            assert!(Expression::parse(known).is_ok(), "{known}: {:?}", Expression::parse(known));
        }
        for (unknown, name) in
            [("sizze(a)", "sizze"), ("a.trimm()", "trimm"), ("[1].map(x, twice(x))", "twice")]
        {
            let mistake = Expression::parse(unknown).unwrap_err();
            assert_eq!(mistake.message, format!("there is no function `{name}`"), "{unknown}");
        }
    }

    #[test]
    fn values_go_in_and_out() {
        for (source, expected) in [
            ("input.count > 2", json!(true)),
            ("size(input.files) == 2 && last == 'fine'", json!(true)),
            ("input.files.map(f, f + '.md')", json!(["a.md", "b.md"])),
            ("input.files.exists(f, f == 'b')", json!(true)),
            ("{'b': 1, 'a': input.share}", json!({ "a": 0.5, "b": 1 })),
            ("has(input.missing) ? 1 : 2", json!(2)),
            ("input.big == 18446744073709551615u", json!(true)),
            ("last.matches('^f')", json!(true)),
            ("'a.md (1 KiB)\\nb.md'.split('\\n').map(f, f.split(' ')[0])", json!(["a.md", "b.md"])),
            ("type(last) == string && type(input.count) != string", json!(true)),
            (
                "input.files[7]",
                json!("the expression `input.files[7]` cannot be evaluated: Index out of bounds: Int(7)"),
            ),
        ] {
            assert_eq!(evaluate(source), expected, "{source}");
        }
    }

    #[test]
    fn names_are_those_that_are_free() {
        let expression = Expression::parse("input.files.filter(f, f != last).size() > limit").unwrap();
        assert_eq!(expression.names().collect::<Vec<_>>(), ["input", "last", "limit"]);
        assert!(expression.is_to_be_recorded());
        assert!(!Expression::parse("input.files.all(f, f == 'a')").unwrap().is_to_be_recorded());
    }

    #[test]
    fn a_mistake_has_a_place() {
        let mistake = Expression::parse("a &&\n  (b").unwrap_err();
        assert_eq!((mistake.line, mistake.column), (2, 5), "{}", mistake.message);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_and_what_may_be_long_is_not() {
        let brackets = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Expression::parse(&brackets(DEEPEST)).is_ok());
        for hostile in [brackets(DEEPEST + 1), "[".repeat(900), "!".repeat(900), "- ".repeat(900) + "1"] {
            let mistake = Expression::parse(&hostile).unwrap_err();
            assert!(mistake.message.contains("nested more than 24 deep"), "{}", mistake.message);
        }
        let long = vec!["1"; 900].join("+");
        assert_eq!(evaluate(&long), json!(900));
        let chain = format!("{}0", "false?1:".repeat(24));
        assert_eq!(evaluate(&chain), json!(0));
        let loops = "[1].map(a, [2].map(b, [3].map(c, c)))";
        assert!(Expression::parse(loops).unwrap_err().message.contains("nested 3 deep"));
    }

    #[test]
    fn a_condition_is_true_or_false() {
        let error = Expression::parse("1 + 1").unwrap().holds(&Map::new()).unwrap_err();
        assert!(error.message().contains("comes to 2"), "{error}");
    }
}
