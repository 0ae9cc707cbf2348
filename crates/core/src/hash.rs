//! Content hashes: what a definition, a blob or an operation is known by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Up to so many bytes it is cheaper to put parts together than to hash them one by one.
const SMALL: usize = 4 << 10;

/// A BLAKE3 hash of 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes one text.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Hashes several parts, each preceded by its length, so that no two lists of parts collide by concatenation.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let length = parts.iter().map(|part| part.len() + size_of::<u64>()).sum();
        if length <= SMALL {
            let mut whole = Vec::with_capacity(length);
            for part in parts {
                whole.extend_from_slice(&(part.len() as u64).to_le_bytes());
                whole.extend_from_slice(part);
            }
            return Self::of(&whole);
        }
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes 32 bytes that were stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Whether it is the other one, in a time that does not tell how much of it fits: for hashes of secrets.
    pub fn fits(&self, other: &Self) -> bool {
        // The comparison of this type, unlike that of arrays, looks at every byte.
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }

    /// The first 12 digits: enough for a person to tell two apart.
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

/// Hashes one text that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all pieces, which is [`Digest::of`] the whole.
    pub fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

impl std::str::FromStr for Digest {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, crate::Error> {
        let invalid =
            || crate::Error::new(crate::Code::InputInvalid, format!("`{text}` is not a hash of 64 digits"));
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(index * 2..index * 2 + 2).ok_or_else(invalid)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Digest::of_parts(&[b"ab", b"c"]), Digest::of_parts(&[b"a", b"bc"]));
    }

    /// What is stored stays what it is, however it is hashed.
    #[test]
    fn parts_have_the_hash_of_their_lengths_and_texts() {
        for length in [0, 10, SMALL - 25, SMALL - 16, SMALL - 15, 3 * SMALL] {
            let long = vec![7; length];
            let mut whole = (length as u64).to_le_bytes().to_vec();
            whole.extend(&long);
            whole.extend([1, 0, 0, 0, 0, 0, 0, 0, b'x']);
            assert_eq!(Digest::of_parts(&[&long, b"x"]), Digest::of(&whole), "{length}");
        }
    }

    #[test]
    fn pieces_have_the_hash_of_the_whole() {
        let mut hasher = Hasher::default();
        ["ab", "", "c"].iter().for_each(|piece| hasher.update(piece.as_bytes()));
        assert_eq!(hasher.digest(), Digest::of(b"abc"));
    }

    #[test]
    fn text_and_bytes_are_the_same_hash() {
        let digest = Digest::of(b"desk");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("zz".parse::<Digest>().is_err());
        assert!(digest.fits(&Digest::of(b"desk")) && !digest.fits(&Digest::of(b"desks")));
    }
}
