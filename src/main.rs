//! The process: arguments become a command, and the command becomes an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    notafter::cli::main(std::env::args_os())
}
