//! The role `embed` of a project.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use adjutant::model::Call;
use adjutant::model::embed::{Dimensions, Purpose};
use adjutant::project::{Environment, Project};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error};
use adjutant_testkit::provider::{Answer, Interface, MockProvider};
use tempfile::TempDir;

const KEY: &str = "a-right-key-of-forty-characters-in-all-1";

fn load(toml: &str) -> (TempDir, Result<Project, Vec<Error>>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(folder.path().join("agents/desk.md"), "---\nmodel: offline\n---\nHelp.\n").unwrap();
    std::fs::write(folder.path().join("adjutant.toml"), toml).unwrap();
    let environment: Environment = [("OPENAI_API_KEY", KEY), ("MOCK_KEY", KEY)].into_iter().collect();
    let loaded = Project::load_with(folder.path(), environment);
    (folder, loaded)
}

fn with(toml: &str) -> (TempDir, Project) {
    let (folder, project) = load(toml);
    (folder, project.unwrap())
}

#[tokio::test]
async fn the_role_makes_vectors_as_it_is_configured() {
    let mock = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.unwrap();
    let (_folder, project) = with(&format!(
        "[models.embed]\nprovider = \"openai\"\nmodel = \"text-embedding-3-small\"\ndimensions = 512\n\
         base_url = \"{}\"\nkey = {{ env = \"MOCK_KEY\" }}\ncontext_window = 10\n\
         prices = {{ input = 3, output = 0 }}\n",
        mock.base_url_of(Interface::Chat)
    ));
    let embedder = project.models().embedder("embed").unwrap();
    let profile = embedder.profile();
    assert_eq!(embedder.id(), "openai/text-embedding-3-small");
    assert_eq!((profile.dimensions, profile.most_tokens), (Some(512), Some(10)));
    let texts = vec!["a red fish".to_owned(), "a blue one".to_owned()];
    let embeddings = embedder.embed(texts, Purpose::Document, Call::default()).await.unwrap();
    assert!(embeddings.vectors.iter().all(|vector| vector.len() == 512));
    assert_eq!(embeddings.usage, Some(Usage { input: 10, ..Usage::default() }));
    assert_eq!(profile.prices.unwrap().cost(&embeddings.usage.unwrap()).to_string(), "0.00003 USD");
    assert_eq!(mock.requests()[0]["dimensions"], 512);
    mock.assert_clean();
    let error = embedder.embed(vec!["x".repeat(41)], Purpose::Query, Call::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelContextExceeded);
}

#[test]
fn what_is_known_of_a_model_is_kept_and_shown() {
    let (_folder, project) = with(
        "[models]\nsearch = \"gemini/gemini-embedding-001\"\nmain = \"openai/gpt-4.1\"\nalso = \"embed\"\n\
         [models.embed]\nprovider = \"openai\"\nmodel = \"text-embedding-3-small\"\ndimensions = 512\n",
    );
    let models = project.models();
    let vectors = |name: &str| models.details(name).unwrap().embedding;
    let embed = vectors("embed").unwrap();
    assert_eq!((embed.dimensions, embed.most_tokens), (Dimensions::Fixed(512), Some(8_192)));
    assert_eq!(vectors("also").unwrap().most_tokens, Some(8_192));
    assert_eq!(vectors("search").unwrap().dimensions, Dimensions::Between { least: 128, usual: 3_072 });
    assert_eq!(vectors("main"), None);
    assert!(models.embedder("also").unwrap().profile().prices.is_some());
    let roles: Vec<String> = models.roles().into_iter().map(|choice| choice.unwrap().id).collect();
    assert!(roles.contains(&"openai/text-embedding-3-small".to_owned()), "{roles:?}");
    assert_eq!(models.details("embed").unwrap().layers.len(), 2, "only a breaker and retries hold");
}

#[test]
fn what_makes_no_vectors_says_so() {
    let (_folder, project) = with(
        "[models]\nmain = \"offline\"\n[models.talks]\nprovider = \"anthropic\"\nmodel = \"m\"\n\
         key = { env = \"MOCK_KEY\" }\n\
         [models.fixed]\nprovider = \"openai\"\nmodel = \"text-embedding-ada-002\"\ndimensions = 512\n",
    );
    let cases = [
        ("main", Code::ModelUnsupported, "the model `offline` makes no vectors of texts"),
        ("talks", Code::ModelUnsupported, "the provider `anthropic` has no embeddings"),
        ("mistral/m", Code::ModelKeyMissing, "the key for the model `mistral/m` is missing"),
        ("fixed", Code::ModelUnsupported, "cannot have 512 dimensions: it has always 1536"),
        ("embed", Code::ModelUnknown, "there is no model `embed`"),
    ];
    for (name, code, message) in cases {
        let error = project.models().embedder(name).err().unwrap();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.message().contains(message), "{error}");
    }
}

#[test]
fn a_model_in_a_folder_makes_vectors_and_does_not_talk() {
    let (folder, project) = with("[models.embed]\nprovider = \"local\"\nfolder = \"models/MiniLM\"\n");
    let models = project.models();
    let choice = models.choice("embed").unwrap();
    assert_eq!(
        (choice.id.as_str(), choice.provider.as_str(), choice.base_url),
        ("local/minilm", "local", None)
    );
    let error = models.get("embed").err().unwrap();
    assert_eq!(error.code(), Code::ModelUnsupported);
    assert_eq!(error.message(), "the model `local/minilm` makes vectors of texts, and answers nothing");
    let error = models.embedder("local/minilm").err().unwrap();
    if cfg!(feature = "local-embeddings") {
        assert_eq!(error.code(), Code::FileUnreadable);
        let config = folder.path().join("models/MiniLM/config.json");
        assert!(error.message().contains(&*config.to_string_lossy()), "{error}");
    } else {
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.help().unwrap().contains("--features local-embeddings"), "{error:?}");
    }
    let (_folder, broken) = load("[models.embed]\nprovider = \"local\"\ndimensions = 0\nmodel = \"x\"\n");
    let errors = broken.err().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    for part in ["folder", "dimensions", "model"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
}

#[tokio::test]
async fn a_program_may_bring_an_embedder() {
    let mock = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.unwrap();
    let (_folder, first) = with(&format!(
        "[models.embed]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"{}\"\nkey = {{ env = \"MOCK_KEY\" }}\n",
        mock.base_url()
    ));
    let (_folder, second) = with("");
    second.models().insert_embedder("embed", first.models().embedder("embed").unwrap());
    for name in ["embed", "openai/m"] {
        assert_eq!(second.models().embedder(name).unwrap().id(), "openai/m");
    }
}
