//! `adjutant`: runs agents, talks with them, shows and steers their runs.

mod exit;
mod screen;

fn main() {}
