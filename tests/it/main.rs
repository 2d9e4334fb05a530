//! Everything that runs against real sockets, files and processes.

#[path = "../simulator/mod.rs"]
mod simulator;

mod architecture;
mod asking;
mod chats;
mod daemon;
mod harness;
#[path = "simulator.rs"]
mod simulator_itself;
mod simulator_faults;
mod simulator_enos;
mod truth;
