//! nginx with OCSP stapling: what is sent beside the chain keeps nobody from reading it.

use std::path::Path;
use std::process::Command;

use super::made::{Authority, leaf};
use super::servers::{nginx_with, write};
use super::{rows, scan};
use crate::harness::free_port;

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments:?}: {out}{err}");
    out.into_owned()
}

/// Makes an answer of the authority about the certificate, as its responder would.
fn answer(folder: &Path, authority: &Authority) {
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("ca.key"), authority.key()).unwrap();
    let serial = openssl(folder, &["x509", "-in", "a.example.pem", "-noout", "-serial"]);
    let serial = serial.trim().rsplit('=').next().unwrap();
    let line = format!("V\t450101000000Z\t\t{serial}\tunknown\t/CN=a.example\n");
    std::fs::write(folder.join("index"), line).unwrap();
    let about = ["-issuer", "ca.pem", "-cert", "a.example.pem"];
    let by = ["-index", "index", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key"];
    let to = ["-ndays", "30", "-respout", "answer"];
    openssl(folder, &[&["ocsp"], &by[..], &about[..], &to[..]].concat());
}

#[tokio::test]
async fn a_stapled_answer_keeps_nobody_from_reading_the_chain() {
    let root = Authority::root("Root");
    let between = root.below("Between");
    let served = between.sign(&leaf(&["a.example"]));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.example", &served);
    answer(folder.path(), &between);
    let port = free_port();
    let staple = format!("ssl_stapling on; ssl_stapling_file {}/answer;", folder.path().display());
    let _server = nginx_with(port, &[("a.example", served)], &staple).await;
    let at = format!("127.0.0.1:{port}");
    let asked = ["s_client", "-connect", &at, "-servername", "a.example", "-status"];
    let shown = openssl(folder.path(), &asked);
    assert!(shown.contains("OCSP Response Status: successful"), "it is not stapled: {shown}");
    for version in ["json", "table"] {
        let ran = scan(&root, &["--format", version], &[format!("{at}/a.example")]).await;
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
        if version == "json" {
            assert_eq!(rows(&ran).len(), 2);
        }
    }
}
