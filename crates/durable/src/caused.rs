//! What a run has done to the world.

use std::collections::HashMap;

use adjutant_core::id::StepKey;
use adjutant_core::tool::Effect;

use crate::operation::Kind;
use crate::record::{Entry, Record};

/// The effects outside that a run may have caused and that are not answered before an offset: the fork does them
/// again, whether they happened or not. One line each.
pub fn caused(history: &[Record], before: u64) -> Vec<String> {
    let mut outside = HashMap::new();
    let mut begun: Vec<(u32, &StepKey)> = Vec::new();
    for record in history {
        let segment = record.segment;
        match &record.entry {
            Entry::Issued { key, operation, .. } => {
                let Kind::Effect(effects) = &operation.kind else { continue };
                if effects.effect != Effect::Pure {
                    outside.insert((segment, key), operation);
                }
                // The attempts of one that may be repeated are not recorded.
                if effects.effect == Effect::Idempotent {
                    begun.push((segment, key));
                }
            }
            Entry::Attempted { key, .. } => begun.push((segment, key)),
            Entry::Completed { key, .. } | Entry::Late { key, .. } if record.offset < before => {
                outside.remove(&(segment, key));
            }
            _ => {}
        }
    }
    // Taken out, so that a step of several attempts is told once.
    let line = |(segment, key)| {
        let operation = outside.remove(&(segment, key))?;
        Some(format!("{key}: {}", operation.summary()))
    };
    begun.into_iter().filter_map(line).collect()
}
