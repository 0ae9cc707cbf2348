//! Servers that mislead, and files that somebody changed. Nothing of this may give a token away, or hang.

use std::time::{Duration, Instant};

use adjutant_core::{Code, Error};
use adjutant_testkit::guarded::{Guarded, Twist};
use adjutant_tool::mcp::oauth::Listener;
use serde_json::json;

use crate::scene::{Known, Scene, browse, sent_to};

/// Logs in with a login server that behaves so, without a browser.
async fn refused(change: impl FnOnce(&mut Twist)) -> (Scene, Error) {
    let scene = Scene::new().await;
    scene.guarded.twist(change);
    let error = attempt(&scene).await.unwrap_err();
    assert_eq!(scene.guarded.seen().codes, 0, "a code was used");
    assert!(!scene.folder.path().join("vault/tracker.sealed").exists(), "something was kept");
    (scene, error)
}

async fn attempt(scene: &Scene) -> Result<(), Error> {
    let attempt = scene.account().begin(&Known, &Listener::nowhere(None)?).await?;
    let typed = sent_to(attempt.address()).await;
    attempt.finish(&typed).await.map(drop)
}

async fn check(change: impl FnOnce(&mut Twist), code: Code, words: &str) {
    let began = Instant::now();
    let (_, error) = refused(change).await;
    assert!(error.code() == code && error.message().contains(words), "{error:?}, expected {words}");
    assert!(began.elapsed() < Duration::from_secs(5), "{error} took {:?}", began.elapsed());
}

#[tokio::test]
async fn descriptions_that_mislead_are_not_followed() {
    let broken = Code::ToolBroken;
    for place in ["file:///etc/passwd", "http://169.254.169.254/latest", "http://example.org/x", "ftp://a/b"]
    {
        check(|twist| twist.points_to = Some(place.into()), broken, "is not asked").await;
    }
    check(|twist| twist.points_to = Some("nowhere".into()), broken, "which is no address").await;
    check(
        |twist| drop(twist.resource.insert("resource".into(), json!("https://example.org/mcp"))),
        broken,
        "it is about `https://example.org/mcp`",
    )
    .await;
    for issuer in
        ["https://10.0.0.1", "http://example.org", "file:///etc", "https://[::ffff:169.254.169.254]/"]
    {
        let issuers = json!([issuer]);
        check(
            |twist| drop(twist.resource.insert("authorization_servers".into(), issuers)),
            broken,
            "is not asked",
        )
        .await;
    }
    check(
        |twist| drop(twist.resource.insert("authorization_servers".into(), json!([]))),
        broken,
        "names no login server",
    )
    .await;
    check(
        |twist| drop(twist.issuer.insert("issuer".into(), json!("https://evil.example"))),
        broken,
        "it calls itself `https://evil.example`",
    )
    .await;
    for (key, value) in [
        ("token_endpoint", json!("http://evil.example/token")),
        ("token_endpoint", json!("https://192.168.0.1/token")),
        ("authorization_endpoint", json!("file:///etc/passwd")),
        ("registration_endpoint", json!("https://user:password@127.0.0.1/x")),
    ] {
        check(
            |twist| drop(twist.issuer.insert(key.into(), value)),
            broken,
            &format!("its `{key}` is refused"),
        )
        .await;
    }
    for methods in [json!(["plain"]), json!(null)] {
        check(
            |twist| drop(twist.issuer.insert("code_challenge_methods_supported".into(), methods)),
            broken,
            "PKCE",
        )
        .await;
    }
}

#[tokio::test]
async fn answers_without_end_are_ended() {
    let broken = Code::ToolBroken;
    check(|twist| twist.redirect = Some("/endless".into()), broken, "leads on and on").await;
    check(|twist| twist.redirect = Some("http://127.0.0.1:1/x".into()), broken, "to another host").await;
    check(|twist| twist.padding = 4 << 20, broken, "more than 262144 bytes").await;
}

#[tokio::test]
async fn answers_of_another_are_not_taken_for_this_one() {
    let unauthorized = Code::ToolUnauthorized;
    check(
        |twist| twist.named = Some("https://evil.example".into()),
        unauthorized,
        "the answer is of `https://evil.example`",
    )
    .await;
    check(|twist| twist.named = Some(String::new()), unauthorized, "does not say that it is of").await;
    check(|twist| twist.forgets = true, unauthorized, "does not belong to this login").await;
    check(|twist| twist.denies = Some("access_denied".into()), unauthorized, "access_denied not today").await;
    let mixed = |twist: &mut Twist| {
        twist.denies = Some("phishing".into());
        twist.named = Some("https://evil.example".into());
    };
    let (_, error) = refused(mixed).await;
    assert!(!error.to_string().contains("phishing"), "{error}");
}

#[tokio::test]
async fn a_login_server_that_fails_says_so() {
    let scene = Scene::new().await;
    scene.guarded.twist(|twist| twist.fails = Some(500));
    let error = attempt(&scene).await.unwrap_err();
    assert_eq!(error.code(), Code::ToolBusy);
    assert!(error.message().contains("/login/token` cannot be asked: it answers 500"), "{error}");
    scene.guarded.twist(|twist| drop(twist.issuer.insert("registration_endpoint".into(), json!(null))));
    let error = attempt(&scene).await.unwrap_err();
    assert!(error.help().unwrap().contains("write its `client_id` into `auth`"), "{error}");
}

#[tokio::test]
async fn a_code_is_good_once() {
    let scene = Scene::new().await;
    let attempt = scene.account().begin(&Known, &Listener::nowhere(None).unwrap()).await.unwrap();
    let typed = sent_to(attempt.address()).await;
    attempt.finish(&typed).await.unwrap();
    assert_eq!(attempt.finish(&typed).await.unwrap_err().code(), Code::ToolUnauthorized);
    assert_eq!(scene.guarded.faults(), ["a code was used twice, or was not given"]);
    // The first token is still there.
    scene.call(&scene.server(), "read").await.unwrap();
}

#[tokio::test]
async fn pages_that_send_a_browser_to_the_listener_end_no_login() {
    let scene = Scene::new().await;
    let listener = Listener::bind(None).await.unwrap();
    let attempt = scene.account().begin(&Known, listener.redirect()).await.unwrap();
    let (redirect, address) = (listener.redirect().clone(), attempt.address().clone());
    let browser = tokio::spawn(async move {
        for path in
            ["/", "/callback", "/callback?code=evil", "/callback?code=evil&state=guess", "/other?state="]
        {
            assert!(browse(redirect.join(path).unwrap()).await.contains("Nothing is expected here"));
        }
        browse(address).await
    });
    let answer = listener.answer(|answer| attempt.knows(answer)).await.unwrap();
    browser.await.unwrap();
    attempt.finish(&answer).await.unwrap();
    assert_eq!(scene.guarded.faults(), [""; 0]);
}

#[tokio::test]
async fn a_token_goes_to_no_other_server() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    // Somebody changed the address in the project.
    let other = Guarded::start().await.unwrap();
    let server = scene.server_at(&other.url());
    let error = server.offer(&Known).await.unwrap_err();
    assert_eq!(error.code(), Code::ToolUnauthorized, "{error}");
    assert_eq!(other.faults(), [""; 0]);
}

#[tokio::test]
async fn a_vault_that_was_changed_opens_nothing_and_says_so() {
    let scene = Scene::new().await;
    scene.login().await.unwrap();
    let path = scene.folder.path().join("vault/tracker.sealed");
    let sealed = std::fs::read_to_string(&path).unwrap();
    let error = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let error = scene.account().status(&Known).unwrap_err();
        assert_eq!(error.code(), Code::VaultUnreadable, "{error}");
        assert!(error.help().unwrap().contains("`adjutant tools login tracker`"), "{error}");
        error.message().to_owned()
    };
    assert!(error(&sealed[..sealed.len() - 9]).contains("was changed or is damaged"));
    assert!(
        error(&sealed.replacen("\"sealed\":\"", "\"sealed\":\"AAAA", 1))
            .contains("was changed or is damaged")
    );
    std::fs::write(&path, &sealed).unwrap();
    scene.call(&scene.server(), "read").await.unwrap();

    let key = scene.folder.path().join("config/vault.key");
    std::fs::write(&key, "another-key-of-at-least-thirty-two-characters").unwrap();
    assert!(error(&sealed).contains("was sealed with another key"));
    std::fs::remove_file(&key).unwrap();
    assert!(error(&sealed).contains("is not there"));
    // Logging out needs no key.
    assert!(scene.account().end(&Known).await.unwrap());
    scene.login().await.unwrap();
    scene.call(&scene.server(), "read").await.unwrap();
}
