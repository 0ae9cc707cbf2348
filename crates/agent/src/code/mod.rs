//! Code mode: a program that the model writes runs as a scope of the run.
//!
//! [`RunProgram`] is the routine behind the tool. Each advance of the program is a step, pure and recorded; each call of the
//! program goes through the choke point and is a step, too. So after a crash recorded advances and calls answer at
//! once, and the first advance that is not recorded has the interpreter do again what was. [`ProposeTool`] lets an agent
//! propose a tool of its own making.

mod program;
mod propose;
pub(crate) mod told;

pub(crate) use program::RunProgram;
pub(crate) use propose::ProposeTool;
