//! [`Paging`]: which part of a list is meant.

use adjutant::durable::Cursor;
use adjutant_core::{Code, Error, Result};

/// How many are given where nothing is said, and the most.
const USUAL: usize = 50;
const MOST: usize = 200;

/// Which part of a list is meant.
pub(in crate::api) struct Paging {
    /// Where the last page ended.
    pub(in crate::api) after: Option<Cursor>,
    /// The most to give.
    pub(in crate::api) most: usize,
}

impl Paging {
    /// Reads what a query says of it. Fails with [`Code::InputInvalid`].
    pub(in crate::api) fn read(limit: Option<usize>, after: Option<String>) -> Result<Self> {
        let most = limit.unwrap_or(USUAL);
        if most == 0 || most > MOST {
            return Err(Error::new(Code::InputInvalid, format!("`limit` is 1 to {MOST}")));
        }
        Ok(Self { after: after.map(Cursor::new), most })
    }
}
