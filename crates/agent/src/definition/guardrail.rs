//! Guardrails as data: what is looked at, what for, and what is done about it.

use std::collections::BTreeMap;

use adjutant_core::{Code, Error, nearest};
use adjutant_policy::detect::{Kind, language, mask};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{Content, Node, Place, Table};
use super::schema;
use super::source::Named;

/// Where a guardrail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// What people say to the run, before a model reads it.
    Input,
    /// The answer, before it goes out.
    Output,
    /// The arguments of calls, before they are decided.
    Arguments,
    /// The results of calls, before a model reads them.
    Results,
}

impl Point {
    const WORDS: [(&str, Self); 4] = [
        ("input", Self::Input),
        ("output", Self::Output),
        ("arguments", Self::Arguments),
        ("results", Self::Results),
    ];

    /// The word for it in files and on screens.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, point)| *point == self).map_or("input", |(word, _)| word)
    }
}

/// What is done about what a guardrail finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It does not pass: an input or an output ends the run, a call is refused, a result is not read.
    Block,
    /// It passes without what was found.
    Mask,
    /// It passes with names in the place of what was found, which are changed back in calls of tools and in the answer.
    Pseudonymise,
    /// It passes, and what was found is recorded.
    Warn,
}

impl Action {
    const WORDS: [(&str, Self); 4] = [
        ("block", Self::Block),
        ("mask", Self::Mask),
        ("pseudonymise", Self::Pseudonymise),
        ("warn", Self::Warn),
    ];
}

/// What a guardrail looks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Characters that nobody sees, and letters that only look like others.
    Unicode,
    /// Words that speak to the model behind a person's back, also where they are hidden.
    Injection,
    /// Words that mean nothing and must not be seen here.
    Canary {
        /// The words, as they stand in seeded records.
        tokens: Vec<String>,
        /// Whether the prompt has one of its own, new for each run.
        prompt: bool,
    },
    /// Keys, tokens, passwords.
    Secrets,
    /// What says something of a person, of these kinds.
    Personal(Vec<Kind>),
    /// Words and topics that are not to be spoken of.
    Words {
        /// Words and phrases.
        words: Vec<String>,
        /// Topics, each with the words by which it is known.
        topics: BTreeMap<String, Vec<String>>,
    },
    /// Any language but these.
    Language(Vec<String>),
    /// More characters, or fewer.
    Length {
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// What is no JSON of this schema.
    Schema(Value),
    /// Quotations and addresses that stand in nothing that was read.
    Grounding {
        /// Whether numbers must stand somewhere, too.
        numbers: bool,
    },
    /// Links, pictures and HTML that lead elsewhere than to these hosts and what is below them.
    Markup(Vec<String>),
    /// What a model holds against it, by this rubric.
    Judge(String),
    /// What a service says of it.
    External(adjutant_tool::moderation::Endpoint),
}

impl Check {
    const WORDS: [&str; 13] = [
        "unicode",
        "injection",
        "canary",
        "secrets",
        "personal",
        "words",
        "language",
        "length",
        "schema",
        "grounding",
        "markup",
        "judge",
        "external",
    ];

    fn word(&self) -> &'static str {
        match self {
            Self::Unicode => "unicode",
            Self::Injection => "injection",
            Self::Canary { .. } => "canary",
            Self::Secrets => "secrets",
            Self::Personal(_) => "personal",
            Self::Words { .. } => "words",
            Self::Language(_) => "language",
            Self::Length { .. } => "length",
            Self::Schema(_) => "schema",
            Self::Grounding { .. } => "grounding",
            Self::Markup(_) => "markup",
            Self::Judge(_) => "judge",
            Self::External(_) => "external",
        }
    }

    /// The check of a word, with nothing said of it; none where something must be said.
    fn usual(word: &str) -> Option<Self> {
        Some(match word {
            "unicode" => Self::Unicode,
            "injection" => Self::Injection,
            "canary" => Self::Canary { tokens: Vec::new(), prompt: true },
            "secrets" => Self::Secrets,
            "personal" => Self::Personal(Kind::PERSONAL.to_vec()),
            "grounding" => Self::Grounding { numbers: false },
            "markup" => Self::Markup(Vec::new()),
            _ => return None,
        })
    }

    /// Where it stands and what it does where nobody says otherwise.
    fn usually(&self) -> (&'static [Point], Action) {
        use Point::{Arguments, Input, Output, Results};
        match self {
            Self::Unicode => (&[Input, Results], Action::Mask),
            Self::Injection => (&[Results], Action::Block),
            Self::Canary { .. } => (&[Arguments, Output], Action::Block),
            Self::Secrets => (&[Results, Output], Action::Mask),
            Self::Personal(_) => (&[Input, Results], Action::Pseudonymise),
            Self::Words { .. } | Self::Language(_) | Self::Length { .. } | Self::External(_) => {
                (&[Input, Output], Action::Block)
            }
            Self::Schema(_) | Self::Judge(_) => (&[Output], Action::Block),
            Self::Grounding { .. } => (&[Output], Action::Warn),
            Self::Markup(_) => (&[Output], Action::Mask),
        }
    }

    /// Whether it needs nobody else to look.
    pub(crate) fn is_pure(&self) -> bool {
        !matches!(self, Self::Judge(_) | Self::External(_))
    }

    fn allows(&self, action: Action) -> bool {
        match action {
            Action::Block | Action::Warn => true,
            Action::Mask => matches!(
                self,
                Self::Unicode
                    | Self::Injection
                    | Self::Canary { .. }
                    | Self::Secrets
                    | Self::Personal(_)
                    | Self::Words { .. }
                    | Self::Markup(_)
            ),
            Action::Pseudonymise => matches!(self, Self::Secrets | Self::Personal(_)),
        }
    }
}

/// A guardrail: a check on what goes in or out of a run, or of its tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guardrail {
    /// What it is called in records and by agents.
    pub name: String,
    /// What it looks for.
    pub check: Check,
    /// Where it stands.
    pub on: Vec<Point>,
    /// What is done about what it finds.
    pub action: Action,
    /// How sure a hit must be, from 0 to 1.
    pub threshold: f64,
    /// Whether the model is asked meanwhile; its answer is held until the guardrail agrees.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parallel: bool,
    /// Whether what it could not look at passes. It does not where nothing is said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lenient: bool,
    /// The tools whose calls and results it looks at; all where none are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// What is said where it blocks: to whom the run works for, or to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<String>,
}

impl Guardrail {
    /// A guardrail that stands where such a check is most useful, and does there what is usual.
    pub fn new(check: Check) -> Self {
        let (on, action) = check.usually();
        Self {
            name: check.word().to_owned(),
            check,
            on: on.to_vec(),
            action,
            threshold: mask::THRESHOLD,
            parallel: false,
            lenient: false,
            tools: Vec::new(),
            tell: None,
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same in other places.
    #[must_use]
    pub fn on(mut self, points: impl IntoIterator<Item = Point>) -> Self {
        self.on = points.into_iter().collect();
        self
    }

    /// The same that does something else.
    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// The same from another score on.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// The same beside the model's first call, whose answer is held meanwhile.
    #[must_use]
    pub fn in_parallel(mut self) -> Self {
        self.parallel = true;
        self
    }

    /// The one that is meant by the word of a check, where no guardrail of the project is called so.
    pub fn usual(word: &str) -> Option<Self> {
        Check::usual(word).map(Self::new)
    }

    /// Whether an answer must be held until it has been looked at or changed.
    pub(crate) fn holds(&self) -> bool {
        self.parallel
            || self.action == Action::Pseudonymise
            || (self.action != Action::Warn && self.on.contains(&Point::Output))
    }

    /// Whether it looks at this point, and at this tool where it is one of a tool.
    pub(crate) fn looks_at(&self, point: Point, tool: Option<&str>) -> bool {
        let is_meant = |tool: &str| self.tools.is_empty() || self.tools.iter().any(|name| name == tool);
        self.on.contains(&point) && tool.is_none_or(is_meant)
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<Error> {
        let refuse =
            |why: String, help: &str| Some(Error::new(Code::ProjectInvalid, why).with_help(help.to_owned()));
        if !self.check.allows(self.action) {
            let why =
                format!("the guardrail `{}` looks at the whole, so it can only block or warn", self.name);
            return refuse(why, "write `action: block` or `action: warn`");
        }
        if self.parallel
            && (self.on != [Point::Input] || !matches!(self.action, Action::Block | Action::Warn))
        {
            let why = format!("the guardrail `{}` cannot work beside the model", self.name);
            return refuse(why, "`mode: parallel` is for `on: [input]` with `action: block` or `warn`");
        }
        if self.on.is_empty() {
            return refuse(format!("the guardrail `{}` looks at nothing", self.name), "write `on: [input]`");
        }
        match &self.check {
            Check::Schema(wanted) => schema::check(wanted).err(),
            Check::Language(codes) => codes.iter().find(|code| !language::is_known(code)).and_then(|code| {
                refuse(
                    format!("`{code}` is no language that is known here"),
                    "write `en`, `de`, or three letters (ISO 639-3)",
                )
            }),
            _ => None,
        }
    }

    /// Reads one that is called so from its table. What is wrong is noted; none where nothing can be made of it.
    pub fn read(name: &str, table: Table<'_>) -> Option<Self> {
        let check = read_check(&table);
        let place = table.place();
        let on = table.texts("on").map(|words| {
            words.into_iter().filter_map(|(word, place)| point(&table, word, place)).collect::<Vec<_>>()
        });
        let action = table.choice("action", &Action::WORDS);
        let threshold = table.number("threshold", 0.0..=1.0);
        let parallel = table.choice("mode", &[("blocking", false), ("parallel", true)]);
        let lenient = table.choice("on_error", &[("block", false), ("allow", true)]);
        let tools =
            table.texts("tools").unwrap_or_default().into_iter().map(|(name, _)| name.to_owned()).collect();
        let tell = table.text("tell").map(str::to_owned);
        let problems = table.problems();
        table.finish();
        let usual = Self::new(check?);
        let read = Self {
            name: name.to_owned(),
            on: on.unwrap_or_else(|| usual.on.clone()),
            action: action.unwrap_or(usual.action),
            threshold: threshold.unwrap_or(usual.threshold),
            parallel: parallel.unwrap_or_default(),
            lenient: lenient.unwrap_or_default(),
            tools,
            tell,
            ..usual
        };
        match read.fault() {
            Some(fault) => {
                problems.add(place, fault);
                None
            }
            None => Some(read),
        }
    }
}

/// A guardrail as an agent names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// One of the project, or a check by its word.
    Named(Named),
    /// One of its own.
    Own(Guardrail),
}

impl Wanted {
    /// Reads the list `guardrails` of an agent: names, and tables.
    pub(super) fn read_all(table: &Table<'_>) -> Vec<Self> {
        let Some(node) = table.value("guardrails") else { return Vec::new() };
        let Content::List(items) = &node.content else {
            table.wrong("guardrails", node, "a list", "write `guardrails: [injection, secrets]`");
            return Vec::new();
        };
        items.iter().enumerate().filter_map(|(index, item)| Self::read(table, index, item)).collect()
    }

    fn read(table: &Table<'_>, index: usize, item: &Node) -> Option<Self> {
        if let Some(name) = item.as_text() {
            return Some(Self::Named(Named { name: name.to_owned(), place: Some(item.place) }));
        }
        let inner = Table::new(item, table.name_of(&format!("guardrails[{index}]")), table.problems())?;
        let name =
            inner.text("name").or_else(|| item.get("check")?.as_text()).unwrap_or("guardrail").to_owned();
        Guardrail::read(&name, inner).map(Self::Own)
    }

    /// Looks it up among those of the project. Fails with [`Code::ProjectInvalid`]; none where it could not be read.
    pub(super) fn resolve(
        &self,
        known: &BTreeMap<String, Option<Guardrail>>,
    ) -> Result<Option<Guardrail>, (Error, Option<Place>)> {
        let named = match self {
            Self::Own(guardrail) => {
                return match guardrail.fault() {
                    Some(fault) => Err((fault, None)),
                    None => Ok(Some(guardrail.clone())),
                };
            }
            Self::Named(named) => named,
        };
        let found = known.get(&named.name).cloned();
        if let Some(found) = found.or_else(|| Guardrail::usual(&named.name).map(Some)) {
            return Ok(found);
        }
        let error = Error::new(Code::ProjectInvalid, format!("there is no guardrail `{}`", named.name));
        let words = Check::WORDS.into_iter().filter(|word| Check::usual(word).is_some());
        let error = match nearest(&named.name, known.keys().map(String::as_str).chain(words)) {
            Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
            None => {
                error.with_help(format!("describe it under `[guardrails.{}]` in `adjutant.toml`", named.name))
            }
        };
        Err((error, named.place))
    }
}

fn point(table: &Table<'_>, word: &str, place: Place) -> Option<Point> {
    let found = Point::WORDS.iter().find(|(known, _)| *known == word).map(|(_, point)| *point);
    if found.is_none() {
        let words = Point::WORDS.iter().map(|(word, _)| *word);
        let help = nearest(word, words).map_or_else(
            || "write `input`, `output`, `arguments` or `results`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        table.problems().report_with(place, format!("`{word}` is no place of a guardrail"), help);
    }
    found
}

fn read_check(table: &Table<'_>) -> Option<Check> {
    table.require("check", "write what it looks for: `check: injection`");
    let words = Check::WORDS.map(|word| (word, word));
    let list = |key| -> Vec<String> {
        let texts = table.texts(key).unwrap_or_default();
        texts.into_iter().map(|(text, _)| text.to_owned()).collect()
    };
    let word = table.choice("check", &words)?;
    Some(match word {
        "canary" => Check::Canary {
            tokens: if table.has("tokens") { list("tokens") } else { Vec::new() },
            prompt: table.flag("prompt").unwrap_or(true),
        },
        "personal" if table.has("kinds") => Check::Personal(read_kinds(table)),
        "words" => Check::Words {
            words: if table.has("words") { list("words") } else { Vec::new() },
            topics: read_topics(table),
        },
        "language" => {
            table.require("languages", "write `languages: [en]`");
            Check::Language(list("languages"))
        }
        "length" => Check::Length {
            least: table.integer("shortest", 0..=usize::MAX).unwrap_or(0),
            most: table.integer("longest", 1..=usize::MAX).unwrap_or(usize::MAX),
        },
        "schema" => {
            table.require("schema", "begin it with `type: object`");
            Check::Schema(table.value("schema")?.to_json())
        }
        "grounding" => Check::Grounding { numbers: table.flag("numbers").unwrap_or_default() },
        "markup" if table.has("hosts") => Check::Markup(list("hosts")),
        "judge" => {
            table.require("rubric", "write what the judge holds against a text");
            Check::Judge(table.text("rubric")?.to_owned())
        }
        "external" => {
            table.require("url", "write the address that is asked");
            Check::External(adjutant_tool::moderation::Endpoint {
                url: table.text("url")?.to_owned(),
                secret: table.text("secret").map(str::to_owned),
                field: table.text("field").unwrap_or("input").to_owned(),
                scores: table.text("scores").unwrap_or("/results/0/category_scores").to_owned(),
                local: table.flag("local").unwrap_or_default(),
            })
        }
        word => Check::usual(word)?,
    })
}

fn read_kinds(table: &Table<'_>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (word, place) in table.texts("kinds").unwrap_or_default() {
        match Kind::named(word) {
            Some(kind) => kinds.push(kind),
            None => {
                let words = Kind::WORDS.map(|(word, _)| word);
                let help = nearest(word, words).map_or_else(
                    || format!("write one of {}", words.join(", ")),
                    |meant| format!("did you mean `{meant}`?"),
                );
                table.problems().report_with(place, format!("`{word}` is no kind of personal data"), help);
            }
        }
    }
    kinds
}

fn read_topics(table: &Table<'_>) -> BTreeMap<String, Vec<String>> {
    let mut topics = BTreeMap::new();
    for entry in table.named("topics") {
        match &entry.value.content {
            Content::List(items) if items.iter().all(|item| item.as_text().is_some()) => {
                let words = items.iter().filter_map(Node::as_text).map(str::to_owned).collect();
                topics.insert(entry.key.clone(), words);
            }
            _ => table.wrong(
                &format!("topics.{}", entry.key),
                &entry.value,
                "a list of words",
                "write `[dose, drug*]`",
            ),
        }
    }
    topics
}
