//! The loop over the real engine, with scripted models and tools made of functions.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod way;
