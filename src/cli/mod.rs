//! The command line: one file for each command.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod arguments;
mod run;
mod sample;
mod check;
mod against;
mod online;
mod scan;
mod list;
mod channel;
mod known;
mod explain;
mod audit;
mod plan;
mod route;
mod outbox;
mod snooze;
mod canary;
mod calendar;
mod certificate;
mod daemon;
mod generate;
mod schema;
mod init;
mod file;
mod logging;
mod output;

use crate::config::Environment;

const EXIT_CODES: &str = "0 done; 1 failed; 2 wrong arguments; 3 a certificate expires within --fail-within; \
                          78 mistakes in the configuration.";
const VARIABLES: &str = "RUST_LOG sets what is logged, such as info or notafter=debug; SSL_CERT_FILE and SSL_CERT_DIR \
                         name the authorities to trust, HTTPS_PROXY and NO_PROXY the way out; STATE_DIRECTORY, \
                         CREDENTIALS_DIRECTORY and JOURNAL_STREAM are what systemd gives a service.";

/// Knows when every certificate expires.
#[derive(Debug, Parser)]
#[command(name = "notafter", version, max_term_width = 100)]
#[command(after_long_help = format!("Exit codes: {EXIT_CODES}\n\nEnvironment: {VARIABLES}"))]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
struct Common {
    /// The configuration.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "NOTAFTER_CONFIG",
        default_value = "/etc/notafter/notafter.toml"
    )]
    config: PathBuf,
    /// The control socket of the daemon; found by itself where it is in its usual place.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How the log on standard error looks.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: logging::LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon. SIGHUP reads the configuration again, SIGTERM ends it in order.
    Run,
    /// Reports every mistake in the configuration at once, with its place.
    Check(check::Arguments),
    /// Scans every source once and prints what expires soonest.
    Scan(scan::Arguments),
    /// Lists what the daemon knows, soonest first; from its store when none runs.
    List(list::Arguments),
    /// Tells the whole story of a certificate: when it was seen, what is decided about it and why, what was said to whom.
    Explain(explain::Arguments),
    /// Prints what happened: scans, decisions, messages with their verdicts, reloads, starts and stops.
    Audit(audit::Arguments),
    /// Tells who will be told what and when, if nothing changes; sends nothing.
    Plan(plan::Arguments),
    /// Looks at routes.
    #[command(subcommand)]
    Route(route::Command),
    /// Looks after channels.
    #[command(subcommand)]
    Channel(channel::Command),
    /// Looks after messages that wait or were given up.
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// Keeps quiet about certificates for a while.
    #[command(subcommand)]
    Snooze(snooze::Command),
    /// Sends a test certificate that does not exist the whole way, to the channels that the routes choose; prints each stage.
    Canary(canary::Arguments),
    /// Prints the address under which a calendar subscribes to what expires, with the secret that stands for a password.
    Calendar(calendar::Arguments),
    /// Writes a first configuration, from flags or from answers; never a secret.
    Init(init::Arguments),
    /// Prints the JSON Schema of the configuration, for editors: what may be written, with units and defaults.
    Schema,
    /// Prints a completion script for a shell.
    Completions(generate::Arguments),
    /// Prints the manual page.
    Man,
}

/// How a command ended, as the process says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done,
    Failed,
    /// A certificate expires within `--fail-within`.
    ExpiresSoon,
    /// The configuration has mistakes: starting again does not help (`EX_CONFIG` of sysexits.h).
    Configuration,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::ExpiresSoon => 3,
            Self::Configuration => 78,
        }
    }
}

/// Where a command writes.
struct Console<'a> {
    out: &'a mut (dyn Write + Send),
    err: &'a mut (dyn Write + Send),
    /// Whether somebody watches `err`.
    watched: bool,
}

/// Runs the command that `args` name, the program's own name first, and returns the process's exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap too, with code 0. Nobody is left to read it when this fails.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let environment = Environment::process();
    logging::start(&environment, matches!(cli.command, Command::Run), cli.common.log_format);
    let mut out = io::BufWriter::new(io::stdout());
    let mut err = io::stderr();
    let watched = err.is_terminal();
    let mut console = Console { out: &mut out, err: &mut err, watched };
    let outcome = perform(cli, &environment, &mut console).and_then(|exit| {
        console.out.flush()?;
        Ok(exit)
    });
    ExitCode::from(settle(outcome, console.err).code())
}

fn perform(cli: Cli, environment: &Environment, console: &mut Console<'_>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (path, socket) = (&cli.common.config, cli.common.socket.as_deref());
    runtime.block_on(async {
        match cli.command {
            Command::Run => run::run(path, environment, console).await,
            Command::Check(arguments) => {
                check::check(&arguments, (path, socket), environment, console).await
            }
            Command::Scan(arguments) => scan::scan(&arguments, path, environment, console).await,
            Command::List(arguments) => {
                list::list(&arguments, (path, socket), environment, console).await
            }
            Command::Explain(arguments) => {
                explain::explain(&arguments, (path, socket), environment, console).await
            }
            Command::Audit(arguments) => {
                audit::audit(&arguments, (path, socket), environment, console).await
            }
            Command::Plan(arguments) => {
                plan::plan(&arguments, (path, socket), environment, console).await
            }
            Command::Route(command) => {
                route::run(&command, (path, socket), environment, console).await
            }
            Command::Channel(command) => {
                channel::run(&command, (path, socket), environment, console).await
            }
            Command::Outbox(command) => {
                outbox::run(&command, (path, socket), environment, console).await
            }
            Command::Snooze(command) => {
                snooze::run(&command, (path, socket), environment, console).await
            }
            Command::Canary(arguments) => {
                canary::canary(&arguments, (path, socket), environment, console).await
            }
            Command::Calendar(arguments) => {
                calendar::calendar(&arguments, (path, socket), environment, console).await
            }
            Command::Init(arguments) => init::init(&arguments, path, environment, console),
            Command::Schema => schema::print(console),
            Command::Completions(arguments) => generate::completions(&arguments, console),
            Command::Man => generate::manual(console),
        }
    })
}

/// Says what failed, unless that was reported, or it is only that the reader of our output has seen enough.
fn settle(outcome: anyhow::Result<Exit>, err: &mut dyn Write) -> Exit {
    outcome.unwrap_or_else(|error| {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return Exit::Done;
        }
        if error.is::<file::Mistaken>() {
            return Exit::Configuration;
        }
        // Nobody is left to read it when this fails.
        drop(writeln!(err, "error: {}", output::printable(&format!("{error:#}"))));
        Exit::Failed
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_those_of_the_design() {
        let mut names = Vec::new();
        for command in Cli::command().get_subcommands() {
            names.push(command.get_name().to_owned());
            names.extend(
                command
                    .get_subcommands()
                    .map(|inner| format!("{} {}", command.get_name(), inner.get_name())),
            );
        }
        assert_eq!(
            names,
            [
                "run",
                "check",
                "scan",
                "list",
                "explain",
                "audit",
                "plan",
                "route",
                "route explain",
                "channel",
                "channel test",
                "outbox",
                "outbox list",
                "outbox retry",
                "outbox drop",
                "snooze",
                "snooze add",
                "snooze list",
                "snooze end",
                "canary",
                "calendar",
                "init",
                "schema",
                "completions",
                "man"
            ]
        );
    }

    #[test]
    fn the_configuration_may_be_named_before_or_after_the_command() {
        for args in
            [["notafter", "--config", "x.toml", "run"], ["notafter", "run", "--config", "x.toml"]]
        {
            assert_eq!(Cli::try_parse_from(args).unwrap().common.config, PathBuf::from("x.toml"));
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure_a_mistake_is_reported_already_and_anything_else_is_said() {
        let mut err = Vec::new();
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(settle(Err(closed.into()), &mut err), Exit::Done);
        assert_eq!(settle(Err(file::Mistaken.into()), &mut err), Exit::Configuration);
        assert_eq!(String::from_utf8_lossy(&err), "");
        let full = anyhow::anyhow!("disk \u{1b}[31mfull").context("cannot write");
        assert_eq!(settle(Err(full), &mut err), Exit::Failed);
        assert_eq!(String::from_utf8_lossy(&err), "error: cannot write: disk \\u{1b}[31mfull\n");
    }

    #[test]
    fn exit_codes() {
        let codes =
            [Exit::Done, Exit::Failed, Exit::ExpiresSoon, Exit::Configuration].map(Exit::code);
        assert_eq!(codes, [0, 1, 3, 78]);
    }
}
