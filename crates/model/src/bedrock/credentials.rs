//! Who asks: a bearer token, or keys that sign.

use std::sync::Arc;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use url::Url;

use super::BEDROCK;
use super::profile_file::ProfileFile;
use super::sign::Signer;
use crate::provider::Config;
use crate::transport::{Authorize, KeyHeader};

/// The keys of an account at Amazon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) access_key_id: Secret,
    pub(super) secret_access_key: Secret,
    /// Only with keys that hold for some hours.
    pub(super) session_token: Option<Secret>,
}

impl Keys {
    /// Those that nobody may see; the id of a key is in every request that it signs.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.secret_access_key).chain(&self.session_token)
    }
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// They were configured.
    Fixed(Keys),
    /// They are read anew for each request: other programs put fresh ones there.
    File(ProfileFile),
}

impl Source {
    /// The keys of this moment. Fails with `model-key-missing`.
    pub(super) fn keys(&self) -> Result<Keys> {
        match self {
            Self::Fixed(keys) => Ok(keys.clone()),
            Self::File(file) => file.keys(),
        }
    }
}

/// Who asks, by what is configured: a bearer token first, as Amazon's clients have it, then keys, then the file of keys
/// that Amazon's tools share. That file speaks only to Amazon; elsewhere one may ask without any key.
pub(super) fn authorize(config: &Config) -> Result<Arc<dyn Authorize>> {
    let address = config.address()?;
    let has_header = config.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    if config.key.is_some() || has_header {
        return Ok(Arc::new(config.bearer()?));
    }
    let source = match configured(config)? {
        Some(keys) => Source::Fixed(keys),
        None if is_amazon(&address) => Source::File(ProfileFile::of(config)?),
        None => return Ok(Arc::new(KeyHeader::none())),
    };
    // Whoever has no keys shall hear it before the first request.
    source.keys()?;
    Ok(Arc::new(Signer::new(source, region(config, &address)?)))
}

fn configured(config: &Config) -> Result<Option<Keys>> {
    let secret = |key: &str| config.credentials.get(key).cloned();
    let lacks = |lacking: &str, given: &str| {
        let message = format!("the model `{}` has the `{given}` of an account and no `{lacking}`", config.id);
        Error::new(Code::ModelKeyMissing, message)
            .with_help(format!("set {} too, or `{lacking}` of the model", lacking_variable(lacking)))
    };
    match (secret("access_key_id"), secret("secret_access_key")) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Ok(Some(Keys { access_key_id, secret_access_key, session_token: secret("session_token") }))
        }
        (Some(_), None) => Err(lacks("secret_access_key", "access_key_id")),
        (None, Some(_)) => Err(lacks("access_key_id", "secret_access_key")),
        (None, None) => Ok(None),
    }
}

fn lacking_variable(key: &str) -> &'static str {
    let setting = BEDROCK.credentials.iter().find(|setting| setting.key == key);
    setting.and_then(|setting| setting.variables.first()).copied().unwrap_or_default()
}

fn is_amazon(address: &Url) -> bool {
    let host = address.host_str().unwrap_or_default();
    let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    address.scheme() == "https" && ["amazonaws.com", "amazonaws.com.cn", "api.aws"].into_iter().any(is_of)
}

/// The region that a signature is for: the one whose address is asked, whatever else is configured.
fn region(config: &Config, address: &Url) -> Result<String> {
    let mut labels = address.host_str().unwrap_or_default().split('.');
    let service = labels.by_ref().find(|label| label.starts_with("bedrock-runtime"));
    match service.and_then(|_| labels.next()).filter(|_| is_amazon(address)) {
        Some(region) => Ok(region.to_owned()),
        None => BEDROCK.option(&config.options, "region").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::transport::{Outgoing, Peer};

    fn config(base_url: &str) -> Config {
        let mut config = Config::new("bedrock/m", base_url, "m");
        config.options.insert("credentials_file".into(), "/nowhere/credentials".into());
        config
    }

    fn with(mut config: Config, credentials: &[(&str, &str)]) -> Config {
        for (key, value) in credentials {
            config.credentials.insert((*key).to_owned(), Secret::new(*value));
        }
        config
    }

    const AMAZON: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com";

    fn outgoing() -> Outgoing {
        let url = Url::parse(AMAZON).unwrap();
        Outgoing {
            method: http::Method::POST,
            peer: Peer::new(&url, &[]),
            url,
            headers: http::HeaderMap::new(),
            body: "{}".to_owned(),
            whole: false,
            cancel: tokio_util::sync::CancellationToken::new(),
        }
    }

    #[test]
    fn who_asks_is_what_is_configured() {
        let both = [("access_key_id", "AKID"), ("secret_access_key", "very-secret")];
        let mut bearer = with(config(AMAZON), &both);
        bearer.key = Some(Secret::new("ABSK-token"));
        let mut header = config(AMAZON);
        header.headers.insert("Authorization".into(), Secret::new("Bearer x"));
        let mut elsewhere = with(config("http://localhost:8080"), &both);
        elsewhere.options.insert("region".into(), "us-west-2".into());
        let cases = [
            (bearer, "KeyHeader", 1),
            (header, "KeyHeader", 0),
            (with(config(AMAZON), &both), "Signer", 1),
            (elsewhere, "Signer", 1),
            (config("http://localhost:8080"), "KeyHeader", 0),
        ];
        for (config, who, secrets) in cases {
            let authorize = authorize(&config).unwrap();
            assert!(format!("{authorize:?}").starts_with(who), "{authorize:?}");
            let used = authorize.authorize(&mut outgoing()).now_or_never().unwrap().unwrap();
            assert_eq!(used.len(), secrets, "{authorize:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let cases = [
            (
                with(config(AMAZON), &[("access_key_id", "AKID")]),
                Code::ModelKeyMissing,
                "set AWS_SECRET_ACCESS_KEY too",
            ),
            (
                with(config(AMAZON), &[("secret_access_key", "x")]),
                Code::ModelKeyMissing,
                "set AWS_ACCESS_KEY_ID too",
            ),
            (config(AMAZON), Code::ModelKeyMissing, "set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID"),
            (
                with(config("http://h"), &[("access_key_id", "AKID"), ("secret_access_key", "x")]),
                Code::InputInvalid,
                "AWS_REGION in the environment",
            ),
        ];
        for (config, code, help) in cases {
            let error = authorize(&config).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.help().unwrap().contains(help), "{error:?}");
        }
    }

    #[test]
    fn the_region_is_that_of_the_address() {
        let cases = [
            (AMAZON, "eu-central-1"),
            ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("https://vpce-1a-2b.bedrock-runtime.us-east-1.vpce.amazonaws.com", "us-east-1"),
            ("https://bedrock-runtime.ap-south-1.api.aws", "ap-south-1"),
            ("https://bedrock-runtime.evil.example.com", "elsewhere-1"),
            ("https://gateway.example.com/bedrock", "elsewhere-1"),
        ];
        for (address, expected) in cases {
            let mut config = config(address);
            config.options.insert("region".into(), "elsewhere-1".into());
            assert_eq!(region(&config, &Url::parse(address).unwrap()).unwrap(), expected, "{address}");
        }
    }
}
