//! The proof: random worlds, in which anything may fail, held against what must hold whatever happens.
//!
//! A seed draws a scene (`scene`, `truth`): what there is and what becomes of it, and a list of acts. A daemon lives through
//! it (`driver`), among providers (`cloud`), rooms (`room`) and a store (`store`) that do as the acts say; all of them
//! share a `stage`. In one seed of twenty the sources are the daemon's own, and read pages as vendors write them (`vendor`);
//! in one of fifty twenty thousand certificates end in one second. The judge watches.

mod cloud;
mod config;
mod dice;
mod driver;
mod judge;
mod listing;
mod log;
mod moments;
mod readers;
mod room;
mod runs;
mod scene;
mod shrink;
mod sweep;
mod stage;
mod store;
mod truth;
mod vendor;
mod watcher;
