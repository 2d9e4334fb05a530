//! notafter knows when every certificate ends.
//!
//! It polls the providers that hold an organisation's certificates, brings every answer into one expiry model,
//! publishes Prometheus gauges, and tells the right chat room in time, once, and only what is true.
//!
//! # The one way through it
//!
//! ```text
//! schedule ─► source.page()… ─► scan ─► pipeline: inventory ─► evaluate(now) ─► plan ─► store.commit (one transaction)
//!                                           │                                              │
//!                     watch<Arc<View>> ◄────┘                                              └─► outbox ─► channel.send()
//!                         ├─► metrics     (read-only)
//!                         └─► web         (read-only)
//! ```
//!
//! # Layers
//!
//! A module uses the layers below it and never a sibling; a test enforces it.
//!
//! `expiry` < `clock` `x509` `config` < `client` < `source` `channel` `store` `metrics` < `scan` <
//! `schedule` `pipeline` `outbox` `web` < `app` < `cli` < `main`
//!
//! # Invariants, what is absent included
//!
//! - Only the pipeline changes what is known. Readers hold immutable views.
//! - Only `app` owns long-lived tasks. A leaf (one poll, one send, one request) that panics is a failed leaf; a spine
//!   task that ends early ends the process, and systemd starts it again.
//! - Only `clock` asks what time it is and gives out chance; only `config` reads the environment.
//! - Nothing partial removes or renews. Nothing unknown is zero.
//! - Inventory, ledger and outbox change in one transaction; sending comes after it.
//! - Nothing in `expiry` does I/O, logs, waits or is serialised.
//! - `DescribeCertificateDetail` is never called: it returns private keys.
//!
//! # Where to start reading
//!
//! [`expiry`] for what the product knows, [`scan`] for how it proves it, [`pipeline`] for how it decides. A new source
//! is one file in [`source`] and one line in its list; a new channel the same in [`channel`].

pub mod expiry;
pub mod clock;
pub mod x509;
pub mod config;
pub mod client;
pub mod source;
pub mod channel;
pub mod store;
pub mod metrics;
pub mod scan;
pub mod schedule;
pub mod pipeline;
pub mod outbox;
pub mod web;
pub mod app;
pub mod cli;
#[cfg(test)]
mod property;
