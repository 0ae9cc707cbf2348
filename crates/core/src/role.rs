//! Roles: what somebody who asks a service may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::suggestion::nearest;

/// A kind of thing that is done with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Looking at agents, runs, sessions and usage.
    View,
    /// Starting runs, speaking to them, steering, cancelling and forking them.
    Run,
    /// Deciding about calls that wait for a person, and taking back what was allowed beforehand.
    Approve,
    /// Changing definitions, versions, labels, policies and triggers.
    Change,
    /// Everything else: keys, the audit log, erasing, pruning, settings.
    Administer,
}

/// What somebody may do.
///
/// Who runs agents does not decide about their calls, and who decides starts none: one person who is to do both has two keys, or is
/// an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, and runs.
    Operator,
    /// Looks, and decides about calls that wait.
    Approver,
    /// Looks, runs, and changes what is run.
    Developer,
    /// Does everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Operator, Self::Approver, Self::Developer, Self::Admin];

    /// Whether somebody with this role may do such a thing.
    pub fn may(self, right: Right) -> bool {
        match self {
            Self::Viewer => matches!(right, Right::View),
            Self::Operator => matches!(right, Right::View | Right::Run),
            Self::Approver => matches!(right, Right::View | Right::Approve),
            Self::Developer => matches!(right, Right::View | Right::Run | Right::Change),
            Self::Admin => true,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| {
            let error = Error::new(Code::InputInvalid, format!("`{text}` is not a role"));
            match nearest(text, Self::ALL.map(Self::as_str)) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error.with_help("use viewer, operator, approver, developer or admin"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_runs_and_decides_but_an_administrator() {
        for role in Role::ALL {
            assert!(role.may(Right::View), "{role}");
            let both = role.may(Right::Run) && role.may(Right::Approve);
            assert_eq!(both, role == Role::Admin, "{role}");
            assert_eq!(role.may(Right::Administer), role == Role::Admin, "{role}");
            assert_eq!(role.may(Right::Change), matches!(role, Role::Developer | Role::Admin), "{role}");
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        assert!("operater".parse::<Role>().unwrap_err().help().unwrap().contains("`operator`"));
    }
}
