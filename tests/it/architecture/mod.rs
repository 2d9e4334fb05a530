//! The folder listing is the architecture: layers, no circles, purity of the core, no undeclared file, small files,
//! nothing left to chance, and documents that name what is there.
//!
//! Rust code is read with a parser, so that nested groups of imports and what stands behind a test module are seen.

mod tree;
mod names;
mod resolve;

mod layers;
mod circles;
mod purity;
mod declared;
mod sizes;
mod biased;
mod properties;
mod documents;
mod log_lines;
