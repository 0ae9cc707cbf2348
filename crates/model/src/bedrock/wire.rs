//! Converse as a [`Wire`].

use adjutant_core::{Code, Error, Result};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::decode::Decoder;
use super::encode::{self, Dialect};
use super::traits::Traits;
use crate::event_stream;
use crate::provider::{Config, Decode, Encoded, Wire};
use crate::request::Request;
use crate::transport::Peer;

/// Converse of one model.
#[derive(Clone, Debug)]
pub(super) struct Converse {
    url: Url,
    /// Where answers come whole.
    at_once: Url,
    dialect: Dialect,
}

impl Converse {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let told = config.options.get("base_model").filter(|name| !name.is_empty());
        Ok(Self {
            url: endpoint(config, "converse-stream")?,
            at_once: endpoint(config, "converse")?,
            dialect: Dialect {
                model: config.model.clone(),
                traits: Traits::of(told.unwrap_or(&config.model)),
                parallel_tools: config.profile.abilities.parallel_tools,
                effort: config.effort,
                prompt_cache: config.prompt_cache,
                provider_tools: config.provider_tools.clone(),
                extra: config.extra.clone(),
            },
        })
    }
}

impl Wire for Converse {
    fn encode(&self, request: &Request) -> Result<Encoded> {
        let body = encode::body(&self.dialect, request)?;
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(event_stream::CONTENT_TYPE))]);
        Ok(Encoded { url: self.url.clone(), headers, body })
    }

    fn at_once(&self, mut encoded: Encoded) -> Encoded {
        encoded.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Encoded { url: self.at_once.clone(), ..encoded }
    }

    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer.clone(), request))
    }

    fn asks_by_tool(&self, request: &Request) -> bool {
        encode::asks_form_by_tool(&self.dialect, request)
    }
}

/// Where a function of a model is asked. The model's name is one segment of the path, whatever is in it. Fails with
/// `input-invalid` where it cannot be a name.
pub(super) fn endpoint(config: &Config, function: &str) -> Result<Url> {
    let model = config.model.trim();
    // A path of points alone means something else.
    if model.bytes().all(|byte| byte == b'.') {
        let what = format!("`{model}` cannot be the name of a model of Bedrock");
        return Err(Error::new(Code::InputInvalid, what)
            .with_help("write the id of a model or of an inference profile, or an ARN"));
    }
    config.endpoint(&format!("/model/{}/{function}", segment(model)))
}

fn segment(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_one_segment_of_the_path() {
        let host = "https://bedrock-runtime.us-east-1.amazonaws.com";
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdef123456";
        let arn_path =
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabcdef123456";
        let cases = [
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1%3A0"),
            (arn, arn_path),
            ("a b?c#d%2F../e", "a%20b%3Fc%23d%252F..%2Fe"),
        ];
        for (model, path) in cases {
            let url = endpoint(&Config::new("m", host, model), "converse-stream").unwrap();
            assert_eq!(url.as_str(), format!("{host}/model/{path}/converse-stream"));
        }
        let behind = endpoint(&Config::new("m", "https://gateway/bedrock/", "m"), "converse-stream").unwrap();
        assert_eq!(behind.as_str(), "https://gateway/bedrock/model/m/converse-stream");
        for none in ["", ".", ".."] {
            assert_eq!(
                endpoint(&Config::new("m", host, none), "invoke").unwrap_err().code(),
                Code::InputInvalid
            );
        }
    }

    #[test]
    fn what_stands_behind_an_arn_can_be_told() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdef123456";
        let mut config = Config::new("m", "https://h", arn);
        assert_eq!(Converse::new(&config).unwrap().dialect.traits, Traits::of(""));
        config.options.insert("base_model".into(), "anthropic.claude-sonnet-5".into());
        assert!(Converse::new(&config).unwrap().dialect.traits.claude.is_some());
    }
}
