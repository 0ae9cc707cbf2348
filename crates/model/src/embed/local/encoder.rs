//! The encoder of BERT (Devlin et al., 2018, section 3) and RoBERTa, as Transformers names its tensors.

use adjutant_core::{Code, Error, Result};
use candle_core::{D, DType, Device, Module, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, VarBuilder, embedding, layer_norm, linear, ops};

use super::folder::{Config, Folder};

/// An encoder: what it makes of tokens is a row of numbers for each.
pub(super) struct Encoder {
    words: Embedding,
    positions: Tensor,
    first_position: usize,
    /// There is only one kind of text here: the first.
    kind: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attention_norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
    norm: LayerNorm,
    heads: usize,
    activation: Activation,
}

#[derive(Clone, Copy)]
enum Activation {
    Gelu,
    /// With the hyperbolic tangent in place of the error function.
    GeluByTanh,
    Relu,
}

impl Encoder {
    /// Reads the weights. Fails with `file-unreadable`, with `input-invalid` where they are not those of the model that
    /// `config.json` describes, and with `model-unsupported` for an activation that is not known here.
    pub(super) fn read(folder: &Folder) -> Result<Self> {
        let (weights, file) = folder.weights()?;
        let activation = match folder.config.hidden_act.as_str() {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluByTanh,
            "relu" => Activation::Relu,
            other => {
                let message = format!("the activation `{other}` of the local model is not known here");
                return Err(Error::new(Code::ModelUnsupported, message));
            }
        };
        let read = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)
            .and_then(|tensors| Self::of(&folder.config, activation, &tensors));
        read.map_err(|error| {
            let message = format!(
                "these are not the weights of the model of `config.json`: {}",
                super::words_of(&error)
            );
            Error::new(Code::InputInvalid, message).at(file, None, None)
        })
    }

    fn of(config: &Config, activation: Activation, tensors: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let bare = tensors.contains_tensor("embeddings.word_embeddings.weight");
        let tensors = if bare { tensors.clone() } else { tensors.pp(config.prefix()) };
        let (hidden, embeddings) = (config.hidden_size, tensors.pp("embeddings"));
        let table = |rows, name| embedding(rows, hidden, embeddings.pp(name));
        let layers = (0..config.num_hidden_layers)
            .map(|number| Layer::of(config, activation, &tensors.pp("encoder.layer").pp(number)));
        Ok(Self {
            words: table(config.vocab_size, "word_embeddings")?,
            positions: table(config.max_position_embeddings, "position_embeddings")?.embeddings().clone(),
            first_position: config.first_position(),
            kind: table(config.type_vocab_size, "token_type_embeddings")?.embeddings().get(0)?,
            norm: layer_norm(hidden, config.layer_norm_eps, embeddings.pp("LayerNorm"))?,
            layers: layers.collect::<candle_core::Result<_>>()?,
        })
    }

    /// One row for each token.
    pub(super) fn encode(&self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        let words = self.words.forward(&Tensor::new(tokens, &Device::Cpu)?)?;
        let positions = self.positions.narrow(0, self.first_position, tokens.len())?;
        let mut rows = self.norm.forward(&(words + positions)?.broadcast_add(&self.kind)?)?;
        for layer in &self.layers {
            rows = layer.forward(&rows)?;
        }
        Ok(rows)
    }
}

impl Layer {
    fn of(config: &Config, activation: Activation, tensors: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let (hidden, wide, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        let square = |name| linear(hidden, hidden, tensors.pp(name));
        Ok(Self {
            query: square("attention.self.query")?,
            key: square("attention.self.key")?,
            value: square("attention.self.value")?,
            attended: square("attention.output.dense")?,
            attention_norm: layer_norm(hidden, eps, tensors.pp("attention.output.LayerNorm"))?,
            wide: linear(hidden, wide, tensors.pp("intermediate.dense"))?,
            narrow: linear(wide, hidden, tensors.pp("output.dense"))?,
            norm: layer_norm(hidden, eps, tensors.pp("output.LayerNorm"))?,
            heads: config.num_attention_heads,
            activation,
        })
    }

    fn forward(&self, rows: &Tensor) -> candle_core::Result<Tensor> {
        let attended = self.attended.forward(&self.attention(rows)?)?;
        let rows = self.attention_norm.forward(&(attended + rows)?)?;
        let wide = self.wide.forward(&rows)?;
        let wide = match self.activation {
            Activation::Gelu => wide.gelu_erf()?,
            Activation::GeluByTanh => wide.gelu()?,
            Activation::Relu => wide.relu()?,
        };
        self.norm.forward(&(self.narrow.forward(&wide)? + rows)?)
    }

    /// Each token's mixture of the values of all, head by head.
    fn attention(&self, rows: &Tensor) -> candle_core::Result<Tensor> {
        let (tokens, hidden) = rows.dims2()?;
        let size = hidden / self.heads;
        let by_head = |linear: &Linear| {
            linear.forward(rows)?.reshape((tokens, self.heads, size))?.transpose(0, 1)?.contiguous()
        };
        let (query, key, value) = (by_head(&self.query)?, by_head(&self.key)?, by_head(&self.value)?);
        let root = f64::from(u32::try_from(size).unwrap_or(u32::MAX)).sqrt();
        let scores = (query.matmul(&key.transpose(D::Minus2, D::Minus1)?)? / root)?;
        let mixed = ops::softmax_last_dim(&scores)?.matmul(&value)?;
        mixed.transpose(0, 1)?.reshape((tokens, hidden))
    }
}
