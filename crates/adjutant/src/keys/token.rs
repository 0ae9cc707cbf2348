//! Tokens: what whoever asks a service sends, `adj_ID_SECRET`.
//!
//! The id says which key it is and is no secret. The secret has 280 random bits. The last six characters are a checksum over all that
//! stands before, so that a slip of the hand is told from a key that there is not, without a look into the store, and so that those
//! who search files for secrets that leaked find no text that only looks alike.
//!
//! What is kept is one BLAKE3 hash of the secret. A slow hash protects words that people choose, whose guesses can be counted; nobody
//! guesses 280 random bits, and a key is verified with every request.

use adjutant_core::hash::Digest;
use adjutant_core::id::{ALPHABET, base32};
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};

/// What every token begins with.
const PREFIX: &str = "adj_";
/// Random bytes, and the characters that they are.
const ID: (usize, usize) = (10, 16);
const SECRET: (usize, usize) = (35, 56);
/// The characters of the checksum.
const CHECKSUM: usize = 6;

/// A token that was read: its form is right, which says nothing yet of whether there is such a key.
pub(super) struct Token<'a> {
    pub(super) id: &'a str,
    secret: &'a str,
}

/// Makes a token of random bytes. Returns its id, the hash of its secret, and the token.
pub(super) fn make(id: [u8; ID.0], secret: [u8; SECRET.0]) -> (String, Digest, Secret) {
    let (id, secret) = (base32(&id), base32(&secret));
    let token = Token { id: &id, secret: &secret };
    let (hash, checksum) = (token.hash(), token.checksum());
    let text = Secret::new(format!("{PREFIX}{id}_{secret}{checksum}"));
    (id, hash, text)
}

impl<'a> Token<'a> {
    /// Reads a token. Fails with [`Code::KeyRefused`] for what is none, or has a slip in it; the message does not repeat it.
    pub(super) fn read(text: &'a str) -> Result<Self> {
        let refused = |message: &str, help: &str| Err(Error::new(Code::KeyRefused, message).with_help(help));
        let is_plain = |part: &str| part.bytes().all(|byte| ALPHABET.contains(&byte));
        let rest = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, rest)) = rest.filter(|(id, rest)| is_plain(id) && is_plain(rest)) else {
            return refused("this is no key of adjutant's", "keys look like `adj_ID_SECRET`");
        };
        let whole = (id.len(), rest.len()) == (ID.1, SECRET.1 + CHECKSUM);
        let parts = rest.split_at_checked(SECRET.1).filter(|_| whole);
        match parts.map(|(secret, checksum)| (Self { id, secret }, checksum)) {
            Some((token, checksum)) if token.checksum() == checksum => Ok(token),
            _ => refused("the key was not copied right: its checksum does not fit", "copy all of it anew"),
        }
    }

    /// What is kept of the secret.
    pub(super) fn hash(&self) -> Digest {
        Digest::of_parts(&[b"adjutant key", self.id.as_bytes(), self.secret.as_bytes()])
    }

    fn checksum(&self) -> String {
        let digest =
            Digest::of_parts(&[b"adjutant key checksum", self.id.as_bytes(), self.secret.as_bytes()]);
        base32(digest.as_bytes()).chars().take(CHECKSUM).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_made() {
        let (id, hash, token) = make([7; 10], [9; 35]);
        let read = Token::read(token.expose()).unwrap();
        assert_eq!((read.id, read.hash()), (id.as_str(), hash));
        assert_eq!(token.expose().len(), 83);
        let (_, other, _) = make([8; 10], [9; 35]);
        assert!(!hash.fits(&other), "the same secret under another id is another key");
    }

    #[test]
    fn every_slip_is_told() {
        let (_, _, token) = make([7; 10], [9; 35]);
        let text = token.expose();
        for index in 0..text.len() {
            let mut slip: Vec<char> = text.chars().collect();
            slip[index] = if slip[index] == 'x' { 'y' } else { 'x' };
            let slip: String = slip.into_iter().collect();
            assert!(Token::read(&slip).is_err(), "{slip}");
            assert!(Token::read(&text[..index]).is_err());
        }
        for odd in ["", "adj_", "adj__", "sk-1234", "adj_ü_ü", &format!("{text} "), &format!("{text}0")] {
            let error = Token::read(odd).map(|token| token.id.to_owned()).unwrap_err();
            assert_eq!(error.code(), Code::KeyRefused, "{odd}");
            assert!(odd.len() < 8 || !error.message().contains(odd));
        }
    }
}
