//! Servers of Debian's packages, each with a folder of its own, until they are dropped.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::made::Served;
use crate::harness::{eventually, free_port};

/// Nobody, as every Linux has it.
const NOBODY: u32 = 65534;

/// A process that ends with its test.
pub(crate) struct Running {
    child: Child,
    pub(crate) folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Running {
    /// Starts a command and waits until something listens on the port.
    async fn start(mut command: Command, folder: TempDir, port: u16) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn();
        let child = child.unwrap_or_else(|_| panic!("`{program}` is installed: tests/run does it"));
        let mut running = Self { child, folder };
        eventually(&format!("{program} listens"), async || {
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none(), "{program} ended: {}", running.log());
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        running
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Writes what is served into a folder: `NAME.pem` with its chain, `NAME.key`, `NAME.chain`.
pub(crate) fn write(folder: &Path, name: &str, served: &Served) {
    let chain = served.chain.concat();
    let parts =
        [("pem", format!("{}{chain}", served.leaf)), ("key", served.key.clone()), ("chain", chain)];
    for (kind, text) in parts {
        std::fs::write(folder.join(format!("{name}.{kind}")), text).unwrap();
    }
}

/// `openssl s_server`.
pub(crate) struct OpenSsl {
    pub(crate) port: u16,
    _running: Running,
}

impl OpenSsl {
    pub(crate) async fn start(served: &Served, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "server", served);
        let port = free_port();
        let mut command = Command::new("openssl");
        command.current_dir(folder.path()).args(["s_server", "-quiet", "-cert", "server.pem"]);
        command.args(["-key", "server.key", "-accept", &format!("127.0.0.1:{port}")]);
        if !served.chain.is_empty() {
            command.args(["-cert_chain", "server.chain"]);
        }
        command.args(arguments);
        Self { port, _running: Running::start(command, folder, port).await }
    }
}

/// nginx with several names on one port.
pub(crate) async fn nginx(port: u16, names: &[(&str, Served)]) -> Running {
    nginx_with(port, names, "").await
}

/// The same, with more settings for each of the names.
pub(crate) async fn nginx_with(port: u16, names: &[(&str, Served)], more: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let server = |(name, served): &(&str, Served)| {
        write(folder.path(), name, served);
        format!(
            "server {{ listen 127.0.0.1:{port} ssl; server_name {name}; ssl_certificate {at}/{name}.pem; \
             ssl_certificate_key {at}/{name}.key; {more} return 204; }}\n"
        )
    };
    let servers: String = names.iter().map(server).collect();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|one| format!("{one}_temp_path {at}/{one};\n"))
        .concat();
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log stderr;\nevents {{}}\n\
         http {{ access_log off; {temporary} {servers} }}\n"
    );
    std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
    let mut command = Command::new("nginx");
    // Debian has it where only the administrator's path leads.
    command.env("PATH", "/usr/sbin:/usr/bin:/bin").args(["-p", &at, "-c"]);
    command.arg(folder.path().join("nginx.conf"));
    Running::start(command, folder, port).await
}

fn is_root() -> bool {
    std::env::temp_dir()
        .metadata()
        .is_ok_and(|_| std::fs::metadata("/proc/self").is_ok_and(|myself| myself.uid() == 0))
}

/// Returns a command that is run by nobody where we are root, whom some servers refuse to run as.
fn as_nobody(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let id = NOBODY.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(program);
    command
}

/// `PostgreSQL` with TLS.
pub(crate) async fn postgres(port: u16, served: &Served) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let programs = postgres_programs();
    write(folder.path(), "server", served);
    set_permissions(folder.path().join("server.key"), Permissions::from_mode(0o600)).unwrap();
    if is_root() {
        for path in ["", "server.key", "server.pem"] {
            chown(folder.path().join(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let data = folder.path().join("data");
    let mut init = as_nobody(&programs.join("initdb"));
    init.args(["--no-sync", "--auth=trust", "--username=x", "-D"]).arg(&data);
    let output = init.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let at = folder.path().display();
    let mut command = as_nobody(&programs.join("postgres"));
    command.current_dir(folder.path()).arg("-D").arg(&data);
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={at}/server.pem"),
        format!("ssl_key_file={at}/server.key"),
    ] {
        command.arg("-c").arg(setting);
    }
    Running::start(command, folder, port).await
}

/// Debian keeps one folder for each version.
fn postgres_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.expect("PostgreSQL is installed: tests/run does it");
    let mut versions: Vec<_> = versions.map(|entry| entry.unwrap().path().join("bin")).collect();
    versions.retain(|path| path.join("initdb").exists());
    versions.sort();
    versions.pop().expect("PostgreSQL is installed: tests/run does it")
}

/// dovecot with IMAP and STARTTLS.
pub(crate) async fn dovecot(port: u16, served: &Served) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    write(folder.path(), "server", served);
    let (user, group) = (who("-un"), who("-gn"));
    let login = if is_root() { "nobody" } else { &user };
    let config = format!(
        "protocols = imap\nbase_dir = {at}/run\nstate_dir = {at}/state\nlog_path = /dev/stderr\nlisten = 127.0.0.1\n\
         default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {login}\n\
         ssl = yes\nssl_cert = <{at}/server.pem\nssl_key = <{at}/server.key\n\
         service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service anvil {{\n  chroot =\n}}\n\
         passdb {{\n  driver = static\n  args = nopassword=y\n}}\nuserdb {{\n  driver = static\n  args = uid={login} gid={group} home={at}\n}}\n"
    );
    std::fs::write(folder.path().join("dovecot.conf"), config).unwrap();
    let mut command = Command::new("dovecot");
    command.env("PATH", "/usr/sbin:/usr/bin:/bin").arg("-F").arg("-c");
    command.arg(folder.path().join("dovecot.conf"));
    Running::start(command, folder, port).await
}

fn who(what: &str) -> String {
    let output = Command::new("id").arg(what).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
