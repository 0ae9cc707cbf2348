//! Google's Gemini, and Vertex.

mod check;
mod model;
mod names;
mod settings;
mod tools;
mod turns;
mod write;

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::{Format, Refusal};
use super::received::{Asked, Received, list};
use model::Model;

/// Google's Gemini, and Vertex.
pub(super) struct Gemini;

impl Format for Gemini {
    fn paths(&self) -> &'static [&'static str] {
        &[
            "/v1beta/models/{model}:generateContent",
            "/v1beta/models/{model}:streamGenerateContent",
            "/v1beta1/projects/{project}/locations/{location}/publishers/google/models/{model}:generateContent",
            "/v1beta1/projects/{project}/locations/{location}/publishers/google/models/{model}:streamGenerateContent",
        ]
    }

    fn serves(&self, path: &str) -> bool {
        let version = ["/v1/", "/v1beta/", "/v1beta1/"].iter().find_map(|version| path.strip_prefix(version));
        let resource = version.and_then(|resource| resource.strip_suffix(method(path)));
        let Some(resource) = resource else { return false };
        match resource.split('/').collect::<Vec<_>>().as_slice() {
            ["models", model] => !model.is_empty(),
            ["projects", _, "locations", _, "publishers", _, "models", model] => !model.is_empty(),
            _ => false,
        }
    }

    fn base(&self) -> &'static str {
        "/v1beta"
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        match is_vertex(request) {
            true => request.bearer(),
            false => request.header("x-goog-api-key"),
        }
    }

    fn authorize(&self, request: &Received, wanted: Option<&str>) -> Result<(), Refusal> {
        match (self.key(request) == wanted, is_vertex(request)) {
            (true, _) => Ok(()),
            (false, true) => Err(Refusal::new(401, "Request had invalid authentication credentials.")),
            (false, false) => Err(Refusal::new(400, "API key not valid. Please pass a valid API key.")),
        }
    }

    fn read(&self, body: Value) -> Value {
        names::lower_camel(body)
    }

    fn asked(&self, request: &Received) -> Asked {
        let body = &request.body;
        let turns = list(&body["contents"]);
        let parts = |turn: &Value, name: &str| {
            list(&turn["parts"]).iter().filter(|part| part.get(name).is_some()).count()
        };
        let is_person = |turn: &Value| turn["role"] != "model" && parts(turn, "functionResponse") == 0;
        let spoke = turns.iter().rposition(is_person).unwrap_or(0);
        let declared = list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
        Asked {
            model: model_name(request).to_owned(),
            streams: method(&request.path) == STREAM,
            tools: declared.filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect(),
            calls: turns.iter().map(|turn| parts(turn, "functionCall")).sum(),
            steps: turns.iter().skip(spoke).filter(|turn| turn["role"] == "model").count(),
        }
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        let mut faults =
            check::faults_of(&request.body, Model::named(model_name(request)), is_vertex(request));
        if method(&request.path) == STREAM && request.query.split('&').all(|pair| pair != "alt=sse") {
            faults.push("the stream is not asked for as events: `?alt=sse` is missing".into());
        }
        faults
    }

    fn events(&self, answer: &Answer, request: &Received) -> Vec<Value> {
        write::events(answer, Model::named(model_name(request)), model_name(request))
    }

    fn whole(&self, answer: &Answer, request: &Received) -> Value {
        write::whole(answer, Model::named(model_name(request)), model_name(request))
    }

    fn endless(&self, text: &str, request: &Received) -> (Vec<Value>, Value) {
        (Vec::new(), write::piece(&json!([{"text": text}]), model_name(request)))
    }

    fn error(&self, status: u16, message: &str) -> Value {
        let word = match status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        json!({"error": {"code": status, "message": message, "status": word}})
    }

    /// Google names a request in the body; no header does.
    fn request_id_header(&self) -> &'static str {
        "x-cloud-trace-context"
    }
}

const WHOLE: &str = ":generateContent";
const STREAM: &str = ":streamGenerateContent";

fn method(path: &str) -> &'static str {
    if path.ends_with(STREAM) { STREAM } else { WHOLE }
}

fn model_name(request: &Received) -> &str {
    let resource = request.path.strip_suffix(method(&request.path)).unwrap_or_default();
    resource.rsplit('/').next().unwrap_or_default()
}

/// Vertex has its models under a project, and wants a token.
fn is_vertex(request: &Received) -> bool {
    request.path.contains("/projects/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_both_doors() {
        let vertex = "/v1beta1/projects/p/locations/global/publishers/google";
        let cases = [
            ("/v1beta/models/g:generateContent", true),
            ("/v1/models/g:streamGenerateContent", true),
            (&format!("{vertex}/models/g:streamGenerateContent"), true),
            ("/v1beta/models/:generateContent", false),
            ("/v1beta/models/g:countTokens", false),
            ("/v1beta/g:generateContent", false),
            ("/v2/models/g:generateContent", false),
        ];
        for (path, serves) in cases {
            assert_eq!(Gemini.serves(path), serves, "{path}");
        }
    }
}
