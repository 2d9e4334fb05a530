//! The server over real sockets.

mod client;
mod connections;
mod pages;
mod scrapes;
