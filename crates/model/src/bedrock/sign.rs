//! Signatures of requests: Amazon's Signature Version 4, made by Amazon's own crate.

use std::borrow::Cow;
use std::time::SystemTime;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::credentials::{Keys, Source};
use crate::transport::{Authorize, Outgoing, secret_header};

/// What Bedrock is called in signatures, whichever of its addresses is asked.
const SERVICE: &str = "bedrock";

/// What the signature itself brings; it is never made over earlier ones.
const MADE_HERE: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// What proxies and HTTP itself change on the way, so that no signature may be made over it: the list of botocore.
const UNSIGNED: [&str; 14] = [
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Signs each request anew.
#[derive(Debug)]
pub(super) struct Signer {
    source: Source,
    region: String,
}

impl Signer {
    pub(super) fn new(source: Source, region: String) -> Self {
        Self { source, region }
    }
}

impl Authorize for Signer {
    fn authorize<'a>(&'a self, outgoing: &'a mut Outgoing) -> BoxFuture<'a, Result<Vec<Secret>>> {
        let scope = Scope { region: &self.region, service: SERVICE };
        let signed = self.source.keys().and_then(|keys| {
            put_signature(outgoing, &keys, scope, now())?;
            Ok(keys.secrets().cloned().collect())
        });
        std::future::ready(signed).boxed()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature holds for minutes of the real time, and is never replayed"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// What a signature holds for.
#[derive(Clone, Copy, Debug)]
struct Scope<'a> {
    region: &'a str,
    service: &'a str,
}

/// Adds the headers of a signature over everything else. Fails with `input-invalid` where the keys cannot be keys.
fn put_signature(outgoing: &mut Outgoing, keys: &Keys, scope: Scope<'_>, at: SystemTime) -> Result<()> {
    for name in MADE_HERE {
        outgoing.headers.remove(name);
    }
    let headers = outgoing.headers.iter();
    let headers: Vec<(&str, &str)> =
        headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let body = SignableBody::Bytes(outgoing.body.as_bytes());
    let text = |secret: &Secret| secret.expose().trim().to_owned();
    let identity = Credentials::new(
        text(&keys.access_key_id),
        text(&keys.secret_access_key),
        keys.session_token.as_ref().map(text),
        None,
        "adjutant",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.excluded_headers = Some(UNSIGNED.map(Cow::Borrowed).to_vec());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(at)
        .settings(settings)
        .build()
        .map_err(|error| unsigned().caused_by(&error))?
        .into();
    let made =
        SignableRequest::new(outgoing.method.as_str(), outgoing.url.as_str(), headers.into_iter(), body)
            .and_then(|request| sign(request, &parameters))
            .map_err(|error| unsigned().caused_by(&error))?;
    let (instructions, _) = made.into_parts();
    for (name, value) in instructions.headers() {
        let (name, value) = secret_header(name, value)?;
        outgoing.headers.insert(name, value);
    }
    Ok(())
}

fn unsigned() -> Error {
    Error::new(Code::InputInvalid, "the request cannot be signed with these credentials").with_help(
        "check the access key id, the secret access key and the session token for stray characters",
    )
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use serde_json::Value;
    use tokio_util::sync::CancellationToken;
    use url::Url;

    use super::*;
    use crate::transport::Peer;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/signing")
    }

    fn outgoing(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Outgoing {
        let url = Url::parse(url).unwrap();
        let headers = headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        Outgoing {
            method: method.parse::<Method>().unwrap(),
            peer: Peer::new(&url, &[]),
            url,
            headers: map,
            body: body.to_owned(),
            whole: false,
            cancel: CancellationToken::new(),
        }
    }

    fn keys(id: &Value, secret: &Value, token: &Value) -> Keys {
        Keys {
            access_key_id: Secret::new(id.as_str().unwrap()),
            secret_access_key: Secret::new(secret.as_str().unwrap()),
            session_token: token.as_str().map(Secret::new),
        }
    }

    /// `2015-08-30T12:36:00Z` and `20150830T123600Z`.
    fn instant(text: &str) -> SystemTime {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let part = |from: usize, to: usize| digits[from..to].parse::<u64>().unwrap();
        let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
        // Days since 1970, with years that begin in March (the algorithm of the Gregorian calendar).
        let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719_469;
        SystemTime::UNIX_EPOCH
            + Duration::from_secs(((days * 24 + part(8, 10)) * 60 + part(10, 12)) * 60 + part(12, 14))
    }

    fn authorization(outgoing: &Outgoing) -> &str {
        outgoing.headers["authorization"].to_str().unwrap()
    }

    #[test]
    fn the_published_vectors_are_signed_as_published() {
        let mut count = 0;
        for entry in std::fs::read_dir(folder()).unwrap() {
            let case = entry.unwrap().path();
            let Ok(context) = std::fs::read_to_string(case.join("context.json")) else { continue };
            let context: Value = serde_json::from_str(&context).unwrap();
            let request = std::fs::read_to_string(case.join("request.txt")).unwrap();
            let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
            let mut lines = head.lines();
            let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
            let target = target.strip_suffix(" HTTP/1.1").unwrap();
            let headers: Vec<(&str, &str)> = lines.map(|line| line.split_once(':').unwrap()).collect();
            let url = format!("https://{}{target}", headers[0].1.trim());
            let mut outgoing = outgoing(method, &url, &headers[1..], body);
            let given = &context["credentials"];
            let keys = keys(&given["access_key_id"], &given["secret_access_key"], &given["token"]);
            let scope = Scope {
                region: context["region"].as_str().unwrap(),
                service: context["service"].as_str().unwrap(),
            };
            let at = instant(context["timestamp"].as_str().unwrap());
            put_signature(&mut outgoing, &keys, scope, at).unwrap();
            let signature = std::fs::read_to_string(case.join("header-signature.txt")).unwrap();
            let made = authorization(&outgoing).rsplit_once("Signature=").unwrap().1;
            assert_eq!(made, signature.trim(), "{}", case.display());
            count += 1;
        }
        assert!(count >= 15, "only {count} vectors were found");
    }

    #[test]
    fn requests_for_bedrock_are_signed_as_amazons_client_signs_them() {
        let cases: Value =
            serde_json::from_str(&std::fs::read_to_string(folder().join("bedrock.json")).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let headers = &case["headers"];
            let (host, path) =
                (headers["Host"].as_str().unwrap(), case["path_on_the_wire"].as_str().unwrap());
            let base = format!("https://{host}");
            let config = crate::provider::Config::new("m", base, case["model_id"].as_str().unwrap());
            let url = super::super::wire::endpoint(&config, "converse-stream").unwrap();
            assert_eq!(url.path(), path);
            let body = case["body"].as_str().unwrap();
            let mut outgoing = outgoing("POST", url.as_str(), &[("content-type", "application/json")], body);
            let given = &case["credentials"];
            let keys = keys(&given["access_key"], &given["secret_key"], &given["session_token"]);
            let scope = Scope { region: case["region"].as_str().unwrap(), service: SERVICE };
            put_signature(&mut outgoing, &keys, scope, instant(case["timestamp"].as_str().unwrap())).unwrap();
            assert_eq!(authorization(&outgoing), headers["Authorization"].as_str().unwrap());
            let token = outgoing.headers.get("x-amz-security-token").map(|token| token.to_str().unwrap());
            assert_eq!(token, given["session_token"].as_str());
        }
    }

    #[test]
    fn a_signature_is_made_anew_and_over_what_may_be_signed() {
        let keys = keys(&"AKID".into(), &" secret\n".into(), &Value::Null);
        let scope = Scope { region: "us-east-1", service: SERVICE };
        let url = "http://127.0.0.1:8080/model/m/converse-stream";
        let headers = [("accept", "x"), ("user-agent", "y"), ("authorization", "z"), ("x-amz-date", "old")];
        let mut outgoing = outgoing("POST", url, &headers, "{}");
        let at = instant("20261122T120000Z");
        put_signature(&mut outgoing, &keys, scope, at).unwrap();
        let first = authorization(&outgoing).to_owned();
        assert!(first.contains("SignedHeaders=accept;host;x-amz-date, "), "{first}");
        assert_eq!(outgoing.headers["x-amz-date"], "20261122T120000Z");
        assert!(outgoing.headers["authorization"].is_sensitive());
        put_signature(&mut outgoing, &keys, scope, at).unwrap();
        assert_eq!(authorization(&outgoing), first);
        put_signature(&mut outgoing, &keys, scope, at + Duration::from_secs(1)).unwrap();
        assert_ne!(authorization(&outgoing), first);
    }

    #[test]
    fn keys_that_can_be_none_are_refused_and_not_shown() {
        let broken = keys(&"AKID".into(), &"secret".into(), &"tok\u{1}zzyx".into());
        let mut outgoing = outgoing("POST", "https://h/", &[], "{}");
        let scope = Scope { region: "us-east-1", service: SERVICE };
        let error = put_signature(&mut outgoing, &broken, scope, SystemTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.code(), Code::InputInvalid);
        assert!(!format!("{error:?}").contains("zzyx"), "{error:?}");
    }
}
