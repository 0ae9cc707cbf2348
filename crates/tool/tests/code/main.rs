//! Code mode: programs in a child process, with a host that answers their calls.

#![cfg(test)]

mod attack;
mod course;
mod javascript;
mod library;
mod scene;
