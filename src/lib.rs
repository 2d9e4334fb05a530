//! notafter knows when every certificate ends.

pub mod expiry;
pub mod clock;
pub mod config;
pub mod client;
pub mod source;
pub mod scan;
pub mod store;
pub mod channel;
pub mod metrics;
pub mod schedule;
pub mod pipeline;
pub mod outbox;
pub mod web;
pub mod cli;
pub mod app;
