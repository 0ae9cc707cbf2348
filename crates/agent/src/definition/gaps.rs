//! What of a file could not be read.

/// What of a file could not be read: what seems to be missing there may only be hidden by another mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Which model it is.
    pub model: bool,
    /// Which tools there are.
    pub tools: bool,
    /// Which skills it has.
    pub skills: bool,
    /// Which variables are declared.
    pub variables: bool,
}
