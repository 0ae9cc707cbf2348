//! Tokens: what is sent for one, and what an answer means. Pure.

use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::challenge::scopes;
use super::client::{Client, Method};
use super::login::{plain, plain_option};
use super::web::Answer;
use crate::mcp::clean;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);

/// A year is as good as for ever, and no clock is overrun by it.
const YEAR: u64 = 31_536_000;

/// A token, and what renews it.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tokens {
    #[serde(with = "plain")]
    pub(super) access: Secret,
    #[serde(default, with = "plain_option", skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<Secret>,
    /// When the token is over, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// From when on another is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) renew_from: Option<Timestamp>,
}

/// What an answer brought.
pub(super) struct Given {
    pub(super) tokens: Tokens,
    /// What the token allows, where that is something else than what was asked for.
    pub(super) scopes: Option<Vec<String>>,
}

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// What was shown is not good any more: a person must log in.
    Over(String),
    /// It was asked wrongly, or the answer is none.
    Wrong(String),
}

impl Refused {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Over(why) | Self::Wrong(why) => why,
        }
    }
}

impl Tokens {
    /// Whether the token is as good as over.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        self.renew_from.is_some_and(|from| now >= from)
    }

    /// Whether the token is over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// Reads the answer of a token endpoint (RFC 6749, 5). What it does not say of the token that renews stays as it was.
pub(super) fn read(answer: &Answer, now: Timestamp, refresh: Option<&Secret>) -> Result<Given, Refused> {
    let body = &answer.body;
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if !(200..300).contains(&answer.status) {
        let error = text("error").unwrap_or("no reason");
        let said =
            [Some(error), text("error_description")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let why = format!("{} ({})", clean::line(&said, 300), answer.status);
        return Err(match error {
            "invalid_grant" => Refused::Over(why),
            _ => Refused::Wrong(why),
        });
    }
    let access = text("access_token").ok_or_else(|| Refused::Wrong("its answer has no token".to_owned()))?;
    if access.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(Refused::Wrong("its token holds characters that no header may hold".to_owned()));
    }
    if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(Refused::Wrong("its token is of a kind that is not known here".to_owned()));
    }
    let seconds = body.get("expires_in").and_then(|value| {
        value
            .as_u64()
            .or_else(|| value.as_f64().map(|s| s.max(0.0) as u64))
            .or_else(|| value.as_str()?.parse().ok())
    });
    let lifetime = seconds.map(|seconds| Duration::from_secs(seconds.min(YEAR)));
    let tokens = Tokens {
        access: Secret::new(access),
        refresh: text("refresh_token").map(Secret::new).or_else(|| refresh.cloned()),
        until: lifetime.map(|lifetime| now.plus(lifetime)),
        renew_from: lifetime.map(|lifetime| now.plus(lifetime.saturating_sub(MARGIN.min(lifetime / 2)))),
    };
    Ok(Given { tokens, scopes: text("scope").map(scopes) })
}

/// How a client shows itself: what stands in the form, and what in a header.
pub(super) fn shown<'a>(
    client: &'a Client,
    form: &mut Vec<(&'static str, &'a str)>,
) -> Option<(&'a str, &'a Secret)> {
    // Some login servers look for it here, however the client shows itself.
    form.push(("client_id", &client.id));
    match (client.method, &client.secret) {
        (Method::Basic, Some(secret)) => Some((&client.id, secret)),
        (Method::Post, Some(secret)) => {
            form.push(("client_secret", secret.expose()));
            None
        }
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_at_0(status: u16, body: Value) -> Result<Given, Refused> {
        read(&Answer { status, body }, Timestamp(0), Some(&Secret::new("old")))
    }

    #[test]
    fn tokens_are_read() {
        let given = read_at_0(
            200,
            json!({"access_token": "a", "token_type": "BEARER", "expires_in": 3600, "scope": "r w"}),
        );
        let given = given.ok().unwrap();
        assert_eq!(given.scopes, Some(vec!["r".to_owned(), "w".to_owned()]));
        let tokens = given.tokens;
        assert_eq!(tokens.refresh, Some(Secret::new("old")));
        assert_eq!(
            (tokens.until, tokens.renew_from),
            (Some(Timestamp(3_600_000)), Some(Timestamp(3_540_000)))
        );
        assert!(!tokens.is_stale(Timestamp(3_539_999)) && tokens.is_stale(Timestamp(3_540_000)));
        let short = read_at_0(
            200,
            json!({"access_token": "a", "token_type": "bearer", "expires_in": "10", "refresh_token": "new"}),
        );
        let short = short.ok().unwrap().tokens;
        assert_eq!((short.renew_from, short.refresh), (Some(Timestamp(5_000)), Some(Secret::new("new"))));
        let endless =
            read_at_0(200, json!({"access_token": "a", "token_type": "bearer", "expires_in": 1e300}));
        assert_eq!(endless.ok().unwrap().tokens.until, Some(Timestamp(31_536_000_000)));
    }

    #[test]
    fn what_is_no_token_is_not_taken_for_one() {
        for (status, body, why) in [
            (400, json!({"error": "invalid_grant"}), Refused::Over("invalid_grant (400)".into())),
            (
                401,
                json!({"error": "invalid_client", "error_description": "no\nsuch"}),
                Refused::Wrong("invalid_client: no such (401)".into()),
            ),
            (400, Value::Null, Refused::Wrong("no reason (400)".into())),
            (200, json!({}), Refused::Wrong("its answer has no token".into())),
            (
                200,
                json!({"access_token": "a b", "token_type": "bearer"}),
                Refused::Wrong("its token holds characters that no header may hold".into()),
            ),
            (
                200,
                json!({"access_token": "a", "token_type": "dpop"}),
                Refused::Wrong("its token is of a kind that is not known here".into()),
            ),
            (
                200,
                json!({"access_token": "a"}),
                Refused::Wrong("its token is of a kind that is not known here".into()),
            ),
        ] {
            assert_eq!(read_at_0(status, body).err(), Some(why));
        }
    }
}
