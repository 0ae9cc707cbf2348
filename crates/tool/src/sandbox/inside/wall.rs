//! The second wall: landlock, which binds a process and all that it starts to the files that it is to see.
//!
//! bubblewrap leaves nothing else to be seen. Should that fail, by a hole in the kernel's namespaces or a folder that was
//! left open, this one stands: it knows no namespaces. It also keeps signals and abstract sockets within.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};

use super::Orders;

/// The newest version whose rights are used where the kernel has it.
const NEWEST: ABI = ABI::V6;

/// What the kernel has of landlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Landlock {
    /// Nothing, or it is switched off.
    None,
    /// It binds files.
    Files,
    /// It binds files, signals and abstract sockets.
    Whole,
}

impl Landlock {
    /// Asks the kernel. Binds nothing.
    pub(in crate::sandbox) fn of_kernel() -> Self {
        let has = |version: ABI| {
            let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
            let ruleset = ruleset.handle_access(AccessFs::from_all(version));
            let scope = Scope::from_all(version);
            let ruleset = ruleset.and_then(|set| if scope.is_empty() { Ok(set) } else { set.scope(scope) });
            ruleset.and_then(Ruleset::create).is_ok()
        };
        match (has(NEWEST), has(ABI::V1)) {
            (true, _) => Self::Whole,
            (_, true) => Self::Files,
            _ => Self::None,
        }
    }
}

/// Binds this process, and what it becomes and starts. Does nothing where the kernel has no landlock.
pub(super) fn raise(orders: &Orders) -> Result<(), String> {
    if orders.read.is_empty() && orders.write.is_empty() {
        return Ok(());
    }
    bind(orders).map_err(|error| format!("landlock cannot be used: {error}"))
}

fn bind(orders: &Orders) -> Result<(), RulesetError> {
    let all: BitFlags<AccessFs> = AccessFs::from_all(NEWEST);
    // What is not there is left out: it cannot be reached either. The root is the sandbox's own, so that looking around in
    // it gives nothing away; the host's is another one.
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&orders.read, AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(&orders.write, all))?
        .restrict_self()?;
    Ok(())
}
