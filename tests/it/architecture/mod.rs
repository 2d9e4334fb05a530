//! The folder listing is the architecture: layers, no circles, purity of the core, no undeclared file, small files.
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
mod properties;
