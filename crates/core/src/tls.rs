//! What a failed handshake of TLS means, in words for people. Pure.

use std::error::Error;
use std::fmt;

/// Why there is no connection by TLS, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub why: String,
    /// What to do; nothing where nobody knows.
    pub help: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.why)
    }
}

const UNKNOWN: &str = "its certificate is signed by nobody who is known here";
const INTRODUCE: &str =
    "if the authority is one of your own, name the file with its certificate (PEM) in `SSL_CERT_FILE`";
const RENEW: &str = "whoever runs the server must renew it; or the clock of this machine is wrong";

/// What the library that makes the handshake says, what it means, and what to do. The first sign that is found counts.
const MEANINGS: [(&str, &str, &str); 8] = [
    ("UnknownIssuer", UNKNOWN, INTRODUCE),
    // An authority of the same name, with another key.
    ("BadSignature", UNKNOWN, INTRODUCE),
    ("SelfSigned", UNKNOWN, INTRODUCE),
    ("certificate expired", "its certificate has expired", RENEW),
    ("certificate not valid yet", "its certificate is not valid yet", RENEW),
    (OTHER_NAME, "its certificate is for another name", "write a name that it is for in the address"),
    ("Revoked", "its certificate was revoked", "whoever runs the server must get another one"),
    (
        "received corrupt message",
        "what answers speaks no TLS",
        "write `http://`, if the server is on this machine",
    ),
];

const OTHER_NAME: &str = "certificate not valid for name";

/// How the library begins what it says of a certificate, or of the handshake.
const BEGINNINGS: [&str; 5] = [
    "invalid peer certificate",
    "received corrupt message",
    "received fatal alert",
    "peer is incompatible",
    "peer misbehaved",
];

/// Why a connection was not made, where TLS is the reason by what a chain of errors says.
pub fn fault<'a>(error: &'a (dyn Error + 'static)) -> Option<Fault> {
    let next = |error: &&'a (dyn Error + 'static)| (*error).source();
    let texts = std::iter::successors(Some(error), next).map(ToString::to_string);
    let said = texts.filter(|text| BEGINNINGS.iter().any(|sign| text.starts_with(sign))).last()?;
    let Some((sign, meaning, help)) = MEANINGS.iter().find(|(sign, ..)| said.contains(sign)) else {
        return Some(Fault { why: said, help: "" });
    };
    let names = if *sign == OTHER_NAME { names(&said) } else { String::new() };
    Some(Fault { why: format!("{meaning}{names}"), help })
}

/// The names that a certificate is for, as far as they are told.
fn names(said: &str) -> String {
    let names = said.split_once("only valid for").map_or("", |(_, names)| names.trim());
    let names: String = names.replace("DnsName", "").replace(['(', ')', '"'], "");
    if names.is_empty() { names } else { format!(" ({names})") }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn check(said: &str, expected: Option<(&str, &str)>) {
        let error = io::Error::other(io::Error::other(said));
        let found = fault(&error).map(|fault| (fault.to_string(), fault.help));
        assert_eq!(found.as_ref().map(|(text, help)| (text.as_str(), *help)), expected, "{said}");
    }

    #[test]
    fn what_a_library_says_is_told_in_words() {
        check("invalid peer certificate: UnknownIssuer", Some((&format!("TLS: {UNKNOWN}"), INTRODUCE)));
        check(
            "invalid peer certificate: certificate expired: verification time 2 (UNIX), but certificate is not valid after 1",
            Some(("TLS: its certificate has expired", RENEW)),
        );
        check(
            "invalid peer certificate: certificate not valid for name \"localhost\"; certificate is only valid for DnsName(\"other.example\")",
            Some((
                "TLS: its certificate is for another name (other.example)",
                "write a name that it is for in the address",
            )),
        );
        check(
            "received fatal alert: HandshakeFailure",
            Some(("TLS: received fatal alert: HandshakeFailure", "")),
        );
        check("connection refused", None);
    }
}
