//! What people and programs see: data on standard output, talk on standard error.

mod clean;
pub(crate) mod markdown;
mod output;
mod report;
mod style;
mod table;
mod units;

pub(crate) use clean::clean;
pub(crate) use output::Output;
pub(crate) use report::report;
pub(crate) use style::{ColorChoice, Style};
pub(crate) use table::Table;
pub(crate) use units::{bytes, count, duration, first_line, local_time};
