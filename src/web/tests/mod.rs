//! The server over real sockets.

mod access;
mod api;
mod client;
mod connections;
mod control;
mod doors;
mod pages;
mod scrapes;
