//! The server over real sockets.

mod client;
mod connections;
mod doors;
mod pages;
mod scrapes;
