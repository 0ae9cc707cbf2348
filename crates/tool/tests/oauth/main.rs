//! Logging in to servers of the Model Context Protocol: against a login server that checks every request, and against
//! such that mislead.

#![cfg(test)]

mod flow;
mod hostile;
mod real;
mod scene;
