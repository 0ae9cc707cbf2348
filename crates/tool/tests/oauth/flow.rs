//! Logging in, calling, renewing, needing more, logging out.

use std::time::Duration;

use adjutant_core::Code;
use adjutant_testkit::guarded::{Guarded, Seen};
use adjutant_tool::Failure;
use adjutant_tool::mcp::oauth::{Grant, Listener, Status};

use crate::scene::{Known, Scene, sent_to};

fn told(failure: &Failure) -> (Code, String, String) {
    match failure {
        Failure::Run(error) | Failure::Model(error) => {
            (error.code(), error.message().to_owned(), error.help().unwrap_or_default().to_owned())
        }
        Failure::Unknown(_) | Failure::Pending(_) => panic!("{failure}"),
    }
}

#[tokio::test]
async fn a_person_logs_in_and_tools_are_called() {
    let scene = Scene::new().await;
    let out = scene.call(&scene.server(), "read").await.unwrap_err();
    assert!(matches!(out, Failure::Run(_)));
    assert_eq!(
        told(&out),
        (
            Code::ToolUnauthorized,
            "nobody is logged in to the MCP server `tracker`".into(),
            "`adjutant tools login tracker`".into()
        )
    );
    assert!(!scene.folder.path().join("config").exists(), "a key is made before anything is kept");

    let status = scene.login().await.unwrap();
    let Status::In { until: Some(_), renews: true, issuer, scopes } = status.clone() else {
        panic!("{status:?}")
    };
    assert_eq!((issuer, scopes), (scene.guarded.issuer(), vec!["read".into(), "offline_access".into()]));
    assert_eq!(scene.account().status(&Known).unwrap(), status);

    let output = scene.call(&scene.server(), "read").await.unwrap();
    assert_eq!(output.as_text(), "read done with Bearer [secret]");
    let seen = Seen { registrations: 1, pages: 1, codes: 1, calls: 1, ..Seen::default() };
    assert_eq!(scene.guarded.seen(), seen);
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn tokens_stand_nowhere_in_the_clear() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    let server = scene.server();
    let mut shown = format!("{:?} {server:?} {:?}", scene.call(&server, "read").await, scene.account());
    scene.clock.forward(Duration::from_secs(3_550));
    scene.guarded.forget_tokens();
    shown.push_str(&format!("{:?}", scene.call(&server, "read").await));
    shown.push_str(&format!("{:?}", scene.call(&server, "write").await));
    shown.push_str(&format!("{:?}", scene.account().status(&Known)));
    let (written, secrets) = (scene.written(), scene.guarded.secrets());
    assert!(written.len() > 500 && secrets.len() >= 5, "{} {}", written.len(), secrets.len());
    let holds =
        |text: &[u8], secret: &str| text.windows(secret.len()).any(|window| window == secret.as_bytes());
    for secret in secrets {
        assert!(!holds(&written, &secret), "{secret} is on disk");
        assert!(!holds(shown.as_bytes(), &secret), "{secret} is shown: {shown}");
    }
    assert!(holds(&written, "\"version\":1"), "the files of the vault were looked at");
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_before_it_does() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    let server = scene.server();
    scene.call(&server, "read").await.unwrap();
    scene.clock.forward(Duration::from_secs(3_539));
    scene.call(&server, "read").await.unwrap();
    assert_eq!(scene.guarded.seen().refreshes, 0);
    scene.clock.forward(Duration::from_secs(2));
    scene.call(&server, "read").await.unwrap();
    assert_eq!(scene.guarded.seen().refreshes, 1);
    // Taken back by the login server, before its time.
    scene.guarded.forget_tokens();
    scene.call(&server, "read").await.unwrap();
    assert_eq!(scene.guarded.seen().refreshes, 2);
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn many_that_need_a_token_renew_it_once() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    scene.clock.forward(Duration::from_secs(4_000));
    scene.guarded.twist(|twist| twist.delay = 50);
    // Each server stands for a process of its own: they share nothing but the vault.
    let servers: Vec<_> = (0..8).map(|_| scene.server()).collect();
    let calls = servers.iter().map(|server| scene.call(server, "read"));
    for outcome in futures::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(scene.guarded.seen().refreshes, 1);
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn a_call_that_is_given_up_loses_no_renewed_token() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    scene.clock.forward(Duration::from_secs(4_000));
    scene.guarded.twist(|twist| twist.delay = 300);
    let server = scene.server();
    let given_up = tokio::time::timeout(Duration::from_millis(100), scene.call(&server, "read")).await;
    assert!(given_up.is_err());
    scene.call(&scene.server(), "read").await.unwrap();
    assert_eq!(scene.guarded.seen().refreshes, 1);
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn a_login_that_is_over_says_how_to_begin_anew() {
    let scene = Scene::new().await;
    scene.guarded.twist(|twist| twist.refreshes = false);
    scene.login().await.unwrap();
    scene.clock.forward(Duration::from_secs(3_600));
    let (code, message, help) = told(&scene.call(&scene.server(), "read").await.unwrap_err());
    assert_eq!(code, Code::ToolUnauthorized);
    assert_eq!(message, "the login of the MCP server `tracker` is over: its token has ended");
    assert_eq!(help, "`adjutant tools login tracker`");

    // One whose renewal the login server does not know any more.
    scene.guarded.twist(|twist| twist.refreshes = true);
    scene.login().await.unwrap();
    scene.clock.forward(Duration::from_secs(3_600));
    let stolen = std::fs::read(scene.folder.path().join("vault/tracker.sealed")).unwrap();
    scene.call(&scene.server(), "read").await.unwrap();
    std::fs::write(scene.folder.path().join("vault/tracker.sealed"), stolen).unwrap();
    let (code, message, _) = told(&scene.call(&scene.server(), "read").await.unwrap_err());
    assert_eq!(code, Code::ToolUnauthorized);
    assert!(message.contains("is over: invalid_grant"), "{message}");
    assert_eq!(scene.account().status(&Known).unwrap(), Status::Out);
    assert_eq!(scene.guarded.faults(), ["what renews a token was used twice"]);
    // The server had nothing to do with it, and is not let rest.
    scene.login().await.unwrap();
    scene.call(&scene.server(), "read").await.unwrap();
}

#[tokio::test]
async fn a_login_server_that_is_down_for_a_while_ends_no_login() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    let server = scene.server();
    scene.clock.forward(Duration::from_secs(3_550));
    scene.guarded.twist(|twist| twist.fails = Some(503));
    // The token is still good for fifty seconds.
    scene.call(&server, "read").await.unwrap();
    scene.clock.forward(Duration::from_secs(60));
    let (code, message, _) = told(&scene.call(&scene.server(), "read").await.unwrap_err());
    assert_eq!(code, Code::ToolBusy);
    assert!(message.contains("it answers 503"), "{message}");
    scene.guarded.twist(|twist| twist.fails = None);
    scene.call(&scene.server(), "read").await.unwrap();
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn a_call_that_needs_more_says_so_and_the_next_login_asks_for_it() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    let server = scene.server();
    let (code, message, help) = told(&scene.call(&server, "write").await.unwrap_err());
    assert_eq!(code, Code::ToolUnauthorized);
    assert_eq!(message, "the login of the MCP server `tracker` does not allow this: it needs `write`");
    assert_eq!(help, "`adjutant tools login tracker` asks for it");
    let Status::In { scopes, .. } = scene.login().await.unwrap() else { panic!() };
    assert_eq!(scopes, ["read", "offline_access", "write"]);
    // The server that was there before has the new token at once.
    scene.call(&server, "write").await.unwrap();
    scene.call(&server, "read").await.unwrap();
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn a_client_of_its_own_right_needs_nobody() {
    let mut scene = Scene::new().await;
    scene.config.grant = Grant::Client;
    scene.config.client_id = Some(Guarded::CLIENT.0.into());
    scene.config.client_secret = Some("machine".into());
    let server = scene.server();
    scene.call(&server, "read").await.unwrap();
    scene.call(&server, "read").await.unwrap();
    assert_eq!(scene.guarded.seen().clients, 1);
    // What it lacks it asks for by itself, once.
    scene.call(&server, "write").await.unwrap();
    assert_eq!(scene.guarded.seen().clients, 2);
    scene.clock.forward(Duration::from_secs(3_600));
    scene.call(&scene.server(), "read").await.unwrap();
    assert_eq!(scene.guarded.seen(), Seen { clients: 3, calls: 4, ..Seen::default() });
    assert!(!String::from_utf8_lossy(&scene.written()).contains(Guarded::CLIENT.1));
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn servers_are_found_out_in_every_way_of_the_protocol() {
    for (points, openid) in [(true, true), (false, false)] {
        let scene = Scene::new().await;
        scene.guarded.twist(|twist| (twist.points, twist.openid) = (points, openid));
        scene.login().await.unwrap();
        scene.call(&scene.server(), "read").await.unwrap();
        assert_eq!(scene.guarded.faults(), [""; 0]);
    }
    // One that says nothing of itself: the person says who gives the tokens.
    let mut scene = Scene::new().await;
    scene.guarded.twist(|twist| (twist.points, twist.describes) = (false, false));
    scene.config.issuer = Some(scene.guarded.issuer());
    scene.config.scopes = vec!["read".into()];
    scene.login().await.unwrap();
    scene.call(&scene.server(), "read").await.unwrap();
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn an_address_that_is_typed_is_as_good_as_a_browser() {
    let scene = Scene::new().await;
    let attempt = scene.account().begin(&Known, &Listener::nowhere(None).unwrap()).await.unwrap();
    let typed = sent_to(attempt.address()).await;
    attempt.finish(&format!("  {typed}\n")).await.unwrap();
    scene.call(&scene.server(), "read").await.unwrap();
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn whoever_logs_out_is_out() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    let server = scene.server();
    scene.call(&server, "read").await.unwrap();
    assert!(scene.account().end(&Known).await.unwrap());
    assert_eq!(scene.guarded.seen().revocations, 1);
    assert_eq!(scene.account().status(&Known).unwrap(), Status::Out);
    // Also a server that was connected before.
    assert_eq!(told(&scene.call(&server, "read").await.unwrap_err()).0, Code::ToolUnauthorized);
    assert!(!scene.account().end(&Known).await.unwrap());
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn a_server_without_auth_says_what_to_write() {
    let scene = Scene::new().await;
    let http = adjutant_tool::mcp::Http {
        url: scene.guarded.url().parse().unwrap(),
        headers: [].into(),
        bearer: None,
        auth: None,
    };
    for points in [true, false] {
        scene.guarded.twist(|twist| twist.points = points);
        let config =
            adjutant_tool::mcp::Config::new("tracker", adjutant_tool::mcp::Transport::Http(http.clone()));
        let error = adjutant_tool::mcp::Server::new(config).unwrap().offer(&Known).await.unwrap_err();
        assert_eq!(error.code(), Code::ToolUnauthorized, "{error}");
        assert!(error.help().unwrap().contains("`auth = \"oauth\"`"), "{error}");
    }
}
