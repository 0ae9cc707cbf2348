//! Canaries: words that stand in a prompt or a record, mean nothing, and must never be seen elsewhere.

use adjutant_core::hash::Digest;

use super::decode::layers;
use super::folded::Folded;
use super::hit::Hit;

/// The category of these hits.
pub const CANARY: &str = "canary";

/// How many characters of a token tell it from others.
const LENGTH: usize = 16;

/// A token that nobody guesses who does not know the seed. The same seed gives the same token, so a run that is replayed
/// has the one that it had.
pub fn token(seed: &str) -> String {
    let digest = Digest::of_parts(&[b"canary", seed.as_bytes()]).to_string();
    let letters = digest.chars().filter(char::is_ascii_alphanumeric).rev();
    format!("cn-{}", letters.take(LENGTH).collect::<String>())
}

/// Finds tokens in a text, also encoded, in other case, and with something between their letters.
pub fn find(text: &str, tokens: &[String]) -> Vec<Hit> {
    let mut hits = Vec::new();
    let what = "a canary, which must not be seen here";
    let folded = Folded::plain(text);
    let squeezed = letters(folded.text());
    let hidden: Vec<_> = layers(text).into_iter().map(|layer| (letters(&layer.text), layer.span)).collect();
    for token in tokens {
        let wanted = letters(token);
        if wanted.len() < 4 {
            continue;
        }
        let direct = folded.text().find(&token.to_lowercase());
        if let Some(start) = direct {
            hits.push(Hit::new(CANARY, 1.0, folded.origin(&(start..start + token.len())), what));
        } else if squeezed.contains(&wanted) || squeezed.contains(&wanted.chars().rev().collect::<String>()) {
            hits.push(Hit::new(CANARY, 1.0, 0..text.len(), what));
        } else if let Some((_, span)) = hidden.iter().find(|(layer, _)| layer.contains(&wanted)) {
            hits.push(Hit::new(CANARY, 1.0, span.clone(), what));
        }
    }
    hits
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    #[test]
    fn a_canary_is_seen_however_it_is_written() {
        let token = token("run-7");
        assert_eq!(token, super::token("run-7"));
        assert_ne!(token, super::token("run-8"));
        let spaced: String = token.chars().flat_map(|c| [c, ' ']).collect();
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("it is {token}"));
        let turned: String = token.chars().rev().collect();
        for text in [format!("x {token} y"), token.to_uppercase(), spaced, encoded, turned] {
            assert_eq!(find(&text, std::slice::from_ref(&token)).len(), 1, "{text}");
        }
        assert_eq!(find("nothing", &[token]), []);
    }
}
