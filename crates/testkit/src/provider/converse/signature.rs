//! Whether a request was signed with a key: Amazon's Signature Version 4, written down once more, so that the signer and
//! the mock cannot share a mistake.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::super::received::Received;

/// What an `Authorization` header with a signature begins with.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is said of a token or a signature that is wrong.
pub(super) const INVALID: &str = "The security token included in the request is invalid.";

/// Says why the signature in a header is not one over this request, made with this secret key of any id.
pub(super) fn check(request: &Received, given: &str, secret: &str) -> Result<(), String> {
    let rest = given.strip_prefix(ALGORITHM).unwrap_or_default();
    let field = |name: &str| {
        let mut fields = rest.split(',').map(str::trim);
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    let (credential, signed, signature) = (field("Credential"), field("SignedHeaders"), field("Signature"));
    let (_, scope) = credential.split_once('/').unwrap_or_default();
    let parts: Vec<&str> = scope.split('/').collect();
    let [day, region, service @ "bedrock", "aws4_request"] = parts[..] else {
        return Err(format!("the scope `{scope}` of the signature is not one of Bedrock"));
    };
    let at = request.header("x-amz-date").unwrap_or_default();
    if at.len() != 16 || !at.starts_with(day) {
        return Err(format!("the date `{at}` is not on the day of the scope `{scope}`"));
    }
    for wanted in ["host", "x-amz-date", "content-type", "x-amz-security-token"] {
        if request.headers.contains_key(wanted) && !signed.split(';').any(|name| name == wanted) {
            return Err(format!("the header `{wanted}` is not signed"));
        }
    }
    let canonical = canonical(request, signed);
    let to_sign = format!("{ALGORITHM}\n{at}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let begin = mac(format!("AWS4{secret}").as_bytes(), day);
    let signing = [region, service, "aws4_request"].iter().fold(begin, |key, part| mac(&key, part));
    match hex(&mac(&signing, &to_sign)) == signature {
        true => Ok(()),
        false => Err(INVALID.to_owned()),
    }
}

/// The request as it is signed.
fn canonical(request: &Received, signed: &str) -> String {
    let headers: String = signed
        .split(';')
        .map(|name| {
            let values = request.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            let tidy = |value: String| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            format!("{name}:{}\n", values.map(tidy).collect::<Vec<_>>().join(","))
        })
        .collect();
    // Already encoded once, and encoded again here.
    let path = encoded(&request.path);
    format!("POST\n{path}\n{}\n{headers}\n{signed}\n{}", request.query, hex(&Sha256::digest(&request.bytes)))
}

fn encoded(path: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    path.bytes().map(encode).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use serde_json::Value;

    use super::*;
    use crate::provider::Interface;

    /// A request that botocore 1.44.5 signed.
    fn signed() -> Received {
        let mut headers = HeaderMap::new();
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, \
            SignedHeaders=content-type;host;x-amz-date, \
            Signature=85174222ed47fa3b03e6fc112b92118ddba83596308b13425eb03d9fbde01418";
        for (name, value) in [
            ("content-type", "application/json"),
            ("host", "bedrock-runtime.us-east-1.amazonaws.com"),
            ("x-amz-date", "20261122T120000Z"),
            ("authorization", authorization),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Received {
            interface: Interface::Converse,
            path: "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream".into(),
            query: String::new(),
            headers,
            body: Value::Null,
            bytes: Bytes::from_static(br#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#),
        }
    }

    fn verdict(request: &Received, key: &str) -> Result<(), String> {
        check(request, request.header("authorization").unwrap(), key)
    }

    #[test]
    fn what_amazons_client_signed_is_right_until_it_is_changed() {
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert_eq!(verdict(&signed(), key), Ok(()));
        assert_eq!(verdict(&signed(), "another"), Err(INVALID.to_owned()));
        let changed = [
            Received { bytes: Bytes::from_static(b"{}"), ..signed() },
            Received { path: "/model/x/converse-stream".into(), ..signed() },
            Received { query: "a=b".into(), ..signed() },
        ];
        for request in changed {
            assert_eq!(verdict(&request, key), Err(INVALID.to_owned()), "{request:?}");
        }
        let mut unsigned = signed();
        unsigned.headers.insert("x-amz-security-token", HeaderValue::from_static("t"));
        assert!(verdict(&unsigned, key).unwrap_err().contains("is not signed"));
    }
}
