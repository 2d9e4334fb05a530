//! `notafter completions` and `notafter man`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Console, EXIT_CODES, Exit, VARIABLES};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Prints a completion script.
pub(super) fn completions(
    arguments: &Arguments,
    console: &mut Console<'_>,
) -> anyhow::Result<Exit> {
    // clap_complete panics when its writer fails, so it writes into memory, which does not.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "notafter", &mut script);
    console.out.write_all(&script)?;
    Ok(Exit::Done)
}

/// Prints the manual page: one for the program and all its commands.
pub(super) fn manual(console: &mut Console<'_>) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    // Without this the commands have no full names.
    command.build();
    let out = &mut *console.out;
    let page = Man::new(command.clone());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    commands(&command, "notafter", out)?;
    page.render_options_section(out)?;
    writeln!(out, ".SH \"EXIT STATUS\"\n{EXIT_CODES}\n.SH ENVIRONMENT\n{VARIABLES}")?;
    page.render_version_section(out)?;
    Ok(Exit::Done)
}

fn commands(
    command: &clap::Command,
    name: &str,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        let name = format!("{name} {}", inner.get_name());
        if inner.has_subcommands() {
            commands(inner, &name, out)?;
            continue;
        }
        writeln!(out, ".TP\n.B {name}{}", usage(inner))?;
        writeln!(out, "{}", inner.get_about().map(ToString::to_string).unwrap_or_default())?;
        for argument in inner.get_arguments().filter(|argument| is_own(argument)) {
            writeln!(out, ".RS\n.TP\n.B {}", label(argument))?;
            writeln!(
                out,
                "{}\n.RE",
                argument.get_help().map(ToString::to_string).unwrap_or_default()
            )?;
        }
    }
    Ok(())
}

fn usage(command: &clap::Command) -> String {
    let (positionals, options): (Vec<_>, Vec<_>) = command
        .get_arguments()
        .filter(|argument| is_own(argument))
        .partition(|a| a.is_positional());
    let options = if options.is_empty() { "" } else { " [options]" };
    positionals.into_iter().fold(options.to_owned(), |text, one| text + " " + &label(one))
}

fn is_own(argument: &clap::Arg) -> bool {
    !argument.is_global_set() && argument.get_id() != "help" && argument.get_id() != "version"
}

fn label(argument: &clap::Arg) -> String {
    let value = argument.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    let value = value.filter(|_| argument.get_action().takes_values()).unwrap_or_default();
    let long = argument.get_long().map(|long| format!("--{long} ").replace('-', "\\-"));
    (long.unwrap_or_default() + &value).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(write: impl FnOnce(&mut Console<'_>) -> anyhow::Result<Exit>) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { out: &mut out, err: &mut err, watched: false };
        assert_eq!(write(&mut console).unwrap(), Exit::Done);
        assert_eq!(err, b"");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_shell_has_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = printed(|console| completions(&Arguments { shell }, console));
            for word in ["completions", "fail-within", "config"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn the_manual_names_every_command_and_option() {
        let page = printed(manual);
        for text in [
            ".TH notafter 1",
            ".B notafter run\n",
            ".B notafter scan [options]\n",
            ".B notafter channel test [options] NAME\n",
            ".B notafter completions SHELL\n",
            "\\-\\-fail\\-within",
            ".SH \"EXIT STATUS\"\n0 done",
        ] {
            assert!(page.contains(text), "{text}\n{page}");
        }
    }
}
