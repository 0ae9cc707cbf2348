//! `adjutant serve` as processes: several over one store, told to stop, killed, and under more than they can bear.

#![cfg(test)]
#![cfg(unix)]

mod answers;
mod drain;
mod flood;
mod kill;
mod log;
mod operations;
mod place;
mod secrecy;
mod store;
mod streams;
