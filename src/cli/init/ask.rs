//! The questions, for who gives no flags.

use std::io::{BufRead, Write};

use super::Arguments;
use super::chat::Chat;

/// Asks for what there is. An empty answer means that there is none.
pub(super) fn ask(
    arguments: &mut Arguments,
    input: &mut dyn BufRead,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let mut asked = |question: &str| answer(question, input, out);
    arguments.files =
        words(&asked("Certificates in files of this machine (globs, such as /etc/ssl/**/*.pem)")?);
    arguments.tls =
        words(&asked("Servers to look at (such as example.com mqtt.example.com:8883)")?);
    arguments.tencent_ssl = is_yes(&asked("Tencent Cloud SSL certificates (y/n)")?);
    arguments.tencent_mqtt =
        some(asked("Tencent Cloud MQTT device certificates (the region, such as ap-guangzhou)")?);
    arguments.enos = some(asked("EnOS device certificates (the URL of the API gateway)")?);
    if arguments.enos.is_some() {
        arguments.enos_org = some(asked("The organisation in EnOS (such as o15000000000001)")?);
    }
    loop {
        let kind = asked(&format!("Which chat is told ({})", Chat::KINDS.join(", ")))?;
        if kind.is_empty() || arguments.chat.choose(&kind) {
            return Ok(());
        }
    }
}

fn answer(
    question: &str,
    input: &mut dyn BufRead,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<String> {
    write!(out, "{question}: ")?;
    out.flush()?;
    let mut line = String::new();
    // At the end of the input every answer is empty.
    input.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn is_yes(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "y" | "yes" | "j" | "ja" | "是")
}
