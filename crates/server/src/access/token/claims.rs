//! What the claims of a token say of somebody. Pure.

use std::sync::Arc;

use adjutant::project::Oidc;
use adjutant_core::role::Role;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value};

use crate::access::caller::Who;

/// The longest name of somebody, in bytes.
const LONGEST: usize = 256;

/// For whom a token speaks. Fails with [`Code::KeyRefused`] where it does not say whose they are, who they are, or gives them no role.
pub(super) fn who(oidc: &Oidc, claims: &Map<String, Value>) -> Result<Who> {
    let text = |claim: &str| {
        let said = find(claims, claim).and_then(Value::as_str).filter(|said| is_name(said));
        said.ok_or_else(|| refused(format!("the token says nothing in `{claim}` that can be used")))
    };
    let user = text(&oidc.principal_claim)?.to_owned();
    let tenant = text(&oidc.tenant_claim)?;
    let (role, own_only) = role(oidc, claims).ok_or_else(|| {
        let message = format!("the token gives no role: nothing in `{}` stands for one", oidc.role_claim);
        refused(message)
            .with_help("give them one at the identity provider, or name what it says in `server.oidc.roles`")
    })?;
    Ok(Who {
        counted_as: format!("token:{}:{tenant}:{user}", oidc.issuer),
        name: user.clone(),
        by: format!("{user} (token)"),
        tenant: Arc::from(tenant),
        role,
        scopes: Vec::new(),
        own_only,
        user: Some(user),
        claims: claims.clone(),
    })
}

fn refused(message: String) -> Error {
    Error::new(Code::KeyRefused, message)
}

/// The most of what they may do, of all that is said of them, and whether all of it is for their own alone.
fn role(oidc: &Oidc, claims: &Map<String, Value>) -> Option<(Role, bool)> {
    let said = find(claims, &oidc.role_claim)?;
    let words: Vec<&str> = match said {
        Value::String(words) => words.split_whitespace().collect(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let is_own = |word: &str| oidc.own_only.iter().any(|own| own == word);
    let given = words.iter().filter_map(|word| Some((*oidc.roles.get(*word)?, is_own(word))));
    // What somebody may do for everybody counts before what they may do for themselves.
    let (own, any): (Vec<_>, Vec<_>) = given.partition(|(_, is_own)| *is_own);
    let given = if any.is_empty() { &own } else { &any };
    let role = Role::ALL.into_iter().rfind(|role| given.iter().any(|(given, _)| given == role))?;
    Some((role, any.is_empty()))
}

/// A claim by its name, or by the names that lead to it: `realm_access.roles`.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
    })
}

/// Whether something can be what somebody is called.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn oidc(role_claim: &str) -> Oidc {
        Oidc {
            issuer: "https://login.example/".parse().unwrap(),
            audience: "adjutant".to_owned(),
            jwks: None,
            jwks_file: None,
            role_claim: role_claim.to_owned(),
            tenant_claim: "tenant".to_owned(),
            principal_claim: "sub".to_owned(),
            roles: [("helpdesk", Role::Operator), ("boss", Role::Admin), ("eyes", Role::Viewer)]
                .map(|(word, role)| (word.to_owned(), role))
                .into(),
            own_only: vec!["eyes".to_owned()],
        }
    }

    fn read(role_claim: &str, claims: &Value) -> Option<(String, String, Role)> {
        let who = who(&oidc(role_claim), claims.as_object().unwrap()).ok()?;
        Some((who.user?, who.tenant.to_string(), who.role))
    }

    #[test]
    fn claims_say_who_somebody_is_and_what_they_may() {
        let ann = |role| Some(("ann".to_owned(), "shop".to_owned(), role));
        let with = |role: Value| read("role", &json!({ "sub": "ann", "tenant": "shop", "role": role }));
        assert_eq!(with(json!("helpdesk")), ann(Role::Operator));
        assert_eq!(with(json!("eyes helpdesk")), ann(Role::Operator));
        assert_eq!(with(json!(["helpdesk", "boss", "x"])), ann(Role::Admin));
        for none in
            [json!("admin"), json!([]), json!(null), json!(1), json!({ "boss": true }), json!([["boss"]])]
        {
            assert_eq!(with(none.clone()), None, "{none}");
        }
        let own = |role: Value| {
            let claims = json!({ "sub": "ann", "tenant": "shop", "role": role });
            who(&oidc("role"), claims.as_object().unwrap()).unwrap().own_only
        };
        assert!(own(json!("eyes")) && !own(json!("helpdesk")) && !own(json!(["eyes", "helpdesk"])));
        let nested = json!({ "sub": "ann", "tenant": "shop", "realm": { "roles": ["eyes"] } });
        assert_eq!(read("realm.roles", &nested), ann(Role::Viewer));
        let named = json!({ "sub": "ann", "tenant": "shop", "https://a.example/roles": "eyes" });
        assert_eq!(read("https://a.example/roles", &named), ann(Role::Viewer));
    }

    #[test]
    fn who_says_not_who_they_are_is_refused() {
        for claims in [
            json!({ "tenant": "shop", "role": "boss" }),
            json!({ "sub": "ann", "role": "boss" }),
            json!({ "sub": "", "tenant": "shop", "role": "boss" }),
            json!({ "sub": "ann", "tenant": ["shop", "bank"], "role": "boss" }),
            json!({ "sub": "ann\n", "tenant": "shop", "role": "boss" }),
            json!({ "sub": 7, "tenant": "shop", "role": "boss" }),
            json!({ "sub": "a".repeat(300), "tenant": "shop", "role": "boss" }),
        ] {
            assert_eq!(read("role", &claims), None, "{claims}");
        }
    }
}
