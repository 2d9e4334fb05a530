//! The source against servers on loopback.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use rcgen::KeyPair;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use super::authorities::Authorities;
use super::look::Addresses;
use super::testing::{Authority, Der, NOW, Servers, leaf, serving};
use super::*;
use crate::client::NoMeter;
use crate::client::http::Http;
use crate::client::limiter::Limiters;
use crate::clock::{SteadyClock, SystemRandom};
use crate::config::{Environment, Mistakes, load};
use crate::expiry::{Kind as Use, PlaceState};

mod limits;
mod lists;
mod starttls;

/// Long enough for a machine that is busy with other tests.
const PATIENT: Duration = Duration::from_secs(30);

/// Names that lead to loopback, and one to where cloud machines keep their secrets.
fn names() -> EgressFilter {
    EgressFilter::asking(|name| {
        let addresses: &[&str] = match name.as_str() {
            "two.example" => &["127.0.0.1", "127.0.0.2"],
            "cloud.example" => &["169.254.169.254"],
            "nobody.example" => &[],
            _ => &["127.0.0.1"],
        };
        let found = addresses.iter().map(|one| (one.parse::<IpAddr>().unwrap(), 0).into());
        let found: Vec<SocketAddr> = found.collect();
        async move { Ok(found) }.boxed()
    })
}

fn options(endpoints: &[String]) -> Options {
    Options { timeout: PATIENT, ..Options::of(endpoints).unwrap() }
}

fn source(options: Options) -> Tls {
    Tls {
        options,
        handshake: Handshake::new().unwrap(),
        filter: names(),
        clock: Arc::new(SteadyClock::starting_at(NOW)),
        named: Mutex::default(),
    }
}

async fn polled(tls: &Tls) -> Page {
    let slices = tls.slices(Window::All).await.unwrap();
    tls.page(&slices[0], 0).await.unwrap()
}

async fn seen(endpoints: &[String]) -> Page {
    polled(&source(options(endpoints))).await
}

/// Returns the state of each place and what is said of it, in order.
fn states(page: &Page) -> Vec<(PlaceState, &str)> {
    let looked = &page.places.as_ref().unwrap().looked;
    looked.iter().map(|look| (look.state, look.why.as_str())).collect()
}

fn chain(authority: &Authority, name: &str) -> (Vec<Der>, KeyPair) {
    let (der, key) = authority.sign(leaf(&[name]));
    (vec![der, authority.der()], key)
}

fn good(authority: &Authority, name: &str) -> ServerConfig {
    let (chain, key) = chain(authority, name);
    serving(chain, &key, &[&TLS12, &TLS13])
}

#[tokio::test]
async fn the_whole_chain_is_read_in_both_versions_of_tls() {
    let authority = Authority::root("Root").below("Between", 2036);
    let mut servers = Servers::default();
    for version in [&TLS12, &TLS13] {
        let (der, key) = authority.sign(leaf(&["a.example", "b.example"]));
        let config = serving(vec![der, authority.der()], &key, &[version]);
        let at = servers.tls("127.0.0.1:0", config).await;
        let page = seen(&[format!("a.example:{}", at.port())]).await;
        assert_eq!(states(&page), [(PlaceState::Read, "")]);
        assert_eq!((page.total, page.rows.len()), (2, 2));
        let sightings = page.sightings.owned();
        let place = format!("a.example:{}/a.example", at.port());
        assert!(sightings.iter().all(|one| one.place == place && one.fingerprint.is_some()));
        let kinds: Vec<_> = sightings.iter().map(|one| (one.kind, one.holder.as_str())).collect();
        assert_eq!(kinds, [(Use::Server, "a.example"), (Use::Ca, "Between")]);
        assert_eq!(sightings[0].names, ["a.example", "b.example"]);
        assert_eq!(sightings[0].signer, sightings[1].signs, "signed by that key");
    }
}

#[tokio::test]
async fn what_a_server_asks_of_its_clients_keeps_nobody_from_reading() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    for version in [&TLS12, &TLS13] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let (chain, key) = chain(&authority, "a.example");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, key.serialize_der().try_into().unwrap())
            .unwrap();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let at = servers.tls("127.0.0.1:0", config).await;
        let page = seen(&[format!("a.example:{}", at.port())]).await;
        assert_eq!((states(&page), page.total), (vec![(PlaceState::Read, "")], 2));
    }
}

#[tokio::test]
async fn addresses_that_serve_different_certificates_are_one_place_with_all_of_them() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let one = servers.tls("127.0.0.1:0", good(&authority, "two.example")).await;
    let endpoint = format!("two.example:{}", one.port());
    let half = seen(std::slice::from_ref(&endpoint)).await;
    let (state, why) = states(&half)[0];
    assert_eq!((state, half.sightings.len()), (PlaceState::Broken, 2));
    assert!(why.starts_with("connecting to 127.0.0.2: Connection refused"), "{why}");

    let second = format!("127.0.0.2:{}", one.port());
    servers.tls(&second, good(&authority, "two.example")).await;
    let both = seen(std::slice::from_ref(&endpoint)).await;
    assert_eq!((states(&both)[0].0, both.sightings.len()), (PlaceState::Read, 3));
    let mut first = options(&[endpoint]);
    first.addresses = Addresses::First;
    assert_eq!(polled(&source(first)).await.sightings.len(), 2);
}

/// Serves nothing that anybody can make sense of.
async fn useless(servers: &mut Servers, says: &'static [u8], closes: bool) -> SocketAddr {
    let serve = move |mut stream: tokio::net::TcpStream| async move {
        drop(stream.read(&mut [0; 1024]).await);
        drop(stream.write_all(says).await);
        if !closes {
            drop(stream.read_to_end(&mut Vec::new()).await);
        }
    };
    servers.with("127.0.0.1:0", serve).await
}

#[tokio::test]
async fn a_server_that_is_no_good_is_one_place_that_cannot_be_read() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let fine = servers.tls("127.0.0.1:0", good(&authority, "a.example")).await.port();
    let http = useless(&mut servers, b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await.port();
    let closes = useless(&mut servers, b"", true).await.port();
    let old = useless(&mut servers, b"\x15\x03\x01\x00\x02\x02\x46", false).await.port();
    let nothing = useless(&mut servers, b"\x15\x03\x03\x00\x02\x02\x28", false).await.port();
    let unnamed = useless(&mut servers, b"\x15\x03\x03\x00\x02\x02\x70", false).await.port();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoints = [
        (format!("a.example:{fine}"), PlaceState::Read, ""),
        (format!("b.example:{http}"), PlaceState::Unreadable, "what answers does not speak TLS"),
        (format!("c.example:{closes}"), PlaceState::Unreadable, "the server closed the connection"),
        (format!("d.example:{old}"), PlaceState::Unreadable, "neither TLS 1.2 nor TLS 1.3"),
        (format!("e.example:{nothing}"), PlaceState::Unreadable, "SM2 certificates cannot be read"),
        (format!("f.example:{unnamed}"), PlaceState::Unreadable, "the server knows no such name"),
        (
            format!("g.example:{nobody}"),
            PlaceState::Unreadable,
            "connecting to 127.0.0.1: Connection refused",
        ),
        (
            "cloud.example".to_owned(),
            PlaceState::Unreadable,
            "a link-local or metadata address, which is refused",
        ),
        (
            format!("smtp://h.example:{http}"),
            PlaceState::Unreadable,
            "asking 127.0.0.1 for TLS over smtp takes longer",
        ),
    ];
    let texts: Vec<String> = endpoints.iter().map(|it| it.0.clone()).collect();
    let mut options = options(&texts);
    options.timeout = Duration::from_secs(5);
    let page = polled(&source(options)).await;
    let places = page.places.as_ref().unwrap();
    assert_eq!(places.unproven, None, "one that is fine proves that there is a way");
    assert_eq!((page.sightings.len(), page.rejected.len()), (2, 8));
    for (text, state, why) in &endpoints {
        let place = Endpoint::parse(text).unwrap().place();
        let look = places.looked.iter().find(|look| look.place == place).unwrap();
        assert_eq!(look.state, *state, "{text} {}", look.why);
        assert!(look.why.contains(why), "{text} {}", look.why);
    }
}

#[tokio::test]
async fn a_source_that_reads_nothing_is_not_proven() {
    let page = seen(&["cloud.example".to_owned()]).await;
    let why = page.places.unwrap().unproven.unwrap();
    assert!(
        why.starts_with("no endpoint could be read: cloud.example:443/cloud.example: "),
        "{why}"
    );
}

#[tokio::test]
async fn a_server_without_the_key_of_its_certificate_is_read() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    for version in [&TLS12, &TLS13] {
        let (chain, _) = chain(&authority, "a.example");
        let config = serving(chain, &KeyPair::generate().unwrap(), &[version]);
        let at = servers.tls("127.0.0.1:0", config).await;
        let handshake = Handshake::new().unwrap();
        let stream = tokio::net::TcpStream::connect(at).await.unwrap();
        let name = Endpoint::parse("a.example").unwrap().name;
        let served = handshake.read(stream, &name).await.unwrap();
        assert_eq!((served.chain.len(), served.wrong_key), (2, true));
    }
}

#[tokio::test]
async fn an_address_of_ipv6_is_read_where_the_machine_has_one() {
    if tokio::net::TcpListener::bind("[::1]:0").await.is_err() {
        // Past what the harness hides of tests that pass.
        let text = "SKIPPED an_address_of_ipv6_is_read: this machine has no IPv6";
        return writeln!(std::io::stderr(), "{text}").unwrap();
    }
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let at = servers.tls("[::1]:0", good(&authority, "a.example")).await;
    let page = seen(&[format!("[::1]:{}/a.example", at.port())]).await;
    assert_eq!((states(&page), page.total), (vec![(PlaceState::Read, "")], 2));
}

#[tokio::test]
async fn authorities_of_the_file_are_trusted_and_stay_so_when_it_cannot_be_read() {
    let authority = Authority::root("Root");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    assert!(Authorities::with_file(&path).unwrap_err().contains("No such file"));
    std::fs::write(&path, "nothing").unwrap();
    assert!(Authorities::with_file(&path).unwrap_err().ends_with("holds no certificate in PEM"));
    std::fs::write(&path, authority.pem()).unwrap();
    let authorities = Arc::new(Authorities::with_file(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    let trusted = authorities.load().await.unwrap();
    assert!(trusted.pinned.contains(&*authority.der()));
    let renewed = Authority::root("Renewed");
    std::fs::write(&path, renewed.pem()).unwrap();
    let trusted = authorities.load().await.unwrap();
    assert!(trusted.pinned.contains(&*renewed.der()) && trusted.pinned.len() == 1);
}

#[test]
fn every_mistake_in_the_options_has_its_place() {
    let deps = Deps {
        http: Http::new().unwrap(),
        limiters: Limiters::default(),
        clock: Arc::new(SteadyClock::starting_at(NOW)),
        random: Arc::new(SystemRandom),
        meter: Arc::new(NoMeter),
    };
    let mistakes = |options: &str| {
        let text = format!(
            "[[source]]\nname='web'\nkind='tls'\nschedule='@daily'\n[source.options]\n{options}\n\
             [[source]]\nname='machine'\nkind='files'\nschedule='@daily'\n[source.options]\npaths=['/x']\n\
             [[source]]\nname='ssl'\nkind='tencent-ssl'\nschedule='@daily'\n[source.options]\nsecret_id={{env='ID'}}\n\
             secret_key={{env='KEY'}}\n[[source]]\nname='broken'\nkind='tencent-ssl'\nschedule='@daily'\n"
        );
        let sources =
            load(&text, &Environment::of([("ID", "x"), ("KEY", "y")]), |_| None).0.unwrap().sources;
        let mut mistakes = Mistakes::default();
        let context = Context { deps: &deps, sources: &sources };
        let config = &sources[0];
        drop(options::read(config, Fields::new(&config.options, &mut mistakes), &context));
        mistakes.render("x", &text)
    };
    insta::assert_snapshot!(mistakes(
        "endpoints = ['a.example', '*.b.example', 'a.example:443/a.example', 7]\nendpoints_file = 'list'\n\
         timeout = '2m'\naddresses = 'some'\nca_file = '/does/not/exist'\nendpoint = 'x'\n\
         from = ['nobody', 'machine', 'broken', 'ssl', 'web']\n"
    ), @r"
    x:6:27: a wildcard names no host: write the names that are served
    x:6:42: a.example:443/a.example is named twice
    x:6:69: `endpoints`: expected a string, found an integer
    x:7:18: `endpoints_file` must begin with `/`
    x:8:11: `timeout` must be above 0 and at most 1m
    x:9:13: `addresses` is `all` or `first`
    x:10:11: `ca_file` /does/not/exist: No such file or directory (os error 2)
    x:11:1: unknown key `endpoint`; did you mean `endpoints`? (known: addresses, ca_file, endpoints, endpoints_file, from, timeout)
    x:12:9: no source has the name `nobody`
    x:12:19: `machine` (files) knows no endpoints; those of kind tencent-mqtt, tencent-ssl do
    x:12:30: `broken` has mistakes of its own
    x:12:47: `web` (tls) knows no endpoints; those of kind tencent-mqtt, tencent-ssl do
    ");
    let missing =
        "give `endpoints`, such as `[\"example.com:443\"]`, an `endpoints_file`, or `from`";
    assert_eq!(mistakes(""), format!("x:5:1: {missing}\n"));
    assert_eq!(mistakes("endpoints = ['a.example']\naddresses = 'first'\ntimeout = '10s'\n"), "");
    assert_eq!(mistakes("endpoints_file = '/etc/notafter/endpoints'\n"), "");
    assert_eq!(mistakes("from = ['ssl']\n"), "");
}
