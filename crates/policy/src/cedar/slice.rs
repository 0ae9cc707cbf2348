//! [`Slices`]: the policies that can hold for an action and a principal, found by name.
//!
//! A policy costs about a microsecond to evaluate, so a decision looks at those only whose scope it meets.

use std::collections::HashMap;

use super::rule::{Actions, Rule, Whose};
use crate::facts::Principal;

/// The policies by the action and the principal of their scope.
#[derive(Debug, Default)]
pub(super) struct Slices {
    all: Shelf,
    by_action: HashMap<String, Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    anyone: Slice,
    agents: HashMap<String, Slice>,
    users: HashMap<String, Slice>,
    tenants: HashMap<String, Slice>,
}

/// Policies with the same scope, by their places in the list of rules.
type Slice = Vec<usize>;

impl Slices {
    /// Sorts rules.
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut slices = Self::default();
        for (index, rule) in rules.iter().enumerate() {
            match &rule.actions {
                Actions::All => slices.all.add(index, rule),
                Actions::Named(names) => {
                    for name in names {
                        slices.by_action.entry(name.clone()).or_default().add(index, rule);
                    }
                }
            }
        }
        slices
    }

    /// The slices of an action, which is in these groups.
    fn shelves<'a>(&'a self, action: &'a str, groups: &'a [String]) -> impl Iterator<Item = &'a Shelf> {
        let names = std::iter::once(action).chain(groups.iter().map(String::as_str));
        std::iter::once(&self.all).chain(names.filter_map(|name| self.by_action.get(name)))
    }

    /// The rules of an action for one agent.
    pub(super) fn get<'a>(
        &'a self,
        action: &'a str,
        groups: &'a [String],
        principal: &'a Principal,
        agent: &'a str,
    ) -> impl Iterator<Item = usize> + 'a {
        let user = principal.user.as_ref().map(|user| user.id.as_str());
        let of_shelf = move |shelf: &'a Shelf| {
            let agent = shelf.agents.get(agent);
            let user = user.and_then(|user| shelf.users.get(user));
            let tenant = shelf.tenants.get(&principal.tenant);
            std::iter::once(&shelf.anyone).chain(agent).chain(user).chain(tenant)
        };
        self.shelves(action, groups).flat_map(of_shelf).flatten().copied()
    }

    /// The rules of an action, whoever wants it.
    pub(super) fn rules<'a>(
        &'a self,
        action: &'a str,
        groups: &'a [String],
    ) -> impl Iterator<Item = usize> + 'a {
        let of_shelf = |shelf: &'a Shelf| {
            let named = [&shelf.agents, &shelf.users, &shelf.tenants].into_iter().flat_map(HashMap::values);
            std::iter::once(&shelf.anyone).chain(named).flatten().copied()
        };
        self.shelves(action, groups).flat_map(of_shelf)
    }
}

impl Shelf {
    fn add(&mut self, index: usize, rule: &Rule) {
        let slice = match &rule.whose {
            Whose::Anyone => &mut self.anyone,
            Whose::Agent(id) => self.agents.entry(id.clone()).or_default(),
            Whose::User(id) => self.users.entry(id.clone()).or_default(),
            Whose::Tenant(id) => self.tenants.entry(id.clone()).or_default(),
        };
        // A policy that names an action twice is there already.
        if slice.last() != Some(&index) {
            slice.push(index);
        }
    }
}
