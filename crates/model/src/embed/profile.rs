//! What an embedding model takes and gives.

use adjutant_core::money::Prices;
use adjutant_core::{Code, Error, Result};

/// The most numbers that a vector may have: several times what any model gives.
const MOST_DIMENSIONS: usize = 65_536;

/// What an embedder takes and gives, and what it costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// How many numbers a vector has; none where only an answer tells.
    pub dimensions: Option<usize>,
    /// The most texts of one call to the provider. More of them are sent in several calls.
    pub most_texts: usize,
    /// The most tokens of one text; none where it is not known.
    pub most_tokens: Option<u64>,
    /// What it costs; none where the price is not known. Nothing is charged for the vectors themselves.
    pub prices: Option<Prices>,
}

/// What is known of an embedding model without asking it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// How many numbers a vector has, and may have.
    pub dimensions: Dimensions,
    /// The most tokens of one text.
    pub most_tokens: Option<u64>,
    /// What it costs.
    pub prices: Option<Prices>,
}

/// How many numbers a vector of a model has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dimensions {
    /// Nobody knows; one may ask.
    #[default]
    Unknown,
    /// Always so many.
    Fixed(usize),
    /// So many unless another number is asked for, down to the smaller one.
    Between {
        /// The fewest.
        least: usize,
        /// The most, and the usual number.
        usual: usize,
    },
    /// One of these; the first is the usual one.
    OneOf(Vec<usize>),
}

impl Dimensions {
    /// The number where none is asked for; none where nobody knows.
    pub fn usual(&self) -> Option<usize> {
        match self {
            Self::Unknown => None,
            Self::Fixed(usual) | Self::Between { usual, .. } => Some(*usual),
            Self::OneOf(numbers) => numbers.first().copied(),
        }
    }

    /// What the provider must be told so that vectors have the number that is wanted; none where that is the usual one.
    /// Fails with `model-unsupported` where the model gives no such vectors.
    pub fn asked(&self, model: &str, wanted: Option<usize>) -> Result<Option<usize>> {
        let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != self.usual()) else { return Ok(None) };
        let (fits, may_be) = match self {
            Self::Unknown => {
                ((1..=MOST_DIMENSIONS).contains(&wanted), format!("there are from 1 to {MOST_DIMENSIONS}"))
            }
            Self::Fixed(only) => (false, format!("it has always {only}")),
            Self::Between { least, usual } => {
                ((*least..=*usual).contains(&wanted), format!("it has from {least} to {usual}"))
            }
            Self::OneOf(numbers) => {
                let list = numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                (numbers.contains(&wanted), format!("it has one of {list}"))
            }
        };
        if fits {
            return Ok(Some(wanted));
        }
        let message = format!("a vector of the model `{model}` cannot have {wanted} dimensions: {may_be}");
        Err(Error::new(Code::ModelUnsupported, message)
            .with_help("change or leave out `dimensions` of the model"))
    }
}

/// Why the wanted number of dimensions cannot be asked for: the interface has no parameter for it.
pub(crate) fn cannot_be_asked(model: &str, wanted: usize) -> Error {
    let message = format!("vectors of {wanted} dimensions cannot be asked of the model `{model}`");
    let help =
        "leave out `dimensions` of the model: it has one number of them, and no parameter to change it";
    Error::new(Code::ModelUnsupported, message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_model_can_give_is_asked_for() {
        let fixed = Dimensions::Fixed(1_536);
        let between = Dimensions::Between { least: 128, usual: 3_072 };
        let one_of = Dimensions::OneOf(vec![1_024, 512, 256]);
        let cases = [
            (&Dimensions::Unknown, None, Ok(None)),
            (&Dimensions::Unknown, Some(512), Ok(Some(512))),
            (&Dimensions::Unknown, Some(0), Err("there are from 1 to 65536")),
            (&Dimensions::Unknown, Some(65_537), Err("there are from 1 to 65536")),
            (&fixed, Some(1_536), Ok(None)),
            (&fixed, Some(512), Err("it has always 1536")),
            (&between, Some(3_072), Ok(None)),
            (&between, Some(128), Ok(Some(128))),
            (&between, Some(127), Err("it has from 128 to 3072")),
            (&between, Some(3_073), Err("it has from 128 to 3072")),
            (&one_of, Some(1_024), Ok(None)),
            (&one_of, Some(256), Ok(Some(256))),
            (&one_of, Some(300), Err("it has one of 1024, 512, 256")),
        ];
        for (dimensions, wanted, expected) in cases {
            match (dimensions.asked("m", wanted), expected) {
                (Ok(asked), Ok(expected)) => assert_eq!(asked, expected, "{dimensions:?} {wanted:?}"),
                (Err(error), Err(why)) => {
                    assert_eq!(error.code(), Code::ModelUnsupported);
                    assert!(error.message().ends_with(why), "{error}");
                }
                (got, _) => panic!("{dimensions:?} {wanted:?}: {got:?}"),
            }
        }
    }
}
