//! What both servers remember.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::twist::Twist;

/// What was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Clients that were registered.
    pub registrations: usize,
    /// Pages of the login that were asked for.
    pub pages: usize,
    /// Tokens that were given for a code.
    pub codes: usize,
    /// Tokens that were renewed.
    pub refreshes: usize,
    /// Tokens that were given to a client of its own right.
    pub clients: usize,
    /// Tokens that were taken back.
    pub revocations: usize,
    /// Calls of tools that were carried out.
    pub calls: usize,
}

/// A client, as the login server knows it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) secret: Option<String>,
    /// Where its browser may be sent to; none for one that has none.
    pub(super) redirects: Vec<String>,
}

/// A code that was given and not used yet.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) redirect: String,
    pub(super) challenge: String,
    pub(super) scopes: Vec<String>,
}

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) until: Instant,
    pub(super) scopes: Vec<String>,
    /// The login that it belongs to.
    pub(super) family: usize,
}

/// What renews a token, once.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub(super) client: String,
    pub(super) scopes: Vec<String>,
    pub(super) family: usize,
    pub(super) used: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) twist: Twist,
    pub(super) seen: Seen,
    pub(super) faults: Vec<String>,
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) codes: BTreeMap<String, Code>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) refreshes: BTreeMap<String, Refresh>,
    /// Everything that must be seen by nobody else.
    pub(super) secrets: Vec<String>,
    pub(super) count: usize,
}

impl State {
    /// A text that was not given before. It is long enough to be found where it should not be.
    pub(super) fn fresh(&mut self, kind: &str) -> String {
        self.count += 1;
        let text =
            format!("{kind}-{:08}-{:016x}", self.count, self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.secrets.push(text.clone());
        text
    }

    /// A new login.
    pub(super) fn family(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    /// Gives a token, and what renews it.
    pub(super) fn issue(
        &mut self,
        client: &str,
        scopes: &[String],
        family: usize,
        renews: bool,
    ) -> (String, Option<String>) {
        let access = self.fresh("access");
        let until = Instant::now() + Duration::from_secs(self.twist.lifetime);
        self.tokens.insert(access.clone(), Token { until, scopes: scopes.to_vec(), family });
        let renews = renews && self.twist.refreshes;
        let refresh = renews.then(|| self.fresh("refresh"));
        if let Some(refresh) = &refresh {
            let kept = Refresh { client: client.to_owned(), scopes: scopes.to_vec(), family, used: false };
            self.refreshes.insert(refresh.clone(), kept);
        }
        (access, refresh)
    }

    /// Ends a login with all its tokens.
    pub(super) fn end(&mut self, family: usize) {
        self.tokens.retain(|_, token| token.family != family);
        self.refreshes.retain(|_, refresh| refresh.family != family);
    }
}
