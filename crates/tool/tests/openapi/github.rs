//! GitHub's own document, all of it, called against a mock that is made of it and checks every request.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use adjutant_tool::Effect;
use adjutant_tool::openapi::{Auth, Config, Source};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::scene::{Seen, Service, json as answer, registry, respond, text};

/// The version that `cargo xtask test` gets, in the target folder.
const DOCUMENT: &str = "documents/octokit-openapi-23.0.2.json";

fn installed() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join(DOCUMENT);
    if path.exists() {
        return Some(path);
    }
    let missing = "GitHub's document is not here: run `cargo xtask test -p tool`";
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

/// The one operation that is served by another host.
const ELSEWHERE: &str = "POST /repos/{owner}/{repo}/releases/{release_id}/assets";

/// The document as the mock reads it: in its own way, so that a mistake of the tools is none of the mock too.
struct Document(Value);

impl Document {
    fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.resolve(self.0.pointer(&reference[1..]).unwrap()),
            None => node,
        }
    }

    /// A schema with everything that it refers to in place.
    fn whole(&self, node: &Value, depth: usize) -> Value {
        assert!(depth < 60, "no body of this document is recursive");
        match self.resolve(node) {
            Value::Object(map) => {
                let mut whole: Map<String, Value> =
                    map.iter().map(|(key, value)| (key.clone(), self.whole(value, depth + 1))).collect();
                // Many of its choices fit more than one branch, also those in its own examples.
                if let Some(branches) = whole.remove("oneOf") {
                    whole.insert("anyOf".into(), branches);
                }
                if whole.remove("nullable") == Some(Value::Bool(true)) {
                    whole.remove("enum");
                    if let Some(kind) = whole.remove("type") {
                        whole.insert("type".into(), json!([kind, "null"]));
                    }
                }
                Value::Object(whole)
            }
            Value::Array(items) => items.iter().map(|item| self.whole(item, depth + 1)).collect(),
            other => other.clone(),
        }
    }
}

/// One operation, as the mock knows it.
struct Known {
    method: String,
    path: Vec<String>,
    key: String,
    node: Value,
    parameters: Vec<Value>,
    body: Option<(String, bool, jsonschema::Validator)>,
}

struct Mock {
    document: Document,
    known: Vec<Known>,
    faults: Mutex<Vec<String>>,
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Mock {
    fn new(root: Value) -> Self {
        let document = Document(root);
        let mut known = Vec::new();
        for (path, item) in document.0["paths"].as_object().unwrap() {
            for (method, node) in item.as_object().unwrap() {
                let parameters =
                    node.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
                let parameters = parameters.iter().map(|parameter| document.whole(parameter, 0)).collect();
                let body = node.get("requestBody").map(|body| {
                    let body = document.resolve(body);
                    let content = body["content"].as_object().unwrap();
                    let json = content.get_key_value("application/json").or_else(|| content.iter().next());
                    let (media_type, inner) = json.unwrap();
                    let schema = document.whole(&inner["schema"], 0);
                    let validator = jsonschema::options().offline().build(&schema).unwrap();
                    (media_type.clone(), body["required"] == json!(true), validator)
                });
                known.push(Known {
                    method: method.to_uppercase(),
                    path: path.split('/').map(str::to_owned).collect(),
                    key: format!("{} {path}", method.to_uppercase()),
                    node: node.clone(),
                    parameters,
                    body,
                });
            }
        }
        Self { document, known, faults: Mutex::default(), asked: Mutex::default() }
    }

    fn fault(&self, known: &Known, why: impl std::fmt::Display) {
        self.faults.lock().unwrap().push(format!("{}: {why}", known.key));
    }

    /// The operation that a request means: of those that fit, the one that says most of its path itself.
    fn find(&self, seen: &Seen) -> Option<&Known> {
        let steps: Vec<&str> = seen.uri.path().split('/').collect();
        let fits = |known: &&Known| {
            known.method == seen.method.as_str()
                && known.path.len() == steps.len()
                && known.path.iter().zip(&steps).all(|(own, step)| fits(own, step))
        };
        self.known.iter().filter(fits).max_by_key(|known| literal(&known.path))
    }

    fn answer(&self, seen: &Seen) -> Response {
        let Some(known) = self.find(seen) else {
            self.faults.lock().unwrap().push(format!("nothing is known as {}", seen.line()));
            return respond(404, &[], "");
        };
        *self.asked.lock().unwrap().entry(known.key.clone()).or_default() += 1;
        self.check(known, seen);
        self.example(known)
    }

    fn check(&self, known: &Known, seen: &Seen) {
        if seen.header("authorization") != Some("Bearer s3cret-key") {
            self.fault(known, "nobody says who asks");
        }
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(seen.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let declared = |name: &str| {
            known.parameters.iter().find(|parameter| parameter["in"] == "query" && parameter["name"] == name)
        };
        for (name, value) in &pairs {
            match declared(name) {
                Some(parameter) => {
                    if let Some(why) = misfit(&parameter["schema"], value) {
                        self.fault(known, format!("{name}={value}: {why}"));
                    }
                }
                None => self.fault(known, format!("the query has `{name}`")),
            }
        }
        for parameter in known.parameters.iter().filter(|p| p["required"] == json!(true)) {
            let name = parameter["name"].as_str().unwrap();
            let is_there = match parameter["in"].as_str().unwrap() {
                "query" => pairs.iter().any(|(other, _)| other == name),
                "header" => seen.header(name).is_some(),
                _ => true,
            };
            if !is_there {
                self.fault(known, format!("`{name}` is missing"));
            }
        }
        match &known.body {
            None if !seen.body.is_empty() => self.fault(known, "there is a body"),
            Some((_, true, _)) if seen.body.is_empty() => self.fault(known, "the body is missing"),
            Some((media_type, _, validator)) if !seen.body.is_empty() => {
                if seen.header("content-type") != Some(media_type) {
                    self.fault(known, format!("the body is {:?}", seen.header("content-type")));
                }
                if media_type == "application/json" {
                    let body: Value = serde_json::from_slice(&seen.body).unwrap();
                    if let Some(error) = validator.iter_errors(&body).next() {
                        self.fault(known, format!("the body {body}: {error}"));
                    }
                }
            }
            _ => {}
        }
    }

    /// The example of the first good answer.
    fn example(&self, known: &Known) -> Response {
        let responses = known.node["responses"].as_object().unwrap();
        let Some((status, response)) = responses.iter().find(|(status, _)| status.starts_with('2')) else {
            return respond(302, &[("location", "https://example.org/elsewhere")], "");
        };
        let status: u16 = status.parse().unwrap();
        let content = self.document.resolve(response).get("content").and_then(Value::as_object);
        let Some((media_type, inner)) = content.and_then(|content| content.iter().next()) else {
            return respond(status, &[], "");
        };
        let examples = inner.get("examples").and_then(Value::as_object).and_then(|all| all.values().next());
        let example = match examples {
            Some(example) => self.document.resolve(example)["value"].clone(),
            None => inner.get("example").cloned().unwrap_or(json!({})),
        };
        match media_type.contains("json") {
            true => answer(status, &example),
            false => respond(status, &[("content-type", media_type)], example.to_string()),
        }
    }
}

/// How much of a path is not in braces.
fn literal(path: &[String]) -> usize {
    let path = path.join("/");
    let names: usize = path.split('{').skip(1).filter_map(|rest| rest.find('}')).sum();
    path.len() - names
}

/// Whether a step of a path is this one, where `{name}` stands for anything.
fn fits(own: &str, step: &str) -> bool {
    match own.split_once('{') {
        None => own == step,
        Some((before, rest)) => {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            let middle = step.strip_prefix(before);
            match after.split_once('{') {
                // Two names in one step, as in `{base}...{head}`.
                Some((between, _)) => middle.is_some_and(|middle| middle.contains(between)),
                None => {
                    middle.and_then(|middle| middle.strip_suffix(after)).is_some_and(|name| !name.is_empty())
                }
            }
        }
    }
}

/// Why a text is no value of a parameter's schema.
fn misfit(schema: &Value, text: &str) -> Option<String> {
    let plain = if schema["type"] == "array" { &schema["items"] } else { schema };
    if let Some(values) = plain.get("enum").and_then(Value::as_array) {
        return (!values.iter().any(|value| value.as_str() == Some(text) || *value.to_string() == *text))
            .then(|| "none of the enum".into());
    }
    match plain["type"].as_str() {
        Some("integer") => text.parse::<i64>().err().map(|error| error.to_string()),
        Some("boolean") => text.parse::<bool>().err().map(|error| error.to_string()),
        _ => None,
    }
}

/// A value of a tool's schema, with everything that may be left out or without it.
fn sample(schema: &Value, root: &Value, all: bool, depth: usize) -> Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return sample(root.pointer(&reference[1..]).unwrap(), root, false, depth + 1);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values[0].clone();
    }
    if let Some(value) = schema.get("default").filter(|value| !value.is_null()) {
        return value.clone();
    }
    let branch = schema.get("anyOf").and_then(Value::as_array).map(|branches| &branches[0]);
    let kind = match schema.get("type").or_else(|| branch.and_then(|branch| branch.get("type"))) {
        Some(Value::Array(names)) => names[0].as_str(),
        Some(name) => name.as_str(),
        None if schema.get("properties").is_some() => Some("object"),
        None => None,
    };
    match kind {
        Some("object") => {
            let mut object = Map::new();
            // More than a branch asks for could be what another one asks for.
            let all = all && branch.is_none();
            for part in [Some(schema), branch].into_iter().flatten() {
                let required = part.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
                for (name, property) in
                    part.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    if all && depth < 3 || required.iter().any(|other| other == name) {
                        object.insert(name.clone(), sample(property, root, all, depth + 1));
                    }
                }
                for name in required.iter().filter_map(Value::as_str) {
                    let property = schema.pointer(&format!("/properties/{name}")).unwrap_or(&Value::Null);
                    object.entry(name).or_insert_with(|| sample(property, root, all, depth + 1));
                }
            }
            Value::Object(object)
        }
        Some("array") => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).max(1);
            (0..count)
                .map(|_| sample(schema.get("items").unwrap_or(&Value::Null), root, all, depth + 1))
                .collect()
        }
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(7)),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => match (branch, schema.get("format").and_then(Value::as_str)) {
            (Some(branch), _) => sample(branch, root, all, depth + 1),
            (_, Some("date-time")) => json!("2026-01-02T03:04:05Z"),
            (_, Some("date")) => json!("2026-01-02"),
            (_, Some("uri")) => json!("https://example.org"),
            _ => json!(word(schema)),
        },
    }
}

/// A text that fits a schema's pattern, if there is one among these.
fn word(schema: &Value) -> &'static str {
    let words = [
        "octo cat/1",
        "abc123",
        "refs/heads/main",
        "ssh-rsa AAAA",
        "AAAA",
        "1.2.3",
        "2026-01-02T03:04:05Z",
        "https://example.org",
        "0123456789012345678901234567890123456789",
        "sha256:0123456789012345678901234567890123456789012345678901234567890123",
    ];
    let fits = |word: &&str| jsonschema::is_valid(schema, &json!(word));
    words.into_iter().find(fits).unwrap_or("octocat")
}

#[tokio::test]
async fn every_operation_of_github_can_be_called() {
    let Some(path) = installed() else { return };
    let root: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let total: usize =
        root["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    let mock = Arc::new(Mock::new(root));
    let answering = Arc::clone(&mock);
    let service = Service::start(move |seen| answering.answer(seen)).await;

    let began = Instant::now();
    let config = Config {
        base_url: Some(service.url("/")),
        auth: Auth::Bearer { secret: "key".into() },
        ..Config::new(Source::file(path))
    };
    let tools = registry(config).unwrap();
    let sizes: Vec<usize> = tools.specs().map(|spec| serde_json::to_string(spec).unwrap().len()).collect();
    eprintln!(
        "{} tools in {:?}; {} bytes each, the largest {}",
        tools.len(),
        began.elapsed(),
        sizes.iter().sum::<usize>() / sizes.len(),
        sizes.iter().max().unwrap()
    );
    assert_eq!(tools.len(), total - 1, "one operation is served by another host");
    assert!(sizes.iter().all(|size| *size < 64 << 10), "{:?}", sizes.iter().max());
    assert!(sizes.iter().sum::<usize>() / sizes.len() < 2_500, "a tool costs tokens with every request");

    let specs: Vec<_> = tools.specs().cloned().collect();
    for spec in &specs {
        let usual = if spec.effect == Effect::Pure { "part" } else { "" };
        for all in [false, true] {
            let mut arguments = sample(&spec.parameters, &spec.parameters, all, 0);
            arguments.as_object_mut().unwrap().remove(usual);
            let said = text(&tools, &spec.name, &arguments).await;
            let is_wrong =
                ["model hears", "run stops", "unknown:"].iter().any(|start| said.starts_with(start));
            if is_wrong && !said.contains("does not fit") {
                mock.faults.lock().unwrap().push(format!("{} {arguments}: {said}", spec.name));
            }
        }
    }
    let asked = mock.asked.lock().unwrap();
    let faults = mock.faults.lock().unwrap();
    assert!(
        faults.is_empty(),
        "{} faults, such as\n{}",
        faults.len(),
        faults[..faults.len().min(20)].join("\n")
    );
    let missed: Vec<&str> =
        mock.known.iter().map(|known| known.key.as_str()).filter(|key| !asked.contains_key(*key)).collect();
    assert_eq!(missed, [ELSEWHERE], "every operation that this host serves was reached");
}
