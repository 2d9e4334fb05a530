//! What the daemon knows equals what the simulated clouds hold, or it says that it does not, whatever they do.
//!
//! Everything is the daemon's own but the bells: sources built from a configuration, scans over real sockets, the
//! pipeline, the store in a file. `world` holds it together and judges it after each poll; the other files say what
//! goes wrong.
//!
//! A provider that hangs is waited for, half a minute each time; that the client gives up in the end is shown beside it
//! (`client/http.rs`).

#![expect(clippy::unwrap_used, reason = "a test that cannot get there has failed")]

mod checks;
mod enos;
mod judge;
mod life;
mod mqtt;
mod requests;
mod ssl;
mod table;
mod watch;
mod window;
mod world;
