//! Servers of the Model Context Protocol: those that everybody uses, and one that misbehaves in every way we know.

#![cfg(test)]

mod hostile;
mod pending;
mod real;
mod sandboxed;
mod scene;
