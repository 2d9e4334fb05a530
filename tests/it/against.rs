//! `notafter check --against-running`: what a reload would change, asked of the daemon that runs.

use simulator::clock::wall_seconds;
use simulator::fleet::{Fleet, Instance};
use simulator::{Setup, Simulator};

use crate::harness::{Daemon, Ran, configuration, environment};

fn assert_exit(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "stdout:\n{}\nstderr:\n{}", ran.out, ran.err);
}

const CHECK: [&str; 2] = ["check", "--against-running"];

#[tokio::test]
async fn a_reload_is_foretold_and_nothing_is_done() {
    let rows = Instance::new("mqtt-a", 400);
    let fleet = Fleet::new(7, wall_seconds()).with(rows).with_ssl(60).with_product(10, true);
    let simulator = Simulator::start(Setup::new(fleet)).await.unwrap();
    let text = configuration(&simulator);
    let mut daemon = Daemon::prepared(&text, &environment(&simulator));
    let alone = daemon.run(&CHECK).await;
    assert_exit(&alone, 1);
    assert!(alone.err.contains("no daemon answers on its control socket"), "{}", alone.err);
    daemon.start();
    daemon.ready().await;
    for source in ["iot", "web", "plant"] {
        daemon.until(&format!("notafter_source_up{{source=\"{source}\"}}"), |up| up > 0.0).await;
    }
    daemon.drained("ops").await;
    let same = daemon.run(&CHECK).await;
    assert_exit(&same, 0);
    assert_eq!(same.out, "a reload would change nothing\n");

    let (before, _) = text.split_once("[[source]]\nname = \"plant\"").unwrap();
    let (_, after) = text.split_once("[[channel]]").unwrap();
    let other = format!("{before}[[channel]]{after}")
        .replace("channels = [\"ops\", \"room\"]", "channels = [\"room\"]")
        .replace("[alerts]\n", "[alerts]\nladder = [\"45d\"]\n");
    // As long as one with thousands of endpoints.
    daemon.configure(&(other + &"# one more line\n".repeat(20_000)));
    // Whoever asks needs no secrets: the daemon has them.
    let mut asking = daemon.command(&CHECK);
    asking.env_remove("WEBHOOK_URL").env_remove("SECRET_KEY");
    let ran = Daemon::ran(asking, "check").await;
    assert_exit(&ran, 0);
    for line in [
        "a reload would change:",
        "  source plant is gone",
        "  the routes differ",
        "  the ladders differ",
        "forgotten: 11 certificates, whose sources are gone",
        "endpoint.unreachable of iot",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    let moved = ran.out.lines().find(|line| line.starts_with("  ops, room -> room: ")).unwrap();
    assert!(moved.contains(" certificates, "), "{}", ran.out);
    let again = daemon.run(&CHECK).await;
    assert_eq!(again.out, ran.out, "nothing was done");

    // What only the daemon can know is wrong is a mistake as any other.
    daemon.configure(&text.replace("env = \"SECRET_KEY\"", "env = \"NO_SUCH_KEY\""));
    let wrong = daemon.run(&CHECK).await;
    assert_exit(&wrong, 78);
    assert!(wrong.err.contains("environment variable `NO_SUCH_KEY` is not set"), "{}", wrong.err);
    let place = format!("{}:", daemon.config_path().display());
    assert!(wrong.err.starts_with(&place), "{}", wrong.err);
    assert!(daemon.stop().await.success());
}
