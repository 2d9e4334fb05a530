//! `openssl s_server` with chains and versions as they should not be.

use std::process::Command;

use super::made::{Authority, Key, Leaf, Served, leaf};
use super::servers::OpenSsl;
use super::{rows, scan};

/// Returns a private key in PEM.
pub(crate) fn key(algorithm: &str) -> String {
    let output =
        Command::new("openssl").args(["genpkey", "-quiet", "-algorithm", algorithm]).output();
    let output = output.expect("openssl is installed: tests/run does it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_a_chain_is_told_and_it_is_read_all_the_same() {
    let root = Authority::root("Root");
    let between = root.below("Between");
    let below = between.below("Below");
    let good = below.sign(&leaf(&["a.example"]));
    let swapped = Served { chain: good.chain.iter().rev().cloned().collect(), ..good.clone() };
    let cut = Served { chain: Vec::new(), ..good.clone() };
    let old = Leaf { years: (2020, 2021), ..leaf(&["a.example"]) };
    let next = Leaf { years: (2044, 2045), ..leaf(&["a.example"]) };
    let stranger = Authority::root("Stranger").below("Nobody");
    for (served, certificates, reason) in [
        (good, 3, None),
        (swapped, 3, Some("wrong_order: its chain is in the wrong order")),
        (
            cut,
            1,
            Some(
                "chain_incomplete: the certificate of CN=Below, which signed CN=a.example, is neither",
            ),
        ),
        (below.sign(&old), 3, Some("expired: its certificate expired at 2021-01-01T00:00:00Z")),
        (
            below.sign(&next),
            3,
            Some("not_yet_valid: its certificate is not valid before 2044-01-01"),
        ),
        (
            below.sign(&leaf(&["b.example"])),
            3,
            Some("name_mismatch: its certificate is for b.example, not for a.example"),
        ),
        (
            leaf(&["a.example"]).self_signed(),
            1,
            Some("self_signed: its certificate is self-signed and not trusted"),
        ),
        (
            stranger.sign(&leaf(&["a.example"])),
            2,
            Some("chain_incomplete: the certificate of CN=Stranger"),
        ),
    ] {
        let running = OpenSsl::start(&served, &[]).await;
        let endpoint = format!("127.0.0.1:{}/a.example", running.port);
        let ran = scan(&root, &["--format", "json"], std::slice::from_ref(&endpoint)).await;
        assert_eq!((ran.code, rows(&ran).len()), (Some(0), certificates), "{reason:?} {}", ran.err);
        match reason {
            None => assert_eq!(ran.err, ""),
            Some(reason) => {
                assert!(ran.err.starts_with(&format!("tls: {endpoint}: {reason}")), "{}", ran.err);
            }
        }
    }
}

#[tokio::test]
async fn every_key_and_both_versions_are_read_and_older_ones_are_named() {
    let root = Authority::root("Root");
    for (key, name) in [(Key::P256, "p256"), (Key::Ed25519, "ed25519"), (Key::Rsa, "rsa")] {
        for version in ["-tls1_2", "-tls1_3"] {
            let served = root.sign(&Leaf { key, ..leaf(&["a.example"]) });
            let running = OpenSsl::start(&served, &[version]).await;
            let endpoint = format!("127.0.0.1:{}/a.example", running.port);
            let ran = scan(&root, &["--format", "json"], &[endpoint]).await;
            assert_eq!((rows(&ran).len(), ran.err.as_str()), (1, ""), "{name} {version}");
        }
    }
    let served = root.sign(&Leaf { key: Key::Rsa, ..leaf(&["a.example"]) });
    let versions = "the server speaks neither TLS 1.2 nor TLS 1.3; older versions cannot be read";
    let ciphers = "servers of older ciphers and of SM2 certificates cannot be read";
    for (arguments, why) in [
        (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], versions),
        (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], versions),
        (["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], ciphers),
    ] {
        let running = OpenSsl::start(&served, &arguments).await;
        let ran = scan(&root, &[], &[format!("127.0.0.1:{}/a.example", running.port)]).await;
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}
