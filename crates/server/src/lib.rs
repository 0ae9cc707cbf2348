//! A project as a service: over its own API, and over those that clients of models know already.
