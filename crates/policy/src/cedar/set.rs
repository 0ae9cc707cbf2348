//! [`Policies`]: the policies of a project, read and validated once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use adjutant_core::hash::Digest;
use adjutant_core::nearest;
use cedar_policy::{PolicySet, ValidationError, ValidationMode, ValidationWarning, Validator};
use cedar_policy_core::ast::Entity;
use serde::{Deserialize, Serialize};

use super::context::{Names, action_name};
use super::needs::Needs;
use super::problem::{Problem, place};
use super::rule::{Place, Rule};
use super::schema::{OTHER_ACTIONS, Schema, TYPES};
use super::slice::Slices;
use super::tell;
use crate::facts::Action;

/// A file with policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name, as people know it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Whether policies decide or are only watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They decide.
    #[default]
    Enforce,
    /// What they would have decided is recorded; everything is allowed.
    LogOnly,
}

impl Mode {
    /// The words for them in files.
    pub const WORDS: [(&'static str, Self); 2] = [("enforce", Self::Enforce), ("log_only", Self::LogOnly)];
}

/// The policies of a project as they can be stored: what they need to be read again, whatever became of the project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    /// The files.
    pub files: Vec<File>,
    /// Whether they decide.
    #[serde(default)]
    pub mode: Mode,
    /// What they speak of.
    pub schema: Schema,
}

impl Pinned {
    /// Reads them. Fails with everything that is wrong; who pins them has read them before.
    pub fn open(&self) -> Result<Policies, Vec<Problem>> {
        Policies::parse(&self.files, self.mode, &self.schema)
    }
}

/// The policies of a project, read and validated.
#[derive(Debug)]
pub struct Policies {
    pub(super) files: Vec<File>,
    pub(super) mode: Mode,
    pub(super) schema: Schema,
    pub(super) rules: Vec<Rule>,
    pub(super) places: HashMap<String, usize>,
    pub(super) slices: Slices,
    /// What is looked at for each action, whoever wants it.
    pub(super) needs: BTreeMap<String, Needs>,
    pub(super) names: Names,
    /// The tools as actions.
    pub(super) scopes: HashMap<String, Scope>,
    pub(super) set: PolicySet,
    pub(super) warnings: Vec<ValidationWarning>,
    /// What was read of conditions to explain denials.
    pub(super) read: tell::Read,
    version: Digest,
}

/// A tool as an action.
#[derive(Debug)]
pub(super) struct Scope {
    /// The groups that it is in.
    pub(super) groups: Vec<String>,
    /// The action within them.
    pub(super) entity: Arc<Entity>,
}

impl Policies {
    /// Reads and validates policies. Fails with everything that is wrong with them, in the order of the files.
    pub fn parse(files: &[File], mode: Mode, schema: &Schema) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for (index, file) in files.iter().enumerate() {
            read(index, file, &mut rules, &mut problems);
        }
        let mut places = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            if let Some(first) = places.insert(rule.id.clone(), index) {
                let first: Option<&Rule> = rules.get(first);
                let help = first.map(|rule| format!("the other stands on line {}", rule.line));
                problems.push(at(files, rule, format!("two policies are called `{}`", rule.id), help));
            }
        }
        let whole =
            Problem { file: file_name(files, 0), line: 1, column: 1, message: String::new(), help: None };
        let failed = |error: String| Problem { message: error, ..whole.clone() };
        let spoken_of = schema.with_unknown(rules.iter().flat_map(|rule| &rule.annotations.unknown));
        let cedar = cedar_policy::Schema::from_json_value(spoken_of.cedar(&returned(&rules)));
        let cedar = cedar.map_err(|error| {
            vec![failed(format!("the names of the tools cannot stand in policies: {error}"))]
        })?;
        if !problems.is_empty() {
            problems.sort();
            return Err(problems);
        }
        let set = PolicySet::from_policies(rules.iter().map(|rule| rule.policy.clone()));
        let set = set.map_err(|error| vec![failed(error.to_string())])?;
        let validator = Validator::new(cedar);
        let checked = validator.validate(&set, ValidationMode::Strict);
        let mut seen = BTreeSet::new();
        for error in checked.validation_errors() {
            let id: &str = error.policy_id().as_ref();
            let Some(rule) = places.get(id).and_then(|index| rules.get(*index)) else { continue };
            let text = files.get(rule.file).map_or("", |file| file.text.as_str());
            let mut problem = Problem::reported(&file_name(files, rule.file), text, error);
            correct(&mut problem, error, schema);
            // A policy for several tools has the same mistake once for each.
            if seen.insert((problem.file.clone(), problem.line, problem.column)) {
                problems.push(problem);
            }
        }
        if !problems.is_empty() {
            problems.sort();
            return Err(problems);
        }
        let slices = Slices::of(&rules);
        let names = Names::new().map_err(|unfit| vec![failed(unfit.0)])?;
        let scopes = schema.tools().filter_map(|tool| {
            let groups = schema.groups(tool);
            Some((tool.to_owned(), Scope { entity: names.action(tool, &groups).ok()?, groups }))
        });
        let scopes = scopes.collect();
        let actions =
            schema.tools().map(str::to_owned).chain(OTHER_ACTIONS.iter().map(|(name, _)| (*name).to_owned()));
        let needs = actions.map(|action| {
            let mut needs = Needs::default();
            slices
                .rules(&action, &schema.groups(&action))
                .filter_map(|index| rules.get(index))
                .for_each(|rule| needs.extend(&rule.needs));
            (action, needs)
        });
        let parts: Vec<&[u8]> =
            files.iter().flat_map(|file| [file.name.as_bytes(), file.text.as_bytes()]).collect();
        Ok(Self {
            version: Digest::of_parts(&parts),
            needs: needs.collect(),
            files: files.to_vec(),
            mode,
            schema: schema.clone(),
            slices,
            names,
            scopes,
            warnings: checked.validation_warnings().cloned().collect(),
            rules,
            places,
            set,
            read: tell::Read::default(),
        })
    }

    /// What the files are known by.
    pub fn version(&self) -> Digest {
        self.version
    }

    /// Their files.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// What can be stored to read them again.
    pub fn pinned(&self) -> Pinned {
        Pinned { files: self.files.clone(), mode: self.mode, schema: self.schema.clone() }
    }

    /// What they speak of.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The tools that they forbid though nobody need know them.
    pub fn unknown(&self) -> impl Iterator<Item = &String> {
        self.rules.iter().flat_map(|rule| &rule.annotations.unknown)
    }

    /// Whether they decide or are only watched.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The policies as Cedar has them, each with its name.
    pub fn set(&self) -> &PolicySet {
        &self.set
    }

    /// The names of the policies with the file and the line where each begins, in the order of the files.
    pub fn places(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.rules.iter().map(|rule| {
            let file = self.files.get(rule.file).map_or("", |file| file.name.as_str());
            (rule.id.as_str(), file, rule.line)
        })
    }

    /// The tools whose earlier calls an action is decided by: it has to wait for those that are under way.
    pub fn depends_on(&self, action: &Action) -> BTreeSet<String> {
        let all = || self.schema.tools.keys().cloned().collect();
        self.needs.get(action_name(action)).map(|needs| needs.tools(&all())).unwrap_or_default()
    }

    /// The tools whose earlier calls anything is decided by.
    pub fn depended_on(&self) -> BTreeSet<String> {
        let all = self.schema.tools.keys().cloned().collect();
        self.needs.values().flat_map(|needs| needs.tools(&all)).collect()
    }
}

/// Reads one file.
fn read(index: usize, file: &File, rules: &mut Vec<Rule>, problems: &mut Vec<Problem>) {
    let set = match PolicySet::from_str(&file.text) {
        Ok(set) => set,
        Err(errors) => {
            problems.extend(errors.iter().map(|error| Problem::reported(&file.name, &file.text, error)));
            return;
        }
    };
    let mut policies: Vec<_> = set.policies().collect();
    // Cedar counts them in the order of the file.
    let number = |id: &str| {
        id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().unwrap_or(usize::MAX)
    };
    policies.sort_by_key(|policy| number(policy.id().as_ref()));
    let mut from = 0;
    for policy in policies {
        let text = policy.to_string();
        let offset =
            file.text.get(from..).and_then(|rest| rest.find(&text)).map_or(from, |found| from + found);
        from = offset + text.len();
        let (line, column) = place(&file.text, offset);
        let at = Place { file: index, line, column, size: text.len() };
        match Rule::of(policy, &at, &file.name) {
            Ok(rule) => rules.push(rule),
            Err(mistakes) => problems.extend(mistakes.into_iter().map(|(message, help)| Problem {
                file: file.name.clone(),
                line,
                column,
                message,
                help: Some(help),
            })),
        }
    }
    for template in set.templates() {
        let text = template.to_string();
        let (line, column) = place(&file.text, file.text.find(&text).unwrap_or_default());
        problems.push(Problem {
            file: file.name.clone(),
            line,
            column,
            message: "a policy must be whole, and this one is a template".to_owned(),
            help: Some("write the entity in place of `?principal` or `?resource`".to_owned()),
        });
    }
}

/// Says what was meant by a name that there is not: what Cedar proposes depends on the order in which it comes upon the names.
fn correct(problem: &mut Problem, error: &ValidationError, schema: &Schema) {
    let unknown = problem.message.split('`').nth(1).unwrap_or_default();
    let meant = match error {
        ValidationError::UnrecognizedActionId(_) => {
            let name = unknown.strip_prefix("Action::\"").and_then(|name| name.strip_suffix('"'));
            name.and_then(|name| schema.meant(name)).map(|near| format!("Action::\"{near}\""))
        }
        ValidationError::UnrecognizedEntityType(_) => nearest(unknown, TYPES).map(str::to_owned),
        _ => return,
    };
    let has_type = problem.help.as_ref().is_some_and(|help| help.starts_with("did you intend"));
    if !has_type {
        problem.help = meant.map(|meant| format!("did you mean `{meant}`?"));
    }
}

pub(super) fn file_name(files: &[File], index: usize) -> String {
    files.get(index).map(|file| file.name.clone()).unwrap_or_default()
}

fn at(files: &[File], rule: &Rule, message: String, help: Option<String>) -> Problem {
    Problem { file: file_name(files, rule.file), line: rule.line, column: rule.column, message, help }
}

/// The fields of results that policies look at, by tool.
fn returned(rules: &[Rule]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let asked = rules.iter().filter_map(|rule| rule.needs.at(&["context", "session", "returned"]));
    for (tool, fields) in asked.flat_map(Needs::names) {
        all.entry(tool.to_owned()).or_default().extend(fields.names().map(|(field, _)| field.to_owned()));
    }
    all
}
