//! What every request passes before it is answered, and every answer on its way out.

mod cors;
mod dress;
mod gate;
mod id;
mod line;
mod peer;
mod witness;

pub(crate) use gate::pass;
pub(crate) use line::RUN;
pub(crate) use peer::Peer;
pub(crate) use witness::Witness;
