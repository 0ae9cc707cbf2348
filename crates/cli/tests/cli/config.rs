//! Where settings come from.

use crate::sandbox::{Sandbox, sees};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [calculator]");
    sandbox.write("a.pem", "").write("b.pem", "");
    sandbox.write(
        "adjutant.toml",
        "[project]\nname = \"desk\"\n\n[budget]\ntokens = 1000\n\n[server]\nlisten = \"127.0.0.1:1\"\nheartbeat = \"5s\"\n\n[server.tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"\n",
    );
    sandbox
}

#[test]
fn the_later_wins_and_says_where_it_is_from() {
    let mut sandbox = sandbox();
    sandbox.set("ADJUTANT_SERVER_LISTEN", "127.0.0.1:2");
    sandbox.set("ADJUTANT_SERVER_CORS", "https://a.example, https://b.example");
    sandbox.set("ADJUTANT_BUDGET_TOKENS", "2_000");
    sees!(sandbox.run(&["config", "show", "server", "--set", "server.heartbeat=7s", "--set", "server.listen=127.0.0.1:3"]), @r#"
    exit 0
    --- stdout
    setting  value  from
    server.listen  [address]                                --set server.listen
    server.tls.certificate  a.pem  adjutant.toml:12
    server.tls.key  b.pem  adjutant.toml:13
    server.oidc.role_claim  role  default
    server.oidc.tenant_claim  tenant  default
    server.oidc.principal_claim  sub  default
    server.cors  ["https://a.example","https://b.example"]  ADJUTANT_SERVER_CORS
    server.requests_per_minute  6000  default
    server.burst  600  default
    server.strangers_per_minute  120  default
    server.most_connections  20000  default
    server.most_requests  1000  default
    server.most_streams  15000  default
    server.most_queued  10000  default
    server.largest_body  16777216  default
    server.largest_head  65536  default
    server.head_timeout  [time]  default
    server.body_timeout  [time]  default
    server.wait_timeout  10m  default
    server.heartbeat  [time]                                         --set server.heartbeat
    server.notice  [time]  default
    server.drain  [time]  default
    server.when_busy  enqueue  default
    server.log  text  default
    server.reload  true  default
    "#);
    sees!(sandbox.run(&["config", "show", "budget"]), @"
    exit 0
    --- stdout
    setting  value  from
    budget.tokens  2000  ADJUTANT_BUDGET_TOKENS
    ");
    sees!(sandbox.run(&["config", "check"]), @"
    exit 0
    --- stdout
    ok: 7 settings given, the others have their defaults
    ");
}

#[test]
fn what_is_wrong_is_told_with_who_says_it() {
    let mut sandbox = sandbox();
    sandbox.set("ADJUTANT_SERVER_LISTN", "127.0.0.1:2");
    sandbox.set("ADJUTANT_SERVER_DRAIN", "soon");
    sandbox.set("ADJUTANT_OF_MY_OWN", "x");
    sees!(sandbox.run(&["config", "check", "--set", "server.listen=here", "--set", "server.lissen=1"]), @"
    exit 2
    --- stderr
    error[project-invalid]: `server.drain` must be a duration, not the text `soon`
     --> ADJUTANT_SERVER_DRAIN

    hint: write it as `[time]`, `5m` or `1h 30m`

    error[project-invalid]: `server.listen` must be an address and a port, not the text `here`
     --> --set server.listen

    hint: write it as `[address]` or `[::]:8642`

    error[project-invalid]: the variable `ADJUTANT_SERVER_LISTN` gives no setting
     --> ADJUTANT_SERVER_LISTN

    hint: did you mean `ADJUTANT_SERVER_LISTEN`?

    error[input-invalid]: `server.lissen` is no setting that can be typed

    hint: did you mean `server.listen`?
    ");
    let mut sandbox = Sandbox::with_agent("tools: [calculator]");
    sandbox.set("ADJUTANT_SERVER_DRAIN", "1s");
    sandbox.write(
        "adjutant.toml",
        "[server]\nlisten = \"0.0.0.0:80\"\nanonymous = \"viewer\"\ncors = [\"*\"]\nlarge_body = 1\n[server.oidc]\nissuer = \"http://login.example.com\"\n[[server.webhook]]\nurl = \"https://hooks.example.com\"\nsecret = \"hook\"\nevents = [\"run.end\"]\n",
    );
    sees!(sandbox.run(&["config", "check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `server.anonymous` lets everybody in, and `0.0.0.0:80` is reached from other machines
     --> adjutant.toml:3:13
      |
    3 | anonymous = "viewer"
      |             ^

    hint: listen on `127.0.0.1`, or leave it out and make keys: `adjutant keys create`

    error[project-invalid]: `*` is no origin
     --> adjutant.toml:4:9
      |
    4 | cors = ["*"]
      |         ^

    hint: write it as `https://app.example.com`; `*` would let every page ask with the rights of its visitor

    error[project-invalid]: unknown key `server.large_body`
     --> adjutant.toml:5:1
      |
    5 | large_body = 1
      | ^

    hint: did you mean `largest_body`?

    error[project-invalid]: `server.oidc.audience` is missing
     --> adjutant.toml:6:1
      |
    6 | [server.oidc]
      | ^

    hint: add `audience = "adjutant"`: what its tokens say whom they are for

    error[project-invalid]: `server.oidc.issuer` must be an `https` address
     --> adjutant.toml:7:10
      |
    7 | issuer = "http://login.example.com"
      |          ^

    hint: what goes there may be read and changed on the way

    error[project-invalid]: `server.webhook[0].secret` names `hook`, which is not under `[secrets]`
     --> adjutant.toml:10:10
       |
    10 | secret = "hook"
       |          ^

    hint: say where it is: `hook = { env = "NAME" }` under `[secrets]`

    error[project-invalid]: there is no event `run.end`
     --> adjutant.toml:11:11
       |
    11 | events = ["run.end"]
       |           ^

    hint: did you mean `run.ended`?
    "#);
}

#[test]
fn nothing_that_may_be_a_secret_is_shown() {
    let mut sandbox = sandbox();
    sandbox.set("THE_TOKEN", "canary-1");
    sandbox.set("ADJUTANT_APPROVALS_WEBHOOK", "https://ann:canary-2@hooks.example.com/");
    sandbox.write(
        "adjutant.toml",
        "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://u:canary-3@localhost:1/v1\"\n\
         headers = { x-one = \"canary-4\", x-two = \"${THE_TOKEN}\" }\nreasoning_field = \"${THE_TOKEN}\"\n[variables]\nname = \"canary-5\"\n[secrets]\na = { command = [\"echo\", \"canary-6\"] }\nb = { env = \"THE_TOKEN\" }\n\
         [tools.deploy]\ntype = \"command\"\ncommand = [\"deploy\", \"--password\", \"canary-7\"]\ndescription = \"d\"\n",
    );
    for arguments in [vec!["config", "show", "--all"], vec!["config", "show", "--json"]] {
        let ran = sandbox.output(&arguments);
        let told =
            format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(told.contains("models.main.headers.x-one") && told.contains("[hidden]"), "{told}");
        assert!(told.contains("THE_TOKEN"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

#[test]
fn who_reaches_their_own_alone_has_a_role_that_is_of_use_to_them() {
    let sandbox = Sandbox::with_agent("");
    sandbox.write(
        "adjutant.toml",
        "[server.oidc]\nissuer = \"https://login.example.com\"\naudience = \"adjutant\"\n\
         roles = { customer = \"operator\", boss = \"admin\" }\nown_only = [\"customer\", \"boss\", \"guest\"]\n",
    );
    let seen = sandbox.run(&["check"]);
    for wrong in [
        "adjutant.toml:5:25",
        "`boss` has the role `admin`, which is about everybody's",
        "`guest` is none of the values under `server.oidc.roles`",
    ] {
        assert!(seen.starts_with("exit 2") && seen.contains(wrong), "{seen}");
    }
    assert!(!seen.contains("`customer`"), "{seen}");
}

#[test]
fn an_address_is_told_by_one_webhook() {
    let sandbox = Sandbox::with_agent("");
    let hook = |event: &str| {
        format!(
            "[[server.webhook]]\nurl = \"https://hooks.example.com/a\"\nsecret = \"hook\"\nevents = [\"run.{event}\"]\n"
        )
    };
    sandbox.write(
        "adjutant.toml",
        &["[secrets]\nhook = { env = \"HOOK\" }\n", &hook("started"), &hook("ended")].concat(),
    );
    let seen = sandbox.run(&["check"]);
    assert!(seen.starts_with("exit 2") && seen.contains("stands in a `[[server.webhook]]` before"), "{seen}");
    assert!(seen.contains("adjutant.toml:7"), "{seen}");
}
