//! The server over real sockets.

mod access;
mod ahead;
mod api;
mod canary;
mod calendar;
mod client;
mod connections;
mod control;
mod digest;
mod doors;
mod explain;
mod half_open;
mod links;
mod outbox;
mod pages;
mod scrapes;
mod snoozes;
