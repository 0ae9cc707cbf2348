//! The loop over the real engine, with scripted models and tools made of functions.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod any;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod extract;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod long;
#[cfg(test)]
mod moderation;
#[cfg(test)]
mod narrow;
#[cfg(test)]
mod people;
#[cfg(test)]
mod permits;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod search;
#[cfg(test)]
mod session;
#[cfg(test)]
mod skills;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod title;
#[cfg(test)]
mod trees;
#[cfg(test)]
mod way;
#[cfg(test)]
mod wire;
