//! How the output for all tokens becomes one vector, as sentence-transformers writes it down.

use std::path::Path;

use adjutant_core::{Code, Error, Result};
use serde::Deserialize;

use super::folder::optional;

/// How the output for all tokens becomes one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    FirstToken,
    Mean,
}

#[derive(Debug, Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PoolingModes {
    pooling_mode: Option<String>,
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

impl PoolingModes {
    /// The one way that is known here; none where it is another, or several at once.
    fn way(&self) -> Option<Pooling> {
        if let Some(mode) = &self.pooling_mode {
            return match mode.as_str() {
                "cls" => Some(Pooling::FirstToken),
                "mean" => Some(Pooling::Mean),
                _ => None,
            };
        }
        let others = self.pooling_mode_max_tokens
            || self.pooling_mode_mean_sqrt_len_tokens
            || self.pooling_mode_weightedmean_tokens
            || self.pooling_mode_lasttoken;
        match (self.pooling_mode_cls_token, self.pooling_mode_mean_tokens, others) {
            (true, false, false) => Some(Pooling::FirstToken),
            (false, true, false) => Some(Pooling::Mean),
            _ => None,
        }
    }
}

/// How a vector is made of the output: as the modules say, or by the mean where nothing is said.
pub(super) fn read(path: &Path) -> Result<Pooling> {
    let file = path.join("modules.json");
    let modules: Vec<Module> = optional(&file)?.unwrap_or_default();
    let is = |module: &Module, kind: &str| module.kind.rsplit('.').next() == Some(kind);
    if let Some(other) = modules
        .iter()
        .find(|module| !["Transformer", "Pooling", "Normalize"].iter().any(|kind| is(module, kind)))
    {
        let message = format!(
            "the model in `{}` has a module `{}`, which is not known here",
            path.display(),
            other.kind
        );
        return Err(Error::new(Code::ModelUnsupported, message));
    }
    let named =
        modules.iter().find(|module| is(module, "Pooling")).map_or("1_Pooling", |module| &module.path);
    // The name comes from a file: it must not lead out of the folder.
    if !named.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        let message = format!("`{named}` cannot be the name of a module's folder");
        return Err(Error::new(Code::InputInvalid, message).at(file.display().to_string(), None, None));
    }
    let modes: Option<PoolingModes> = optional(&path.join(named).join("config.json"))?;
    let way = modes.as_ref().map_or(Some(Pooling::Mean), PoolingModes::way);
    way.ok_or_else(|| {
        let message =
            format!("the model in `{}` makes its vectors in a way that is not known here", path.display());
        Error::new(Code::ModelUnsupported, message).with_help(format!(
            "known are the first token and the mean of all, as `{named}/config.json` says them"
        ))
    })
}
