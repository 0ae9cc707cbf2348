//! Clients that know OpenAI or Anthropic, over a real connection, with a mock provider behind the service.

#![cfg(test)]

mod agents;
mod clients;
mod faults;
mod kit;
mod models;
mod responses;
