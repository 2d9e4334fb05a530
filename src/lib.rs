//! notafter knows when every certificate expires.
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
//! # The map
//!
//! From the ground up. A module uses the layers below its own and never a sibling; a test enforces it.
//!
//! | layer | module | does |
//! |---|---|---|
//! | 1 | [`expiry`] | decides, purely: what is known, what it means now, what is to be notified |
//! | 2 | [`clock`] | time and chance, for everybody |
//! | | [`x509`] | certificates in PEM and DER |
//! | | [`config`] | TOML becomes a checked configuration |
//! | 3 | [`client`] | calls: HTTP, rates, signatures, redaction |
//! | 4 | [`source`] | one provider a file: pages of sightings |
//! | | [`channel`] | one chat service a file: messages |
//! | | [`store`] | what survives a restart: `SQLite`, and a model of it in memory |
//! | | [`metrics`] | what Prometheus reads |
//! | 5 | [`scan`] | pages become a scan with its proof |
//! | | [`catalog`] | what there is, by filter, name and page |
//! | 6 | [`schedule`] | when a source is read |
//! | | [`pipeline`] | the only writer |
//! | | [`outbox`] | delivery, one worker a channel |
//! | | [`web`] | metrics, health, the page |
//! | 7 | [`app`] | wires all of it and owns what runs |
//! | 8 | [`cli`] | one command a file; `main` is above it |
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
//! [`expiry`] for what the product knows, [`scan`] for how it proves it, [`pipeline`] for how it decides; their first
//! lines name the order of their files. [`source`] and [`channel`] are lists: a new provider or service is one file and
//! one line. CONTRIBUTING.md tells where each question is decided and what every word means.

mod expiry;
mod clock;
mod x509;
mod config;
mod client;
mod source;
mod channel;
mod store;
mod metrics;
mod scan;
mod catalog;
mod schedule;
mod pipeline;
mod outbox;
mod web;
mod app;
pub mod cli;
pub mod facade;
#[cfg(test)]
mod property;

/// Memory is taken from one place and given back soon, in any environment: a fleet's columns are large, and pages come and
/// go by the thousand. How it is set is in `.cargo/config.toml`, since it is built in.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(test)]
mod tests {
    #[test]
    fn the_allocator_is_built_as_its_budget_was_measured() {
        assert_eq!(tikv_jemalloc_ctl::opt::narenas::read().unwrap(), 1);
        assert!(tikv_jemalloc_ctl::opt::background_thread::read().unwrap());
    }
}
