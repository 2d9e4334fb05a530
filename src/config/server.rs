//! `[server]` and `[store]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::address::base;
use super::size::size;
use super::spelling::quoted;
use super::{
    Environment, Fields, Hosts, Key, Placed, Server, Shape, Sockets, Span, StoreUrl, WebConfig,
    hosts,
};

const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10793);
const DEFAULT_STORE: &str = "notafter.db";

/// What may stand in `[server]`.
pub(super) const SERVER: &[Key] = &[
    Key::new(
        "listen",
        Shape::Like(r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}$"),
        "IP address and port of /metrics, /-/healthy, /-/ready, /api/v1 and the page. One that is not a loopback address needs \
         `web_config_file` with users or client certificates, or `allow_unauthenticated`.",
    )
    .or("\"127.0.0.1:10793\""),
    Key::new(
        "external_url",
        Shape::Like(r"^\s*https?://"),
        "Where people reach the page; messages link to it. Without it messages have no links.",
    ),
    Key::new(
        "web_config_file",
        Shape::Text,
        "TLS, client certificates and users, in the format of Prometheus' exporter-toolkit; read again when it changes.",
    ),
    Key::new(
        "allow_unauthenticated",
        Shape::Boolean,
        "Lets everybody who reaches the address read, without name and password.",
    )
    .or("false"),
    Key::new(
        "hosts",
        Shape::Texts,
        "More names under which this server is asked, with `*` and `?`, without ports. A request for any other name is refused (421).",
    ),
    Key::new(
        "socket",
        Shape::Text,
        "The control socket, which commands ask. A relative path is under $RUNTIME_DIRECTORY when systemd gives one, else beside the store.",
    )
    .or("\"notafter.sock\""),
];

/// What may stand in `[store]`.
pub(super) const STORE: &[Key] = &[
    Key::new(
        "url",
        Shape::Like(r"^\s*sqlite:"),
        "A SQLite file. A relative path is under $STATE_DIRECTORY when systemd gives one, else under the working directory.",
    )
    .or("\"sqlite:notafter.db\""),
    Key::new(
        "audit_max",
        Shape::Size,
        "How many bytes of what happened (`notafter audit`) are kept at most, such as `1GiB`: the oldest goes first.",
    )
    .or("\"1GiB\""),
];

/// Reads `[server]`; the control socket may be beside the store.
pub(super) fn server(root: &mut Fields<'_>, store: &StoreUrl) -> Server {
    let StoreUrl::Sqlite(store) = store;
    let environment = root.environment().clone();
    let sockets = |configured: Option<&str>| Sockets::new(configured, store, &environment);
    let mut server = Server {
        listen: DEFAULT_LISTEN,
        external_url: None,
        hosts: Hosts::default(),
        sockets: sockets(None),
        web_config_file: None,
        allow_unauthenticated: false,
    };
    let Some((table, span)) = root.table("server") else { return server };
    let mut fields = root.inside(table, span);
    let listen = fields.string("listen");
    if let Some(listen) = &listen {
        server.listen = listen_address(&mut fields, listen).unwrap_or(DEFAULT_LISTEN);
    }
    let listen_span = listen.map(|listen| listen.span);
    if let Some(text) = fields.string("external_url") {
        match base(&text.value) {
            Ok(url) => server.external_url = Some(url),
            Err(why) => fields.mistake(text.span, format!("`external_url` {why}")),
        }
    }
    server.hosts = Hosts::new(hosts::patterns(&mut fields), server.external_url.as_ref());
    if let Some(path) = fields.string("socket") {
        if path.value.trim().is_empty() {
            fields.mistake(path.span, "`socket` is empty");
        } else {
            server.sockets = sockets(Some(&path.value));
        }
    }
    server.allow_unauthenticated = fields.boolean("allow_unauthenticated").unwrap_or_default();
    let web = fields.string("web_config_file");
    access(&mut fields, &mut server, listen_span, web);
    fields.finish();
    server
}

/// Reads the file that says who may reach the server, and refuses an address that everybody would reach.
fn access(
    fields: &mut Fields<'_>,
    server: &mut Server,
    listen: Option<Span>,
    web: Option<Placed<String>>,
) {
    let mut authenticates = false;
    if let Some(file) = web {
        let path = PathBuf::from(&file.value);
        match WebConfig::read(&path) {
            Ok(config) => authenticates = config.authenticates(),
            Err(why) => {
                fields.mistake(file.span, format!("`web_config_file`: {why}"));
                return;
            }
        }
        server.web_config_file = Some(path);
    }
    let Some(span) = listen.filter(|_| !server.listen.ip().is_loopback() && !authenticates) else {
        return;
    };
    if server.allow_unauthenticated {
        fields.warn(span, "whoever reaches this address can read the names of all certificates");
    } else {
        fields.mistake(
            span,
            "whoever reaches this address could read the names of all certificates: set `web_config_file` with \
             `basic_auth_users` or `client_auth_type: RequireAndVerifyClientCert`, or `allow_unauthenticated = true`",
        );
    }
}

fn listen_address(fields: &mut Fields<'_>, text: &Placed<String>) -> Option<SocketAddr> {
    let address = text.value.parse::<SocketAddr>().ok();
    if address.is_none() {
        fields.mistake(
            text.span.clone(),
            "`listen`: not an IP address with a port, such as `127.0.0.1:10793` or `[::1]:10793`",
        );
    }
    address
}

/// What happened is kept in so many bytes where nobody says.
const DEFAULT_AUDIT: u64 = 1 << 30;

/// Reads `[store]`: where state is kept, and how many bytes of what happened.
pub(super) fn store(root: &mut Fields<'_>) -> (StoreUrl, u64) {
    let environment = root.environment();
    let default = || StoreUrl::Sqlite(under_state(DEFAULT_STORE, environment));
    let Some((table, span)) = root.table("store") else {
        return (default(), DEFAULT_AUDIT);
    };
    let mut fields = root.inside(table, span);
    let mut store = default();
    if let Some(text) = fields.string("url") {
        match store_url(&text.value, environment) {
            Ok(url) => {
                absent_directory(&mut fields, &url, text.span);
                store = url;
            }
            // Never the text itself: the URL of a database may hold a password.
            Err(why) => fields.mistake(text.span, format!("`url`: {why}")),
        }
    }
    let audit_max = audit_max(&mut fields).unwrap_or(DEFAULT_AUDIT);
    fields.finish();
    (store, audit_max)
}

fn audit_max(fields: &mut Fields<'_>) -> Option<u64> {
    let text = fields.string("audit_max")?;
    match size(&text.value) {
        Ok(bytes) => Some(bytes as u64),
        Err(why) => {
            fields.mistake(text.span, format!("`audit_max`: {why}"));
            None
        }
    }
}

/// Warns where the directory of the store is not there. One that may not be looked at may be there.
fn absent_directory(fields: &mut Fields<'_>, store: &StoreUrl, span: Span) {
    let StoreUrl::Sqlite(path) = store;
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return;
    };
    let found = directory.metadata();
    if found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        let shown = quoted(&directory.to_string_lossy());
        fields
            .warn(span, format!("the directory of the store, {shown}, does not exist: create it"));
    }
}

fn store_url(text: &str, environment: &Environment) -> Result<StoreUrl, String> {
    let how = "write `sqlite:PATH`, such as `sqlite:notafter.db` or `sqlite:/var/lib/notafter/notafter.db`";
    let Some(path) = text.trim().strip_prefix("sqlite:") else {
        return Err(format!("this kind of store is not known: {how}"));
    };
    // `sqlite://x.db` would be the file `/x.db`, which nobody means; three slashes are what other tools write.
    let path = match (path.strip_prefix("//"), path) {
        (Some(absolute), _) if absolute.starts_with('/') => absolute,
        (Some(_), _) => return Err(format!("two slashes name a host, and a file has none: {how}")),
        (None, "") => return Err(format!("the path is missing: {how}")),
        (None, ":memory:") => return Err(format!("memory does not survive a restart: {how}")),
        (None, path) => path,
    };
    Ok(StoreUrl::Sqlite(under_state(path, environment)))
}

fn under_state(path: &str, environment: &Environment) -> PathBuf {
    match environment.state_directory() {
        Some(directory) => directory.join(path),
        None => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores() {
        let how = "write `sqlite:PATH`, such as `sqlite:notafter.db` or `sqlite:/var/lib/notafter/notafter.db`";
        let given = Environment::of([("STATE_DIRECTORY", "/var/lib/notafter:/var/lib/other")]);
        let absent = Environment::of([("STATE_DIRECTORY", "")]);
        for (text, environment, expected) in [
            ("sqlite:x.db", &given, Ok("/var/lib/notafter/x.db")),
            ("sqlite:x.db", &absent, Ok("x.db")),
            ("sqlite:/srv/x.db", &given, Ok("/srv/x.db")),
            ("sqlite:///srv/x.db", &given, Ok("/srv/x.db")),
            ("sqlite://x.db", &given, Err("two slashes name a host, and a file has none: ")),
            ("sqlite::memory:", &given, Err("memory does not survive a restart: ")),
            ("sqlite:", &given, Err("the path is missing: ")),
            ("postgres://u:p@h/d", &given, Err("this kind of store is not known: ")),
        ] {
            let expected = match expected {
                Ok(path) => Ok(StoreUrl::Sqlite(PathBuf::from(path))),
                Err(why) => Err(format!("{why}{how}")),
            };
            assert_eq!(store_url(text, environment), expected, "{text}");
        }
    }
}
