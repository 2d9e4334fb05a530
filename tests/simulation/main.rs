//! A whole daemon on virtual time: pipeline, pollers and outboxes, with a provider, a room and a store that one seed
//! decides everything of. Nothing opens a socket, reads a file or asks the machine's clock.
//!
//! - [`fate`] decides, [`trace`] records what crosses a seam;
//! - [`cloud`], [`room`] and [`store`] are what the daemon meets there;
//! - [`world`] lets one daemon live in them.
//!
//! A play is repeated by its seed alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clocks;
mod cloud;
mod fate;
mod plays;
mod room;
mod store;
mod trace;
mod world;
