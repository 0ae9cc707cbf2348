//! Endpoints: what can be asked, by whom, and in which form.
//!
//! A route is an [`Operation`] and a handler. The handler's own types say what it takes and gives, so the OpenAPI document
//! is made of the code that runs. Nobody reaches a handler but through [`Routes::on`], which asks first who it is.

mod answer;
mod body;
mod call;
mod document;
mod operation;
mod routes;
mod strict;

pub(crate) use answer::{Accepted, Answer, Done, Found, Shape, Shapes};
pub(crate) use body::{Optional, take as taken};
pub(crate) use call::{Call, Nothing};
pub(crate) use operation::Operation;
pub(crate) use routes::Routes;
