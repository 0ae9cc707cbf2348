//! Servers that everybody uses.
