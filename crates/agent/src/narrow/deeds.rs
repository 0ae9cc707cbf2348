//! What people ask to be done, in words: which verbs stand for each other, and what a verb speaks of by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use adjutant_tool::search::terms;

/// Verbs of one kind, a kind a line: its name, the wider kind that it belongs to, the verbs, and what they are about without
/// its being said. General English for what tools do; no solution of a task was looked at for them.
const KINDS: &str = "
send : send forward reply respond notify inform tell dispatch deliver submit publish post broadcast announce :
mail > send : email mail : email message
text > send : text sms : sms message
say > send : message : message
pay > send : pay refund reimburse repay transfer wire remit donate settle : money payment
make : create make add schedule book arrange organize organise plan insert put save store write draft generate record log \
    register enter open set setup reserve prepare compose produce build :
remind > make : remind : reminder
add : add append insert attach include put write :
invite > add : invite : participant event
change : update change edit modify adjust amend correct fix set alter increase decrease raise lower rename replace switch \
    extend shorten adapt assign :
move > change : reschedule move postpone shift delay : event
remove : delete remove cancel erase clear discard drop trash purge wipe revoke withdraw unsubscribe :
share : share grant :
buy : buy purchase order :
run : run execute launch start trigger deploy restart :
close : close resolve complete finish end stop disable shut :
enable : enable activate resume unlock :
merge : merge combine join :
approve : approve accept confirm :
reject : reject decline refuse deny :
look : show list read get fetch find check look view see display search retrieve review :
copy : copy clone duplicate :
upload : upload import :
";

/// Things of one kind, beside those that the search for tools knows.
const THINGS: &str = "
money payment transfer transaction rent bill invoice salary standing subscription fee
account profile info information detail data
address street city postcode location
file document spreadsheet sheet list drive folder doc
participant attendee guest invitee
event meeting appointment calendar lunch dinner call
email mail message
ticket issue request
";

/// A kind of deed, as a verb tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deed {
    /// Its own kinds.
    pub(super) kinds: BTreeSet<&'static str>,
    /// The wider kinds that these belong to.
    pub(super) wider: BTreeSet<&'static str>,
    /// What it is about without its being said.
    pub(super) about: BTreeSet<String>,
}

impl Deed {
    /// What both can be about, where they are of one kind: `pay` is to send money, and to send anything else is not to pay.
    pub(super) fn fits(&self, other: &Self, thing: &str) -> bool {
        if !self.kinds.is_disjoint(&other.kinds) {
            return true;
        }
        let is_of = |one: &Self, other: &Self| {
            !one.wider.is_disjoint(&other.kinds) && one.about.iter().any(|about| same(about).contains(thing))
        };
        let both_are = !self.wider.is_disjoint(&other.wider)
            && [self, other].iter().all(|deed| deed.about.iter().any(|about| same(about).contains(thing)));
        is_of(self, other) || is_of(other, self) || both_are
    }
}

/// The deed that a term stands for, where it is a verb that is known.
pub(super) fn deed(term: &str) -> Option<&'static Deed> {
    DEEDS.get(term)
}

/// The terms that stand for the same kind of thing.
pub(super) fn same(term: &str) -> BTreeSet<String> {
    let own = THINGS_OF.get(term).into_iter().flatten();
    let others = adjutant_tool::search::synonyms(term).iter().chain(own);
    others.cloned().chain([term.to_owned()]).collect()
}

static DEEDS: LazyLock<BTreeMap<String, Deed>> = LazyLock::new(|| {
    let mut deeds: BTreeMap<String, Deed> = BTreeMap::new();
    for line in KINDS.lines() {
        let mut parts = line.split(':');
        let (Some(kinds), Some(verbs)) = (parts.next(), parts.next()) else { continue };
        let about = terms(parts.next().unwrap_or_default());
        for verb in terms(verbs) {
            let deed = deeds.entry(verb).or_default();
            let mut kinds = kinds.split('>').map(str::trim);
            deed.kinds.extend(kinds.next());
            deed.wider.extend(kinds);
            deed.about.extend(about.iter().cloned());
        }
    }
    deeds
});

static THINGS_OF: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut things: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in THINGS.lines() {
        let group = terms(line);
        for term in &group {
            things
                .entry(term.clone())
                .or_default()
                .extend(group.iter().filter(|other| *other != term).cloned());
        }
    }
    things
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_have_kinds() {
        let kinds = |verb: &str| {
            deed(&terms(verb).remove(0)).map(|deed| Vec::from_iter(deed.kinds.union(&deed.wider).copied()))
        };
        assert_eq!(kinds("refunding"), Some(vec!["pay", "send"]));
        assert_eq!(kinds("scheduled"), Some(vec!["make"]));
        assert_eq!(kinds("reschedule"), Some(vec!["change", "move"]));
        assert_eq!(kinds("cancel"), Some(vec!["remove"]));
        assert_eq!(kinds("wonder"), None);
        assert!(same("file").contains("document") && same("meet").contains("event"), "{:?}", same("meet"));
    }
}
