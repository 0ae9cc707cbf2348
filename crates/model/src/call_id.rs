//! Ids of tool calls: unique in a transcript, whatever a server sends.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use adjutant_core::hash::Digest;
use adjutant_core::id::CallId;

use crate::request::Request;

/// The ids that a transcript uses already.
///
/// Some servers send no id, some count from zero in every answer. A call and its result carry the id that is given
/// here, so a server that did not care about its own ids understands both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    used: HashSet<CallId>,
    /// The number behind which a repeated id goes on: counting from the start each time would take a hostile answer long.
    next: HashMap<String, u32>,
}

impl Ids {
    pub(crate) fn of(request: &Request) -> Self {
        Self { used: request.call_ids(), next: HashMap::new() }
    }

    /// Takes the proposed id, or one made from it where it is missing or used.
    pub(crate) fn claim(&mut self, proposed: Option<&str>, index: u32) -> CallId {
        let base = match proposed {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => format!("call_{index}"),
        };
        let mut id = CallId::from(base.as_str());
        if self.used.insert(id.clone()) {
            return id;
        }
        let next = self.next.entry(base.clone()).or_insert(2);
        while !self.used.insert(id.clone()) {
            id = CallId::from(format!("{base}_{next}").as_str());
            *next = next.saturating_add(1);
        }
        id
    }
}

/// An id as interfaces take it that want at most 64 of `a-z`, `A-Z`, `0-9`, `_` and `-`: another provider may have made
/// it. The same id always becomes the same, whatever else the transcript holds.
pub(crate) fn plain(id: &CallId) -> Cow<'_, str> {
    const MOST: usize = 64;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let text = id.as_str();
    if !text.is_empty() && text.len() <= MOST && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().filter(|c| is_plain(*c)).take(40).collect();
    Cow::Owned(format!("{kept}_{}", Digest::of(text.as_bytes()).short()))
}

/// An id as Mistral takes it: nine letters and digits. The same id always becomes the same.
pub(crate) fn nine(id: &CallId) -> Cow<'_, str> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const LENGTH: usize = 9;
    let text = id.as_str();
    if text.len() == LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Cow::Borrowed(text);
    }
    let digest = Digest::of(text.as_bytes());
    let digits = digest.as_bytes().iter().filter_map(|byte| DIGITS.get(usize::from(*byte) % DIGITS.len()));
    Cow::Owned(digits.take(LENGTH).map(|digit| char::from(*digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_and_made_unique() {
        let mut ids = Ids::default();
        let claimed =
            [Some("a"), Some("a"), None, Some(""), Some("a")].map(|id| ids.claim(id, 0).to_string());
        assert_eq!(claimed, ["a", "a_2", "call_0", "call_0_2", "a_3"]);
    }

    #[test]
    fn an_id_of_another_provider_is_made_plain() {
        for id in ["call_1", "toolu_01-X", &"a".repeat(64)] {
            assert_eq!(plain(&CallId::from(id)), id);
        }
        let strange = ["", "a.b", "a:b", "ä", &"a".repeat(65), "functions.look:0"];
        let plain: HashSet<String> = strange.map(|id| plain(&CallId::from(id)).into_owned()).into();
        assert_eq!(plain.len(), strange.len(), "{plain:?}");
        for id in &plain {
            assert!(
                id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
                "{id}"
            );
        }
    }

    #[test]
    fn an_id_of_another_provider_is_made_mistrals() {
        assert_eq!(nine(&CallId::from("aB3dE5gH7")), "aB3dE5gH7");
        let strange = ["", "call_0", "call_0_2", "aB3dE5gH7_2", "aB3dE5gHä", "aB3dE5gH", "functions.look:0"];
        let made: HashSet<String> = strange.map(|id| nine(&CallId::from(id)).into_owned()).into();
        assert_eq!(made.len(), strange.len(), "{made:?}");
        for id in &made {
            assert!(id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
            assert_eq!(nine(&CallId::from(id.as_str())), *id);
        }
    }
}
