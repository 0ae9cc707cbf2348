//! The file of keys that Amazon's tools share.
//!
//! The format is the one of docs.aws.amazon.com, "Shared config and credentials files": sections of keys and values.
//! Only keys that stand there as they are count: logins by SSO, roles and programs are not followed.

use std::path::{Path, PathBuf};

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};

use super::BEDROCK;
use super::credentials::Keys;
use crate::provider::Config;

const SET: &str = "set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
                   `aws configure export-credentials --format env` prints these for a login by SSO or a role";

/// One profile of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProfileFile {
    path: PathBuf,
    profile: String,
    /// Whose keys they are.
    model: String,
}

impl ProfileFile {
    /// The file and the profile that a configuration names.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let path = BEDROCK.option(&config.options, "credentials_file")?;
        Ok(Self {
            path: under_home(path, std::env::home_dir()),
            profile: BEDROCK.option(&config.options, "profile")?.to_owned(),
            model: config.id.clone(),
        })
    }

    /// The keys that stand there now. Fails with `model-key-missing`.
    pub(super) fn keys(&self) -> Result<Keys> {
        let path = self.path.display();
        let missing = |why: String| {
            Error::new(Code::ModelKeyMissing, format!("the model `{}` has no credentials: {why}", self.model))
                .with_help(SET)
        };
        let text = std::fs::read_to_string(&self.path)
            .map_err(|error| missing(format!("`{path}` cannot be read")).caused_by(&error))?;
        let profile = &self.profile;
        let Some(entries) = section(&text, profile) else {
            return Err(missing(format!("`{path}` has no profile `{profile}`")));
        };
        let value = |key: &str| {
            let found = entries.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key));
            found.map(|(_, value)| *value).filter(|value| !value.is_empty()).map(Secret::new)
        };
        match (value("aws_access_key_id"), value("aws_secret_access_key")) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Ok(Keys { access_key_id, secret_access_key, session_token: value("aws_session_token") })
            }
            _ => Err(missing(format!("the profile `{profile}` of `{path}` has no keys in it"))),
        }
    }
}

/// The keys and values of a section; none where there is no such section.
fn section<'a>(text: &'a str, name: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = None;
    let mut inside = false;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            inside = header.0.trim() == name;
            if inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            found.get_or_insert_default().push((key.trim(), value.trim()));
        }
    }
    found
}

fn under_home(path: &str, home: Option<PathBuf>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(path).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\u{feff}# keys\r\n[default]\r\naws_access_key_id = AKID\r\naws_secret_access_key=a=b/c+\r\n\r\n\
        [ work ]\n; a comment\nAWS_ACCESS_KEY_ID = WORK\naws_secret_access_key = s\naws_session_token = t\n\
        [sso]\nsso_session = x\n[half]\naws_access_key_id = AKID\naws_secret_access_key =\nno line\n";

    fn keys_of(name: &str, profile: &str) -> Result<Keys> {
        let path = std::env::temp_dir().join(format!("adjutant-credentials-{name}-{}", std::process::id()));
        std::fs::write(&path, FILE).unwrap();
        let file = ProfileFile { path: path.clone(), profile: profile.into(), model: "bedrock/m".into() };
        let keys = file.keys();
        std::fs::remove_file(path).unwrap();
        keys
    }

    #[test]
    fn a_profile_has_its_keys() {
        let keys = |id: &str, secret: &str, token: Option<&str>| Keys {
            access_key_id: Secret::new(id),
            secret_access_key: Secret::new(secret),
            session_token: token.map(Secret::new),
        };
        assert_eq!(keys_of("a", "default"), Ok(keys("AKID", "a=b/c+", None)));
        assert_eq!(keys_of("a", "work"), Ok(keys("WORK", "s", Some("t"))));
    }

    #[test]
    fn a_profile_without_keys_is_told() {
        let cases = [
            ("other", "has no profile `other`"),
            ("sso", "has no keys in it"),
            ("half", "has no keys in it"),
        ];
        for (profile, why) in cases {
            let error = keys_of("b", profile).unwrap_err();
            assert_eq!(error.code(), Code::ModelKeyMissing);
            assert!(error.message().contains(why), "{error}");
            assert!(error.help().unwrap().contains("export-credentials"), "{error:?}");
        }
    }

    #[test]
    fn the_file_is_found_under_the_home() {
        let home = || Some(PathBuf::from("/home/a"));
        assert_eq!(under_home("~/.aws/credentials", home()), PathBuf::from("/home/a/.aws/credentials"));
        assert_eq!(under_home("/etc/keys", home()), PathBuf::from("/etc/keys"));
        assert_eq!(under_home("~/keys", None), PathBuf::from("~/keys"));
    }
}
