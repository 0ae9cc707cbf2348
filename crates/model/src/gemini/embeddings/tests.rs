use super::*;

fn wire(place: Place, model: &str, dimensions: Option<usize>) -> Embeddings {
    Embeddings::new(&Config::new("mine", "https://h/v1", model), dimensions, place).unwrap()
}

#[test]
fn every_model_is_asked_by_its_function() {
    let document = json!({
        "requests": [{
            "model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": "a"}]},
            "taskType": "RETRIEVAL_DOCUMENT",
            "outputDimensionality": 768,
        }],
    });
    let in_words = json!({
        "requests": [{
            "model": "models/gemini-embedding-2",
            "content": {"parts": [{"text": "task: search result | query: a"}]},
        }],
    });
    let predicted = json!({
        "instances": [{"content": "a", "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 256, "autoTruncate": false},
    });
    let content = json!({
        "content": {"parts": [{"text": "title: none | text: a"}]},
        "embedContentConfig": {"autoTruncate": false},
    });
    let (studio, vertex) = (Place::Studio, Place::Vertex);
    let google = "/v1/publishers/google/models/";
    let cases = [
        (
            (studio, "gemini-embedding-001", Some(768), Purpose::Document),
            ("/v1/models/gemini-embedding-001:batchEmbedContents".to_owned(), 100, document),
        ),
        (
            (studio, "models/gemini-embedding-2", None, Purpose::Query),
            ("/v1/models/gemini-embedding-2:batchEmbedContents".to_owned(), 100, in_words),
        ),
        (
            (vertex, "text-embedding-005", Some(256), Purpose::Query),
            (format!("{google}text-embedding-005:predict"), 250, predicted.clone()),
        ),
        (
            (vertex, "gemini-embedding-001", Some(256), Purpose::Query),
            (format!("{google}gemini-embedding-001:predict"), 1, predicted),
        ),
        (
            (vertex, "gemini-embedding-2", None, Purpose::Document),
            (format!("{google}gemini-embedding-2:embedContent"), 1, content),
        ),
    ];
    for ((place, model, dimensions, purpose), (path, texts, body)) in cases {
        let wire = wire(place, model, dimensions);
        let encoded = wire.encode(&["a".to_owned()], purpose);
        assert_eq!(encoded.body, body, "{model}");
        assert_eq!((encoded.url.path(), wire.bounds().texts), (path.as_str(), texts), "{model}");
    }
}

#[test]
fn every_answer_is_read() {
    let (studio, vertex) = (Place::Studio, Place::Vertex);
    let predictions = |statistics: Value| {
        let one = json!({"embeddings": {"values": [1.5], "statistics": statistics}});
        json!({"predictions": [one, one], "metadata": {"billableCharacterCount": 2}})
    };
    let contents = |truncated: bool| {
        let usage = json!({"promptTokenCount": 2});
        json!({"embedding": {"values": [1.5]}, "usageMetadata": usage, "truncated": truncated})
    };
    let cases = [
        (studio, "gemini-embedding-001", json!({"embeddings": [{"values": [1.5]}]}), Ok((1, None))),
        (
            studio,
            "gemini-embedding-2",
            json!({"embeddings": [{"values": [1.5]}], "usageMetadata": {"promptTokenCount": 7}}),
            Ok((1, Some(7))),
        ),
        (studio, "gemini-embedding-001", json!({}), Err("missing field `embeddings`")),
        (
            vertex,
            "text-embedding-005",
            predictions(json!({"truncated": false, "token_count": 3.0})),
            Ok((2, Some(6))),
        ),
        (vertex, "text-embedding-005", predictions(json!({"token_count": 1e30})), Ok((2, None))),
        (vertex, "text-embedding-005", predictions(Value::Null), Ok((2, None))),
        (vertex, "text-embedding-005", predictions(json!({"truncated": true})), Err("a text was cut")),
        (vertex, "gemini-embedding-2", contents(false), Ok((1, Some(2)))),
        (vertex, "gemini-embedding-2", contents(true), Err("a text was cut")),
    ];
    for (place, model, body, expected) in cases {
        let answer = wire(place, model, None).decode(&body.to_string(), &HeaderMap::new(), 1);
        match (answer, expected) {
            (Ok(answer), Ok(expected)) => {
                assert_eq!((answer.vectors.len(), answer.tokens), expected, "{body}");
                assert!(answer.vectors.iter().all(|vector| vector.0 == [1.5]));
            }
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{body}: {got}"),
            (got, _) => panic!("{body}: {got:?}"),
        }
    }
}
