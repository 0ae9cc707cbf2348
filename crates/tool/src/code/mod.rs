//! Code mode: programs that a model writes, which call its tools as functions.
//!
//! A [`Program`] runs in an interpreter ([`Language`]) that has neither files nor network, clock or chance. It is a function of
//! its source and of what its calls gave: run again with the same results it asks for the same calls. That is why it need not
//! be stored while it waits. [`Programs::advance`] brings it from one [`Completion`] to the next [`Advance`]: the calls
//! that it asks for now, or its [`End`].
//!
//! - **Who runs it.** A child process that is this very executable, started again ([`first_in_main`](crate::first_in_main)), or another one that is
//!   named ([`Interpreter::at`]). Its messages (`protocol`) are bounded and carry a version.
//! - **What it can reach.** The child gives up what it does not need before it reads the program (`confine`): on Linux it
//!   can read from one pipe, write to two, and ask for memory. It inherits no environment. So also a flaw of the
//!   interpreter itself reaches nothing.
//! - **How much it takes.** [`Limits`] count instructions, calls, memory, output; a program that takes too long is killed
//!   with its process. What it ran into is an [`End`], as data.
//!
//! [`stubs`] shows a model which functions there are.

mod advance;
mod child;
mod confine;
mod engine;
mod interpreter;
mod javascript;
mod live;
mod program;
mod protocol;
mod stub;

pub use advance::{Advance, Asked, Completion, End, Fault, Limit};
pub(crate) use child::first_in_main;
pub use interpreter::{Chapter, Interpreter, Programs, examine};
pub use program::{Language, Limits, Program};
pub use stub::stubs;
