//! The embedded engine where things go wrong: the power fails, the disk is full, processes are killed or stopped, the
//! clock jumps, two of them write at once, and people ask to be forgotten.
#![cfg(test)]

mod backup;
mod chain;
mod clock;
mod damage;
mod disk_full;
mod drain;
mod journal;
mod ledger;
mod outside;
mod people;
mod pieces;
mod plan;
mod power;
mod processes;
mod retention;
mod serving;
mod worker;
mod writers;
