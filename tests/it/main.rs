//! Everything that runs against real sockets, files and processes.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod against;
mod ahead;
mod alertmanager;
mod architecture;
mod asking;
mod backup;
mod bound;
mod canary;
mod chats;
mod commands;
mod contract;
mod crash;
mod daemon;
mod digest;
mod doors;
mod explain;
mod files;
mod fleet;
mod rates;
mod schema;
mod harness;
mod labels;
mod outbox;
mod page;
mod health;
mod log;
mod mail;
mod plant;
mod prometheus;
mod readme;
mod reload;
mod secrets;
mod signing;
mod simulator_itself;
mod simulator_faults;
mod simulator_enos;
mod snoozes;
mod tls;
mod truth;
mod upgrade;
mod varied;
mod warned;
mod webhooks;
mod written;
