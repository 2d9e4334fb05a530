//! A whole daemon on virtual time: pipeline, pollers and outboxes, with providers, rooms and a store that one seed
//! decides everything of. Nothing opens a socket or asks the machine's clock.
//!
//! - [`fate`] decides, [`trace`] records what crosses a seam, [`machine`] keeps time and runs the daemon;
//! - [`cloud`], [`room`] and [`store`] are what the daemon meets instead of sources, channels and a database, and
//!   [`world`] lets it live in them: fast, for many plays;
//! - [`network`] is what it meets instead of the network: the simulated clouds and chat services answer the daemon's own
//!   sources and channels, and [`vendors`] lets it live among them.
//! - [`proof`] lets it live in random worlds where anything may fail, and holds what must hold: a seed a play.
//!
//! A play is repeated by its seed alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clocks;
mod cloud;
mod fate;
mod machine;
mod network;
mod planned;
mod plays;
mod proof;
mod reminded;
mod room;
mod store;
mod trace;
mod vendors;
mod world;
