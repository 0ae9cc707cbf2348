//! What a server says when it refuses a request for the lack of a token (`WWW-Authenticate`). Pure.

/// What a server says when it refuses a request for the lack of a token, or of rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mcp) struct Challenge {
    /// Where it describes itself (RFC 9728, 5.1).
    pub(in crate::mcp) metadata: Option<String>,
    /// What a token must allow for this request.
    pub(in crate::mcp) scopes: Vec<String>,
    /// Which kind of refusal it is (RFC 6750, 3.1).
    pub(in crate::mcp) error: Option<String>,
}

impl Challenge {
    /// Reads the value of the header: the challenge of the scheme `Bearer`, which may stand among others (RFC 9110,
    /// 11.6.1). What is no such challenge is passed over.
    pub(in crate::mcp) fn read(header: &str) -> Self {
        let mut challenge = Self::default();
        let mut rest = header;
        let mut is_bearer = false;
        while let Some((word, after)) = word(rest) {
            let Some(after_sign) = after.trim_start().strip_prefix('=') else {
                is_bearer = word.eq_ignore_ascii_case("bearer");
                rest = after;
                continue;
            };
            let (value, after) = value(after_sign.trim_start());
            rest = after;
            match word.to_ascii_lowercase().as_str() {
                "resource_metadata" if is_bearer => challenge.metadata = Some(value),
                "scope" if is_bearer => challenge.scopes = scopes(&value),
                "error" if is_bearer => challenge.error = Some(value),
                _ => {}
            }
        }
        challenge
    }

    /// Whether a token was good, and did not allow enough.
    pub(in crate::mcp) fn is_about_scopes(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }
}

/// The scopes of a text, each once, in their order.
pub(super) fn scopes(text: &str) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split_ascii_whitespace() {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// The next word, after what separates words.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(|c: char| !is_word(c));
    let end = text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(word, _)| !word.is_empty())
}

/// The characters of a token (RFC 9110, 5.6.2), and those of the values that some servers forget to quote.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c)
}

/// A value, quoted or not, and what follows.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at_checked(end).unwrap_or((text, ""));
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, c)) = characters.next() {
        match c {
            '"' => return (value, quoted.get(place + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, metadata: Option<&str>, scopes: &[&str], error: Option<&str>) {
        let challenge = Challenge::read(header);
        assert_eq!(challenge.metadata.as_deref(), metadata, "{header}");
        assert_eq!(challenge.scopes, scopes, "{header}");
        assert_eq!(challenge.error.as_deref(), error, "{header}");
    }

    #[test]
    fn challenges_are_found_among_others() {
        let place = Some("https://a.b/.well-known/oauth-protected-resource/mcp");
        check(
            r#"Bearer resource_metadata="https://a.b/.well-known/oauth-protected-resource/mcp", scope="r w r""#,
            place,
            &["r", "w"],
            None,
        );
        check(
            r#"Basic realm="x, y=\"z\"", bearer Error = invalid_token ,scope=read:data, Digest scope="no""#,
            None,
            &["read:data"],
            Some("invalid_token"),
        );
        check(
            "Bearer resource_metadata=https://a.b/.well-known/oauth-protected-resource/mcp",
            place,
            &[],
            None,
        );
        check(
            r#"Bearer error="insufficient_scope", scope="w", error_description="no, really""#,
            None,
            &["w"],
            Some("insufficient_scope"),
        );
    }

    #[test]
    fn nonsense_is_passed_over() {
        for header in
            ["", "Bearer", "Negotiate YII==", "=", "\"", "Bearer scope=\"", "Bearer =,=,=", ",,,", "ä=ö"]
        {
            check(header, None, &[], None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_it(header in "\\PC{0,200}") {
            Challenge::read(&header);
        }
    }
}
