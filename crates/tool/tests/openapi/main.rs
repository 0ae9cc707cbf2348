//! OpenAPI documents as tools: three small ones, hostile ones, and GitHub's own against a mock made of it.

#![cfg(test)]

mod github;
mod hostile;
mod kept;
mod scene;
mod small;
