//! [`Owed`]: the links that the transaction under way still owes to what runs appended in it.
//!
//! A run appends many times within one commit. It gets one link for all of that, made at the end of the transaction: nothing is on
//! disk without its link, and what a link costs is shared by as many records as share a sync.

use std::collections::HashMap;
use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::id::Scope;
use adjutant_core::time::Timestamp;
use rusqlite::Connection;

use crate::chain::{Chain, Content, HASH};
use crate::store::Owner;

/// Records of a run that follow one another, and are in no link yet.
pub(crate) struct Unlinked {
    pub(crate) owner: Arc<Owner>,
    pub(crate) first: u64,
    /// Their hashes, one after the other.
    pub(crate) hashes: Vec<u8>,
    pub(crate) at: Timestamp,
}

impl Unlinked {
    fn end(&self) -> u64 {
        self.first + (self.hashes.len() / HASH) as u64
    }
}

/// What the transaction under way owes.
#[derive(Default)]
pub(crate) struct Owed {
    /// In the order in which runs first appended.
    batches: Vec<Unlinked>,
    /// The last batch of each run, by its row.
    last: HashMap<i64, usize>,
}

impl Owed {
    /// Takes records that were just written.
    pub(crate) fn take(&mut self, unlinked: Unlinked) {
        let row = unlinked.owner.row;
        match self.last.get(&row).and_then(|at| self.batches.get_mut(*at)) {
            Some(batch) if batch.end() == unlinked.first => {
                batch.hashes.extend_from_slice(&unlinked.hashes);
                batch.at = unlinked.at;
            }
            _ => {
                self.last.insert(row, self.batches.len());
                self.batches.push(unlinked);
            }
        }
    }

    /// Makes the links. Called before the commit, and before whatever makes links of its own: the order of a chain is that in which
    /// things were done.
    pub(crate) fn settle(&mut self, connection: &Connection) -> Result<()> {
        self.last.clear();
        let mut chains: HashMap<Scope, Chain> = HashMap::new();
        for Unlinked { owner, first, hashes, at } in self.batches.drain(..) {
            let content = Content { at, of: Some((&owner.run, first)), hashes: &hashes };
            match chains.get_mut(&owner.scope) {
                Some(chain) => chain.add(connection, &content)?,
                None => {
                    let mut chain = Chain::open(connection, &owner.scope, at)?;
                    chain.add(connection, &content)?;
                    chains.insert(owner.scope.clone(), chain);
                    continue;
                }
            };
        }
        Ok(())
    }
}
