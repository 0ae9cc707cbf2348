//! Adjutant as a library: agents that survive, their models, tools and projects.

pub mod project;
