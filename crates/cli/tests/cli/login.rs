//! Logging in to a server of the Model Context Protocol, as a person does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use adjutant_testkit::guarded::Guarded;
use tokio::runtime::Runtime;

use crate::sandbox::{Sandbox, sees};

/// A browser that goes wherever it is sent.
const BROWSER: &str =
    "#!/usr/bin/env python3\nimport sys, urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n";

/// A project with a server behind a login, which runs as long as the runtime.
fn project(auth: &str) -> (Runtime, Guarded, Sandbox) {
    let runtime = Runtime::new().expect("threads");
    let guarded = runtime.block_on(Guarded::start()).expect("a port");
    let mut sandbox = Sandbox::with_agent("tools: [tracker]");
    sandbox.program("browser", BROWSER);
    sandbox.set("TOKEN", "the-secret-of-the-machine");
    let browser = sandbox.path("browser").display().to_string();
    sandbox.set("BROWSER", &browser);
    let settings = format!(
        "[secrets]\nmachine = {{ env = \"TOKEN\" }}\n\n[tools.tracker]\ntype = \"mcp\"\nurl = \"{}\"\nauth = {auth}\n",
        guarded.url()
    );
    sandbox.write("adjutant.toml", &settings);
    (runtime, guarded, sandbox)
}

/// What a person sees, without the long address of the page.
fn seen(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let text = sandbox.run(arguments);
    let lines = text.lines().map(|line| match line.split_once("/login/authorize?") {
        Some((before, _)) => format!("{before}/login/authorize?[request]"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_person_logs_in_uses_the_tools_and_logs_out() {
    let (_runtime, guarded, sandbox) = project("\"oauth\"");
    sees!(seen(&sandbox, &["tools", "trust", "tracker", "--yes"]), @"
    exit 1
    --- stderr
    error[tool-unauthorized]: nobody is logged in to the MCP server `tracker`

    hint: `adjutant tools login tracker`
    ");
    sees!(seen(&sandbox, &["tools", "login", "tracker"]), @"
    exit 0
    --- stdout
    tracker: logged in at http://[address]/login until [moment], renewed by itself, for read offline_access
    --- stderr
    log in at http://[address]/login:

      http://[address]/login/authorize?[request]

    next: `adjutant tools trust tracker` shows what it offers, and asks
    ");
    sees!(seen(&sandbox, &["tools", "trust", "tracker", "--yes"]), @"
    exit 0
    --- stdout
    tracker: guarded 1, 2 tools, not accepted yet
      new read (pure)
          Does a read.
      new write (at_most_once)
          Does a write.
    --- stderr
    accepted: it stands in adjutant.lock
    ");
    sees!(seen(&sandbox, &["tools", "call", "tracker__read"]), @"
    exit 0
    --- stdout
    read done with Bearer [secret]
    --- stderr
    answered after [time]
    ");
    sees!(seen(&sandbox, &["run", "Read the tracker!"]), @"
    exit 0
    --- stdout
    **`tracker__read`**: read done with Bearer [secret]

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool tracker__read {}
      -> tracker__read: 30 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 173 tokens, 0 USD, [time]
    ");
    sees!(seen(&sandbox, &["tools", "call", "tracker__write", "--yes"]), @"
    exit 1
    --- stderr
    error[tool-unauthorized]: the login of the MCP server `tracker` does not allow this: it needs `write`

    hint: `adjutant tools login tracker` asks for it
    ");
    sees!(seen(&sandbox, &["tools", "login", "tracker"]), @"
    exit 0
    --- stdout
    tracker: logged in at http://[address]/login until [moment], renewed by itself, for read offline_access write
    --- stderr
    log in at http://[address]/login:

      http://[address]/login/authorize?[request]
    ");
    sees!(seen(&sandbox, &["tools", "call", "tracker__write", "--yes"]), @"
    exit 0
    --- stdout
    write done with Bearer [secret]
    --- stderr
    answered after [time]
    ");
    let doctor = sandbox.run(&["doctor"]);
    let of_tracker: Vec<_> = doctor.lines().filter(|line| line.contains("tracker")).collect();
    sees!(of_tracker.join("\n"), @"
    ok  tool tracker: guarded 1, MCP 2025-11-25, 2 tools
    ok  login tracker: logged in at http://[address]/login until [moment], renewed by itself, for read offline_access write
    ");
    nothing_leaks(&guarded, &sandbox);
    sees!(seen(&sandbox, &["tools", "logout", "tracker"]), @"
    exit 0
    --- stdout
    tracker: logged out
    ");
    sees!(seen(&sandbox, &["tools", "call", "tracker__read"]), @"
    exit 1
    --- stderr
    error[tool-unauthorized]: nobody is logged in to the MCP server `tracker`

    hint: `adjutant tools login tracker`
    ");
    let doctor = sandbox.run(&["doctor"]);
    let of_login: Vec<_> = doctor.lines().skip_while(|line| !line.contains("tracker")).take(2).collect();
    sees!(of_login.join("\n"), @"
    missing  tool tracker: nobody is logged in to the MCP server `tracker`
             hint: `adjutant tools login tracker`
    ");
    assert_eq!(guarded.faults(), [""; 0]);
}

/// Looks for every code, token and secret in all files and in all that is shown of runs.
fn nothing_leaks(guarded: &Guarded, sandbox: &Sandbox) {
    let run = sandbox.newest();
    let mut all = Vec::new();
    for arguments in [
        &["runs", "show", &run] as &[&str],
        &["runs", "show", &run, "--json"],
        &["tools", "call", "tracker__read", "--json"],
        &["doctor", "--json"],
        &["check", "--json"],
    ] {
        let output = sandbox.output(arguments);
        all.extend([output.stdout, output.stderr].concat());
    }
    gather(&sandbox.path("."), &mut all);
    let secrets = guarded.secrets();
    assert!(all.len() > 50_000 && secrets.len() >= 6, "{} {}", all.len(), secrets.len());
    let holds = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    for secret in secrets {
        assert!(!holds(&secret), "{secret} stands somewhere in the clear");
    }
    assert!(holds("tracker__read"), "the store was looked at");
}

fn gather(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        match path.is_dir() {
            true => gather(&path, all),
            false => all.extend(std::fs::read(&path).expect("a file")),
        }
    }
}

/// Where a page sends a browser to.
fn sent_to(address: &str) -> String {
    let (host, path) = address.trim_start_matches("http://").split_once('/').expect("an address");
    let mut stream = TcpStream::connect(host).expect("a server");
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").expect("a server");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let place = answer.lines().find_map(|line| line.strip_prefix("location: "));
    place.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn an_address_is_typed_where_there_is_no_browser() {
    let (_runtime, guarded, sandbox) = project("{ type = \"oauth\", redirect_port = 4100 }");
    let mut command = sandbox.command(&["tools", "login", "tracker", "--paste"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let address = lines.find(|line| line.contains("/login/authorize?")).expect("the address");
    let typed = sent_to(address.trim());
    assert!(typed.starts_with("http://127.0.0.1:4100/callback?"), "{typed}");
    writeln!(child.stdin.take().expect("a pipe"), "{typed}").expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("tracker: logged in at http://127.0.0.1:"));
    assert_eq!(guarded.faults(), [""; 0]);

    sees!(sandbox.run_with_input(&["tools", "login", "tracker", "--paste"], "http://127.0.0.1:4100/callback?code=x&state=y\n")
        .lines().filter(|line| !line.contains("authorize?")).collect::<Vec<_>>().join("\n"), @"
    exit 1
    --- stderr
    log in at http://[address]/login:


    the browser ends at a page that cannot be shown; type the address of that page:
    error[tool-unauthorized]: what the browser brought back does not belong to this login

    hint: `adjutant tools login tracker` begins anew
    ");
}

#[test]
fn a_machine_logs_in_by_itself() {
    let (_runtime, guarded, sandbox) =
        project("{ type = \"client_credentials\", client_id = \"machine\", client_secret = \"machine\" }");
    sandbox.run(&["tools", "trust", "tracker", "--yes"]);
    sees!(sandbox.run(&["tools", "call", "tracker__read"]), @"
    exit 0
    --- stdout
    read done with Bearer [secret]
    --- stderr
    answered after [time]
    ");
    sees!(sandbox.run(&["tools", "login", "tracker"]), @"
    exit 0
    --- stdout
    tracker: logged in at http://[address]/login until [moment], for read
    ");
    assert_eq!(guarded.faults(), [""; 0]);
}

#[test]
fn what_is_written_wrong_is_told() {
    let (_runtime, _guarded, sandbox) =
        project("{ type = \"oauth\", client_secret = \"machin\", scope = [\"x\"] }");
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `tools.tracker.auth.client_secret` names the secret `machin`, which is not there
     --> adjutant.toml:4:1
      |
    4 | [tools.tracker]
      | ^

    hint: add it: `[secrets]` and `machin = { env = "NAME" }`

    error[project-invalid]: unknown key `tools.tracker.auth.scope`
     --> adjutant.toml:7:52
      |
    7 | auth = { type = "oauth", client_secret = "machin", scope = ["x"] }
      |                                                    ^

    hint: did you mean `scopes`?
    "#);
    let (_runtime, _guarded, sandbox) = project("\"oaut\"");
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `tools.tracker.auth` must be one of `oauth`, not the text `oaut`
     --> adjutant.toml:7:8
      |
    7 | auth = "oaut"
      |        ^

    hint: did you mean `oauth`?
    "#);
    let (_runtime, _guarded, sandbox) = project("{ type = \"client_credentials\" }");
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `tools.tracker.auth.client_id` is missing
     --> adjutant.toml:7:8
      |
    7 | auth = { type = "client_credentials" }
      |        ^

    hint: add `client_id = "name"`

    error[project-invalid]: `tools.tracker.auth.client_secret` is missing
     --> adjutant.toml:7:8
      |
    7 | auth = { type = "client_credentials" }
      |        ^

    hint: add `client_secret = "name"`, a name under `[secrets]`
    "#);
    sandbox.write(
        "adjutant.toml",
        "[tools.docs]\ntype = \"mcp\"\nurl = \"https://docs.example.org/mcp\"\n\n[vault]\nkey = \"none\"\n",
    );
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `vault.key` names the secret `none`, which is not there
     --> adjutant.toml:6:7
      |
    6 | key = "none"
      |       ^

    hint: add it: `[secrets]` and `none = { env = "NAME" }`

    error[project-invalid]: there is no tool `tracker`
     --> agents/desk.md:3:9
      |
    3 | tools: [tracker]
      |         ^

    hint: add it to `adjutant.toml`: `[tools.tracker]`
    "#);
    sandbox
        .write("adjutant.toml", "[tools.tracker]\ntype = \"mcp\"\nurl = \"https://docs.example.org/mcp\"\n");
    sees!(sandbox.run(&["tools", "login", "tracker"]), @r#"
    exit 2
    --- stderr
    error[input-invalid]: the MCP server `tracker` has no login

    hint: write `auth = "oauth"` into `[tools.tracker]`, if it needs one; it must have a `url`
    "#);
    sees!(sandbox.run(&["tools", "login", "trackr"]), @"
    exit 2
    --- stderr
    error[not-found]: there is no MCP server `trackr`

    hint: there are `tracker`
    ");
}

#[test]
fn each_tenant_has_logins_of_its_own() {
    let (_runtime, _guarded, sandbox) = project("\"oauth\"");
    assert!(sandbox.output(&["tools", "login", "tracker"]).status.success());
    assert!(sandbox.output(&["tools", "trust", "tracker", "--yes"]).status.success());
    let sealed = |folder: &str| sandbox.path(folder).join("tracker.sealed").exists();
    assert!(sealed(".adjutant/vault") && !sealed(".adjutant/tenants/acme/vault"));
    let logged_in = sandbox.output(&["tools", "login", "tracker", "--tenant", "acme"]);
    assert!(logged_in.status.success(), "{logged_in:?}");
    assert!(sealed(".adjutant/tenants/acme/vault"));
    let logged_out = sandbox.output(&["tools", "logout", "tracker"]);
    assert!(logged_out.status.success(), "{logged_out:?}");
    assert!(!sealed(".adjutant/vault") && sealed(".adjutant/tenants/acme/vault"));
    // What is kept of another tenant is sealed anew with the project's.
    let rotated = sandbox.run(&["secrets", "rotate"]);
    assert!(rotated.contains("sealed anew: 1"), "{rotated}");
    let wrong = sandbox.output(&["tools", "login", "tracker", "--tenant", "No/One"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is not a tenant name"), "{wrong:?}");
}
