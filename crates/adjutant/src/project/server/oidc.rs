//! `[server.oidc]`: tokens of an identity provider.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adjutant_agent::definition::document::Table;
use adjutant_core::role::Role;
use url::Url;

use super::read::address;

/// An identity provider (OpenID Connect), and what is read of its tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Oidc {
    /// The issuer, as it stands in `iss`.
    pub issuer: Url,
    /// What must stand in `aud`.
    pub audience: String,
    /// Where its keys are; found by way of the issuer where nothing is said.
    pub jwks: Option<Url>,
    /// The file that has its keys, in the place of an address.
    pub jwks_file: Option<PathBuf>,
    /// The claim that says what somebody may do: a text or a list of them.
    pub role_claim: String,
    /// The claim that says whose they are. A token without it is refused.
    pub tenant_claim: String,
    /// The claim that is the user for whom runs work, and whom policies ask about.
    pub principal_claim: String,
    /// The role of each value of the role claim; the words of the roles themselves where nothing is said.
    pub roles: BTreeMap<String, Role>,
    /// The values of the role claim that reach nothing but what is done for whoever has the token.
    pub own_only: Vec<String>,
}

impl Oidc {
    /// Reads the table; a relative path begins at `folder`.
    pub(super) fn read(table: Table<'_>, folder: &Path) -> Option<Self> {
        table.require("issuer", "add `issuer = \"https://login.example.com/\"`");
        table.require("audience", "add `audience = \"adjutant\"`: what its tokens say whom they are for");
        let issuer = address(&table, "issuer", true);
        let audience = table.text("audience").map(str::to_owned);
        let jwks = table.has("jwks").then(|| address(&table, "jwks", true));
        let jwks_file = table.text("jwks_file").map(|path| folder.join(path));
        if let (Some(node), Some(_)) = (table.value("jwks"), &jwks_file) {
            let message = format!(
                "`{}` and `{}` both say where the keys are",
                table.name_of("jwks"),
                table.name_of("jwks_file")
            );
            table.problems().report_with(node.place, message, "leave one of them out");
        }
        let claim = |key, usual: &str| table.text(key).unwrap_or(usual).to_owned();
        let (role_claim, tenant_claim) = (claim("role_claim", "role"), claim("tenant_claim", "tenant"));
        let principal_claim = claim("principal_claim", "sub");
        let named = table.named("roles").iter();
        let read = named.filter_map(|entry| {
            let role = entry.value.as_text().and_then(|word| word.parse::<Role>().ok());
            if role.is_none() {
                let words: Vec<_> = Role::ALL.iter().map(|role| format!("`{}`", role.as_str())).collect();
                let wanted = format!("one of {}", words.join(", "));
                table.wrong(&format!("roles.{}", entry.key), &entry.value, &wanted, "");
            }
            Some((entry.key.clone(), role?))
        });
        let roles: BTreeMap<String, Role> = read.collect();
        let usual = || Role::ALL.iter().map(|role| (role.as_str().to_owned(), *role)).collect();
        let roles = if table.has("roles") { roles } else { usual() };
        let own_only = own_only(&table, &roles);
        table.finish();
        let jwks = match jwks {
            Some(jwks) => Some(jwks?),
            None => None,
        };
        Some(Self {
            issuer: issuer?,
            audience: audience?,
            jwks,
            jwks_file,
            role_claim,
            tenant_claim,
            principal_claim,
            roles,
            own_only,
        })
    }
}

/// Which values of the role claim reach their own alone: they need a role that has a use for it.
fn own_only(table: &Table<'_>, roles: &BTreeMap<String, Role>) -> Vec<String> {
    let named = table.texts("own_only").unwrap_or_default();
    for (word, place) in &named {
        let message = match roles.get(*word) {
            None => format!("`{word}` is none of the values under `{}`", table.name_of("roles")),
            Some(role @ (Role::Developer | Role::Admin)) => {
                format!("`{word}` has the role `{role}`, which is about everybody's")
            }
            Some(_) => continue,
        };
        let help = "name values whose role is `viewer`, `operator` or `approver`";
        table.problems().report_with(*place, message, help);
    }
    named.into_iter().map(|(word, _)| word.to_owned()).collect()
}
