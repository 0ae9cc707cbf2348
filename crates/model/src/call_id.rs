//! Ids of tool calls: unique in a transcript, whatever a server sends.

use std::collections::HashSet;

use adjutant_core::id::CallId;

use crate::request::Request;

/// The ids that a transcript uses already.
///
/// Some servers send no id, some count from zero in every answer. A call and its result carry the id that is given
/// here, so a server that did not care about its own ids understands both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    used: HashSet<CallId>,
}

impl Ids {
    pub(crate) fn of(request: &Request) -> Self {
        Self { used: request.call_ids() }
    }

    /// Takes the proposed id, or one made from it where it is missing or used.
    pub(crate) fn claim(&mut self, proposed: Option<&str>, index: u32) -> CallId {
        let base = match proposed {
            Some(id) if !id.is_empty() => id.to_owned(),
            _ => format!("call_{index}"),
        };
        let mut id = CallId::from(base.as_str());
        let mut turn = 2u32;
        while !self.used.insert(id.clone()) {
            id = CallId::from(format!("{base}_{turn}").as_str());
            turn = turn.saturating_add(1);
        }
        id
    }
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
}
