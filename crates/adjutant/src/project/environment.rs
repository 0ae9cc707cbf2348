//! The environment as a value, so that tests bring their own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Environment variables, as they were when they were taken.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<String, String>>,
    /// Settings that were typed, which go before all others.
    typed: Arc<Vec<(String, String)>>,
}

impl Environment {
    /// The variables of this process. One whose name or value is not Unicode is left out.
    pub fn process() -> Self {
        let pairs = std::env::vars_os();
        pairs
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The same with one more variable, or with another value for it.
    #[must_use]
    pub fn with(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut variables = Arc::unwrap_or_clone(self.variables);
        variables.insert(name.into(), value.into());
        Self { variables: Arc::new(variables), ..self }
    }

    /// The same with a setting that was typed, such as `server.listen`: it goes before the file and the variables.
    #[must_use]
    pub fn setting(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let mut typed = Arc::unwrap_or_clone(self.typed);
        typed.push((key.into(), value.into()));
        Self { typed: Arc::new(typed), ..self }
    }

    /// The settings that were typed, in the order in which they were.
    pub(super) fn typed(&self) -> &[(String, String)] {
        &self.typed
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The value of a variable; none for one that is not set or is set to nothing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables: Arc::new(variables), typed: Arc::default() }
    }
}

impl fmt::Debug for Environment {
    /// Shows no value: keys stand there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
