//! Everything that runs against real sockets, files and processes.

#[path = "../simulator/mod.rs"]
mod simulator;

mod asking;
#[path = "simulator.rs"]
mod simulator_itself;
mod simulator_faults;
mod simulator_enos;
