//! A look at ten thousand endpoints, beside what people run today: `openssl s_client` in a loop, and Debian's
//! `prometheus-blackbox-exporter`. All of them ask one nginx, which answers at every address of loopback.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, stream};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::Options;
use crate::daemon;
use crate::process::{Process, wait_for};
use crate::report::{Budget, Report, words};

/// As many as the budget is for.
const ENDPOINTS: u64 = 10_000;
/// A loop of processes is slow enough to be measured by fewer.
const IN_A_LOOP: usize = 200;
/// What Prometheus would ask the exporter for at a time.
const PROBES: usize = 64;
/// The minute that the budget gives them.
const MOST_SECONDS: f64 = 60.0;

const NAME: &str = "a.example";

/// Measures all three in one run.
pub(crate) fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let count = options.rows.min(ENDPOINTS);
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let _server = serve(&folder, port)?;
    let endpoints: Vec<String> = (0..count)
        .map(|number| format!("{}:{port}", Ipv4Addr::from(0x7F01_0000 + number as u32)))
        .collect();
    let ours = Figures::of(endpoints.len(), || look(folder.path(), &endpoints))?;
    let in_a_loop = endpoints.get(..IN_A_LOOP).unwrap_or(&endpoints);
    let openssl = Figures::of(in_a_loop.len(), || run_openssl(in_a_loop))?;
    let exporter = probe(folder.path(), &endpoints)?;
    let whole = ours.seconds * ENDPOINTS as f64 / count as f64;
    report.say(&format!("{} endpoints", words(count)));
    report.add("10k endpoints", whole, "s", Budget::AtMost(MOST_SECONDS));
    report.add("endpoints in a second", ours.rate(), "/s", Budget::None);
    let against = |other: &Figures| (ours.rate() / other.rate(), other.each() / ours.each());
    let (faster, cheaper) = against(&openssl);
    report.add("against `openssl s_client` in a loop: rate", faster, "x", Budget::AtLeast(1.0));
    report.add("  processor time for each", cheaper, "x", Budget::AtLeast(1.0));
    let (faster, cheaper) = against(&exporter);
    report.add("against prometheus-blackbox-exporter: rate", faster, "x", Budget::AtLeast(1.0));
    report.add("  processor time for each", cheaper, "x", Budget::AtLeast(1.0));
    Ok(())
}

/// What something took.
struct Figures {
    count: usize,
    seconds: f64,
    cpu: f64,
}

impl Figures {
    /// Measures processes that `work` starts and waits for.
    fn of(count: usize, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let (before, begun) = (Process::of_children()?, Instant::now());
        work()?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Self { count, seconds, cpu: Process::of_children()? - before })
    }

    fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    fn each(&self) -> f64 {
        self.cpu / self.count as f64
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Starts nginx with a certificate of an authority of its own, which is written to `roots.pem`.
fn serve(folder: &TempDir, port: u16) -> anyhow::Result<Process> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec![NAME.to_owned()])?.signed_by(&key, &authority)?;
    let at = folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|one| format!("{one}_temp_path {at}/{one};\n"))
        .concat();
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log /dev/null;\nevents {{ worker_connections 2048; }}\n\
         http {{ access_log off; {temporary} server {{ listen 0.0.0.0:{port} ssl backlog=2048; ssl_certificate {at}/leaf.pem;\n\
         ssl_certificate_key {at}/leaf.key; return 204; }} }}\n"
    );
    for (name, text) in [
        ("roots.pem", authority.pem()),
        ("leaf.pem", leaf.pem() + &authority.pem()),
        ("leaf.key", key.serialize_pem()),
        ("nginx.conf", config),
    ] {
        std::fs::write(folder.path().join(name), text)?;
    }
    let mut command = Command::new("nginx");
    command.env("PATH", "/usr/sbin:/usr/bin:/bin").arg("-p").arg(folder.path()).arg("-c");
    start(command.arg(folder.path().join("nginx.conf")), port)
}

/// Starts a program of Debian's and waits until it listens.
fn start(command: &mut Command, port: u16) -> anyhow::Result<Process> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().with_context(|| format!("`{program}` is not installed"))?;
    let process = Process { child };
    wait_for(&format!("{program} listens"), Duration::from_millis(20), || {
        Ok(TcpStream::connect(("127.0.0.1", port)).ok())
    })?;
    Ok(process)
}

/// One scan by notafter.
fn look(folder: &Path, endpoints: &[String]) -> anyhow::Result<()> {
    let mut list = String::new();
    for endpoint in endpoints {
        writeln!(list, "{endpoint}/{NAME}")?;
    }
    std::fs::write(folder.join("endpoints"), list)?;
    let config = format!(
        "[[source]]\nname = \"served\"\nkind = \"tls\"\nschedule = \"every 1h\"\n[source.options]\nendpoints_file = '{}'\n",
        folder.join("endpoints").display()
    );
    std::fs::write(folder.join("notafter.toml"), config)?;
    let output = Command::new(std::env::current_exe()?)
        .args([daemon::ROLE, "scan", "--format", "csv", "--config"])
        .arg(folder.join("notafter.toml"))
        .env("SSL_CERT_FILE", folder.join("roots.pem"))
        .output()?;
    let lines = String::from_utf8(output.stdout)?.lines().count();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(lines == 2 * endpoints.len() + 1, "{lines} lines: {said}");
    Ok(())
}

/// What many a crontab has.
fn run_openssl(endpoints: &[String]) -> anyhow::Result<()> {
    let script = "for endpoint in \"$@\"; do openssl s_client -connect \"$endpoint\" -servername a.example \
                  </dev/null 2>/dev/null | openssl x509 -noout -enddate; done";
    let output = Command::new("bash").args(["-c", script, "bash"]).args(endpoints).output()?;
    let lines = String::from_utf8(output.stdout)?.lines().count();
    ensure!(lines == endpoints.len(), "openssl read {lines} of {}", endpoints.len());
    Ok(())
}

/// The exporter, asked for each endpoint as Prometheus would.
fn probe(folder: &Path, endpoints: &[String]) -> anyhow::Result<Figures> {
    let config = format!(
        "modules:\n  tls:\n    prober: tcp\n    timeout: 5s\n    tcp:\n      tls: true\n      tls_config:\n        \
         server_name: {NAME}\n        ca_file: {}\n",
        folder.join("roots.pem").display()
    );
    std::fs::write(folder.join("blackbox.yml"), config)?;
    let port = free_port()?;
    let mut command = Command::new("prometheus-blackbox-exporter");
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--config.file");
    let exporter = start(command.arg(folder.join("blackbox.yml")), port)?;
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new()?;
    let good = runtime.block_on(async {
        let client =
            reqwest::Client::builder().no_proxy().tls_backend_preconfigured(no_tls()?).build()?;
        let asked = endpoints.iter().map(|endpoint| {
            let url = format!("http://127.0.0.1:{port}/probe?module=tls&target={endpoint}");
            let client = client.clone();
            async move { client.get(url).send().await?.text().await }
        });
        let answers: Vec<_> = stream::iter(asked).buffer_unordered(PROBES).collect().await;
        let is_good = |answer: &&Result<String, reqwest::Error>| {
            answer.as_ref().is_ok_and(|text| text.contains("\nprobe_success 1"))
        };
        anyhow::Ok(answers.iter().filter(is_good).count())
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(good == endpoints.len(), "the exporter read {good} of {}", endpoints.len());
    Ok(Figures { count: endpoints.len(), seconds, cpu: exporter.cpu()? })
}

/// The exporter is asked in the clear, but the client wants a configuration all the same.
fn no_tls() -> anyhow::Result<rustls::ClientConfig> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
