//! Everything that leaves the machine, over TLS: with the certificate of an authority that only the environment knows.

use std::net::SocketAddr;

use adjutant_testkit::guarded::Guarded;
use adjutant_testkit::provider::{Answer, MockProvider};
use adjutant_testkit::tunnel::{Authority, Flaw, Tunnel};

use crate::sandbox::{Sandbox, sees};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Models, version: "1" }
paths:
  /models:
    get: { operationId: list_models, summary: Lists the models., responses: { 200: { description: ok } } }
"#;

/// A provider and a server with tools, each behind a port that speaks TLS, and a project that knows both by name.
struct Scene {
    _provider: MockProvider,
    guarded: Guarded,
    tunnels: [Tunnel; 2],
    sandbox: Sandbox,
}

fn address(url: &str) -> SocketAddr {
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    host.parse().expect("an address with a port")
}

impl Scene {
    async fn new(flaw: Flaw, is_known: bool) -> Self {
        let authority = Authority::new().expect("an authority");
        let provider = MockProvider::with(|_| Answer::text("Hello over TLS.")).key("k").models(&["mock"]);
        let provider = provider.start().await.expect("a port");
        let guarded = Guarded::start().await.expect("a port");
        guarded.twist(|twist| twist.open = true);
        let models = authority.tunnel(provider.address(), flaw).await.expect("a port");
        let tools = authority.tunnel(address(&guarded.url()), flaw).await.expect("a port");
        let mut sandbox = Sandbox::with_agent("tools: [calculator]");
        let known = if is_known { authority } else { Authority::new().expect("an authority") };
        sandbox.write("authority.pem", known.pem()).write("models.yaml", DOCUMENT);
        let path = sandbox.path("authority.pem").display().to_string();
        sandbox.set("SSL_CERT_FILE", &path).set("MOCK_KEY", "k");
        let (port, at) = (models.port(), tools.port());
        let model = |name: &str| {
            format!(
                "[models.{name}]\nprovider = \"openai\"\nmodel = \"{name}\"\nbase_url = \"https://localhost:{port}/v1\"\n\
                 key = {{ env = \"MOCK_KEY\" }}\nretry = {{ attempts = 1 }}\n"
            )
        };
        let settings = format!(
            "[secrets]\nkey = {{ env = \"MOCK_KEY\" }}\n{}{}[tools.tracker]\ntype = \"mcp\"\nurl = \"https://localhost:{at}/mcp\"\n[tools.models]\ntype = \"openapi\"\n\
             document = \"models.yaml\"\nbase_url = \"https://localhost:{port}/v1\"\nauth = {{ type = \"bearer\", secret = \"key\" }}\n[tools.page]\ntype = \"fetch\"\n\
             hosts = [\"localhost\"]\nloopback = true\n",
            model("main"),
            model("embed"),
        );
        sandbox.write("adjutant.toml", &settings);
        Self { _provider: provider, guarded, tunnels: [models, tools], sandbox }
    }

    /// What a person sees, without the ports, and without the causes, which hold times.
    fn run(&self, arguments: &[&str]) -> String {
        let text = self.sandbox.run(arguments);
        let text: Vec<_> = text.lines().filter(|line| !line.starts_with("cause: ")).collect();
        let text = text.join("\n");
        let mut seen = String::new();
        for (count, piece) in text.split("localhost:").enumerate() {
            let rest =
                if count == 0 { piece } else { piece.trim_start_matches(|c: char| c.is_ascii_digit()) };
            seen.push_str(if count == 0 { "" } else { "localhost:[port]" });
            seen.push_str(rest);
        }
        seen
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_reached_over_tls() {
    let scene = Scene::new(Flaw::None, true).await;
    assert!(scene.run(&["tools", "trust", "--yes"]).contains("tracker: guarded 1, 2 tools"));
    sees!(scene.run(&["run", "Hello!"]), @"
    exit 0
    --- stdout
    Hello over TLS.
    --- stderr
    run [run]
    run [run]: answered after 1 turn, 0 tool calls, 15 tokens, price unknown, [time]
    ");
    sees!(scene.run(&["models", "test", "embed"]), @"
    exit 0
    --- stdout
    a vector of 1536 dimensions
    --- stderr
    openai/embed: after [time], 10 tokens in, cost not known
    ");
    sees!(scene.run(&["tools", "call", "tracker__read"]), @"
    exit 0
    --- stdout
    read done with
    --- stderr
    answered after [time]
    ");
    sees!(scene.run(&["tools", "call", "list_models"]), @r#"
    exit 0
    --- stdout
    {"data":[{"id":"mock"}],"object":"list"}
    --- stderr
    answered after [time]
    "#);
    assert_eq!(scene.guarded.seen().calls, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_named() {
    let scene = Scene::new(Flaw::None, false).await;
    sees!(scene.run(&["models", "test", "main"]), @"
    exit 1
    --- stderr
    error[model-unreachable]: the provider at `localhost:[port]` cannot be reached by TLS: its certificate is signed by nobody who is known here

    hint: if the authority is one of your own, name the file with its certificate (PEM) in `SSL_CERT_FILE`
    ");
    sees!(scene.run(&["tools", "trust", "--yes"]), @"
    exit 1
    --- stderr
    error[tool-broken]: the MCP server `tracker`: TLS: its certificate is signed by nobody who is known here; if the authority is one of your own, name the file with its certificate (PEM) in `SSL_CERT_FILE`

    hint: `adjutant doctor` shows what the server wrote
    ");
    sees!(scene.run(&["tools", "call", "list_models"]), @"
    exit 1
    --- stderr
    error[tool-busy]: `localhost` cannot be reached: TLS: its certificate is signed by nobody who is known here; if the authority is one of your own, name the file with its certificate (PEM) in `SSL_CERT_FILE`
    ");
    let address = format!("{{\"url\": \"https://localhost:{}/v1/models\"}}", scene.tunnels[0].port());
    sees!(scene.run(&["tools", "call", "fetch", &address]), @"
    exit 1
    --- stderr
    error[tool-failed]: `https://localhost:[port]/v1/models` cannot be read: TLS: its certificate is signed by nobody who is known here
    ");

    let scene = Scene::new(Flaw::Expired, true).await;
    sees!(scene.run(&["models", "test", "embed"]), @"
    exit 1
    --- stderr
    error[model-unreachable]: the provider at `localhost:[port]` cannot be reached by TLS: its certificate has expired

    hint: whoever runs the server must renew it; or the clock of this machine is wrong
    ");
    sees!(scene.run(&["tools", "call", "list_models"]), @"
    exit 1
    --- stderr
    error[tool-busy]: `localhost` cannot be reached: TLS: its certificate has expired; whoever runs the server must renew it; or the clock of this machine is wrong
    ");

    let scene = Scene::new(Flaw::OtherName, true).await;
    sees!(scene.run(&["models", "test", "main"]), @"
    exit 1
    --- stderr
    error[model-unreachable]: the provider at `localhost:[port]` cannot be reached by TLS: its certificate is for another name (other.example)

    hint: write a name that it is for in the address
    ");
    sees!(scene.run(&["tools", "trust", "--yes"]), @"
    exit 1
    --- stderr
    error[tool-broken]: the MCP server `tracker`: TLS: its certificate is for another name (other.example); write a name that it is for in the address

    hint: `adjutant doctor` shows what the server wrote
    ");
}
