//! [`Tokens`]: finds out for whom a token of an identity provider speaks.

use adjutant::project::Oidc;
use adjutant_core::{Code, Error, Result};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::claims;
use super::keys::ProviderKeys;
use super::signature::{self, ALGORITHMS};
use crate::access::caller::Who;

/// The longest token, in bytes.
const LONGEST: usize = 16 << 10;

/// How far the clocks of the provider and of this machine may be apart, in seconds.
const LEEWAY: u64 = 60;

/// Finds out for whom a token of an identity provider speaks.
pub(in crate::access) struct Tokens {
    oidc: Oidc,
    keys: ProviderKeys,
}

impl Tokens {
    /// Takes the tokens of a provider, which may stand in a private network where its host is listed.
    pub(in crate::access) fn new(oidc: Oidc, private_hosts: &[String]) -> Result<Self> {
        signature::install();
        let place = oidc.jwks.as_ref().unwrap_or(&oidc.issuer);
        let private = place.host_str().is_some_and(|host| private_hosts.iter().any(|listed| listed == host));
        let keys = ProviderKeys::new(&oidc, private)?;
        Ok(Self { oidc, keys })
    }

    /// Whether something that is shown has the form of a token.
    pub(in crate::access) fn is_token(shown: &str) -> bool {
        shown.starts_with("eyJ") && shown.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// For whom a token speaks. Fails with [`Code::KeyRefused`] for one that is not signed by the provider, not for this service, or
    /// over; and with [`Code::Overloaded`] where the provider would have to be asked and cannot be.
    pub(in crate::access) async fn verify(&self, token: &str) -> Result<Who> {
        let forged = || Error::new(Code::KeyRefused, "the token is not one of the identity provider");
        if token.len() > LONGEST {
            return Err(Error::new(Code::KeyRefused, format!("the token is longer than {LONGEST} bytes")));
        }
        let header = decode_header(token).map_err(|_| forged())?;
        // What the token says of itself only chooses among what is allowed anyway.
        if !ALGORITHMS.contains(&header.alg) {
            return Err(forged());
        }
        let keys = self.keys.of(header.kid.as_deref(), header.alg).await?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.oidc.audience]);
        let issuer = self.oidc.issuer.as_str();
        // Addresses are written with and without a slash at the end.
        validation.set_issuer(&[issuer, issuer.trim_end_matches('/')]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let mut refused = forged();
        for key in &keys {
            match read(token, key, &validation) {
                Ok(claims) => return claims::who(&self.oidc, &claims),
                Err(Some(error)) => refused = error,
                Err(None) => {}
            }
        }
        Err(refused)
    }
}

/// The claims of a token that is signed with a key. None where it is not; an error where it is, and is refused all the same: to
/// whoever has it, it is told why.
fn read(
    token: &str,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<Map<String, Value>, Option<Error>> {
    let told = |message: &str| Some(Error::new(Code::KeyRefused, message));
    decode::<Map<String, Value>>(token, key, validation).map(|token| token.claims).map_err(
        |error| match error.kind() {
            ErrorKind::ExpiredSignature => told("the token is over"),
            ErrorKind::ImmatureSignature => told("the token does not hold yet"),
            ErrorKind::InvalidAudience => told("the token is for somebody else"),
            ErrorKind::InvalidIssuer => told("the token is of another issuer"),
            ErrorKind::MissingRequiredClaim(claim) => told(&format!("the token says nothing in `{claim}`")),
            _ => None,
        },
    )
}
