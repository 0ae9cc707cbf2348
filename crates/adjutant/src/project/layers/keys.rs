//! The settings that the environment and flags can give: every one of `[server]`, and the most important others.

use adjutant_core::nearest;

/// What all variables that give settings begin with.
pub(super) const PREFIX: &str = "ADJUTANT_";

/// Variables that the program reads or sets, and that are no settings.
pub(super) const OTHERS: [&str; 10] = [
    "ADJUTANT_ATTEMPT",
    "ADJUTANT_IDEMPOTENCY_KEY",
    "ADJUTANT_KEY",
    "ADJUTANT_MODEL",
    "ADJUTANT_NOTICE_ID",
    "ADJUTANT_PROJECT",
    "ADJUTANT_RUN",
    "ADJUTANT_SKILLS",
    "ADJUTANT_STEP",
    "ADJUTANT_URL",
];

/// What a setting is, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    /// Texts with commas between them.
    Texts,
}

/// A setting that the environment and flags can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The keys that lead to it, joined by dots.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// What holds where nobody says anything, as text; nothing where that is empty.
    pub(super) default: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { path, kind, default }
}

/// All of them, in the order in which they are shown.
pub(super) const KEYS: [Key; 63] = [
    key("project.name", Kind::Text, "local"),
    key("project.tenant", Kind::Text, "local"),
    key("project.agent", Kind::Text, ""),
    key("project.route", Kind::Flag, "false"),
    key("project.titles", Kind::Flag, "true"),
    key("store.path", Kind::Text, ".adjutant/adjutant.db"),
    key("catalogue", Kind::Text, ""),
    key("budget.money", Kind::Text, ""),
    key("budget.tokens", Kind::Number, ""),
    key("limits.steps", Kind::Number, ""),
    key("limits.tokens", Kind::Number, ""),
    key("limits.money", Kind::Text, ""),
    key("limits.wall_time", Kind::Text, ""),
    key("limits.idle_time", Kind::Text, ""),
    key("limits.repeats", Kind::Number, ""),
    key("limits.errors", Kind::Number, ""),
    key("policy.mode", Kind::Text, "enforce"),
    key("policy.lockdown", Kind::Flag, "false"),
    key("sandbox.work", Kind::Text, ".adjutant/work"),
    key("approvals.expires", Kind::Text, ""),
    key("approvals.webhook", Kind::Text, ""),
    key("approvals.secret", Kind::Text, ""),
    key("vault.key", Kind::Text, ""),
    key("server.listen", Kind::Text, "127.0.0.1:8642"),
    key("server.public_url", Kind::Text, ""),
    key("server.anonymous", Kind::Text, ""),
    key("server.tls.certificate", Kind::Text, ""),
    key("server.tls.key", Kind::Text, ""),
    key("server.oidc.issuer", Kind::Text, ""),
    key("server.oidc.audience", Kind::Text, ""),
    key("server.oidc.jwks", Kind::Text, ""),
    key("server.oidc.jwks_file", Kind::Text, ""),
    key("server.oidc.role_claim", Kind::Text, "role"),
    key("server.oidc.tenant_claim", Kind::Text, "tenant"),
    key("server.oidc.principal_claim", Kind::Text, "sub"),
    key("server.oidc.own_only", Kind::Texts, ""),
    key("server.cors", Kind::Texts, ""),
    key("server.trusted_proxies", Kind::Texts, ""),
    key("server.requests_per_minute", Kind::Number, "6000"),
    key("server.burst", Kind::Number, "600"),
    key("server.strangers_per_minute", Kind::Number, "120"),
    key("server.metrics", Kind::Text, ""),
    key("server.most_connections", Kind::Number, "20000"),
    key("server.most_requests", Kind::Number, "1000"),
    key("server.most_streams", Kind::Number, "15000"),
    key("server.most_queued", Kind::Number, "10000"),
    key("server.largest_body", Kind::Number, "16777216"),
    key("server.largest_head", Kind::Number, "65536"),
    key("server.head_timeout", Kind::Text, "10s"),
    key("server.body_timeout", Kind::Text, "60s"),
    key("server.wait_timeout", Kind::Text, "10m"),
    key("server.heartbeat", Kind::Text, "15s"),
    key("server.notice", Kind::Text, "0s"),
    key("server.drain", Kind::Text, "30s"),
    key("server.when_busy", Kind::Text, "enqueue"),
    key("server.log", Kind::Text, "text"),
    key("server.reload", Kind::Flag, "true"),
    key("server.private_hosts", Kind::Texts, ""),
    key("sandbox.memory", Kind::Number, ""),
    key("sandbox.processes", Kind::Number, ""),
    key("sandbox.folder_bytes", Kind::Number, ""),
    key("sandbox.network_bytes", Kind::Number, ""),
    key("sandbox.cpu_percent", Kind::Number, ""),
];

impl Key {
    /// The variable that gives it.
    pub(super) fn variable(self) -> String {
        format!("{PREFIX}{}", self.path.to_uppercase().replace('.', "_"))
    }
}

/// The setting of that name.
pub(super) fn named(path: &str) -> Option<Key> {
    KEYS.into_iter().find(|key| key.path == path)
}

/// What holds of a setting where nobody says anything, as text.
pub(in crate::project) fn default_of(path: &str) -> Option<&'static str> {
    named(path).map(|key| key.default)
}

/// What a variable is likely meant to be that gives no setting and is none of the others; none where it may be anything.
pub(super) fn meant(variable: &str) -> Option<String> {
    let variables: Vec<String> = KEYS.iter().map(|key| key.variable()).collect();
    let known = || variables.iter().map(String::as_str).chain(OTHERS);
    if !variable.starts_with(PREFIX) || known().any(|known| known == variable) {
        return None;
    }
    nearest(variable, known()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_setting_has_a_variable_of_its_own() {
        let variables: BTreeSet<String> = KEYS.iter().map(|key| key.variable()).collect();
        assert_eq!(variables.len(), KEYS.len());
        assert!(OTHERS.iter().all(|other| !variables.contains(*other)));
        assert!(variables.contains("ADJUTANT_SERVER_TLS_CERTIFICATE"));
    }

    #[test]
    fn a_mistyped_variable_is_known_as_one() {
        assert_eq!(meant("ADJUTANT_SERVER_LISTN").as_deref(), Some("ADJUTANT_SERVER_LISTEN"));
        for free in ["ADJUTANT_SERVER_LISTEN", "ADJUTANT_RUN", "ADJUTANT_OF_MY_OWN", "HOME"] {
            assert_eq!(meant(free), None, "{free}");
        }
    }
}
