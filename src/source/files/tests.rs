use std::os::unix::fs::symlink;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;
use crate::expiry::{Kind, Reason, Status, Timestamp};

mod closed;
mod places;

fn certificate(name: &str, serial: u8, year: i32) -> String {
    let mut params = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(vec![serial].into());
    params.not_after = rcgen::date_time_ymd(year, 1, 8);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn of_globs(globs: &[String]) -> Options {
    let patterns = globs.iter().map(|glob| Pattern::new(glob).unwrap()).collect();
    Options { patterns, exclude: Exclude::default(), password: None }
}

fn files(globs: &[String]) -> Files {
    Files::new(of_globs(globs), Arc::new(RealDisk))
}

/// Reads once, and hands notes back as scans do.
async fn look(files: &Files) -> Page {
    let slices = files.slices(Window::All).await.unwrap();
    assert_eq!((slices.len(), slices[0].scope.as_ref(), slices[0].overlap), (1, "all", 0));
    let page = files.page(&slices[0], 0).await.unwrap();
    files.restore("all", &page.checkpoints);
    page
}

async fn read(globs: &[String]) -> Page {
    look(&files(globs)).await
}

fn glob_in(folder: &Path, pattern: &str) -> String {
    format!("{}/{pattern}", folder.display())
}

fn told(page: &Page, folder: &Path) -> Vec<(Reason, String)> {
    let prefix = format!("{}/", folder.display());
    page.rejected.iter().map(|r| (r.reason, r.what.replace(&prefix, ""))).collect()
}

#[tokio::test]
async fn reads_a_certificate_with_all_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.pem"), certificate("a", 0x0e, 2035)).unwrap();
    let page = read(&[glob_in(folder.path(), "*.pem")]).await;
    assert_eq!((page.total, page.rows.len(), page.rejected.len()), (1, 1, 0));
    let seen = &page.sightings.owned()[0];
    assert_eq!((seen.serial.as_str(), seen.holder.as_str()), ("0e", "a.example"));
    assert_eq!((seen.kind, seen.status), (Kind::Server, Status::Active));
    assert_eq!(seen.not_after, Some(Timestamp::from_seconds(2_051_827_200)));
    assert_eq!(
        (seen.common_name.as_str(), seen.names.as_slice()),
        ("a", ["a.example".to_owned()].as_slice())
    );
    assert!(seen.issuer.contains("CN=a"), "{}", seen.issuer);
}

#[tokio::test]
async fn links_count_once_and_a_copy_in_another_file_is_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (a, b) = (certificate("a", 1, 2035), certificate("b", 2, 2035));
    std::fs::write(at("1.pem"), &a).unwrap();
    std::fs::write(at("2.pem"), format!("{b}{a}")).unwrap();
    symlink(at("1.pem"), at("3.pem")).unwrap();
    std::fs::create_dir(at("4.pem")).unwrap();
    let globs = [glob_in(folder.path(), "*.pem"), glob_in(folder.path(), "1.*")];
    let page = read(&globs).await;
    let places = page.sightings.owned().into_iter().map(|seen| (seen.place, seen.serial));
    let expected = [("1.pem", "01"), ("2.pem", "02"), ("2.pem", "01")]
        .map(|(name, serial)| (at(name).display().to_string(), serial.to_owned()));
    assert_eq!(places.collect::<Vec<_>>(), expected);
    assert_eq!((page.total, page.rejected.len()), (3, 0));
}

#[tokio::test]
async fn broken_files_are_rejected_entries() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let a = certificate("a", 1, 2035);
    std::fs::write(
        at("bundle.pem"),
        format!("{a}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    )
    .unwrap();
    std::fs::write(at("empty.pem"), "").unwrap();
    std::fs::write(at("text.pem"), "hello").unwrap();
    std::fs::write(at("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    symlink(at("missing"), at("dangling.pem")).unwrap();
    std::fs::File::create(at("large.pem")).unwrap().set_len((16 << 20) + 1).unwrap();
    let page = read(&[glob_in(folder.path(), "*.pem")]).await;
    assert_eq!(page.sightings.len(), 1);
    let mut rejected = told(&page, folder.path());
    rejected.sort_by(|a, b| a.1.cmp(&b.1));
    let expected = [
        (Reason::BadCertificate, "bundle.pem #2"),
        (Reason::Missing, "dangling.pem"),
        (Reason::BadCertificate, "empty.pem #1"),
        (Reason::Unreadable, "large.pem"),
        (Reason::BadCertificate, "text.pem #1"),
    ];
    assert_eq!(rejected, expected.map(|(reason, what)| (reason, what.to_owned())));
    assert_eq!((page.total, page.rows.len()), (6, 6));
}

#[tokio::test]
async fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.pem");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let page = read(&[glob_in(folder.path(), "*.pem")]).await;
    assert_eq!(told(&page, folder.path()), [(Reason::Unreadable, "pipe.pem".to_owned())]);
}

#[tokio::test]
async fn certificates_with_one_name_collide_in_one_file_and_not_in_two() {
    let folder = tempfile::tempdir().unwrap();
    let (soon, late) = (certificate("a", 1, 2030), certificate("a", 1, 2035));
    std::fs::write(folder.path().join("both.pem"), format!("{soon}{late}")).unwrap();
    std::fs::write(folder.path().join("late.pem"), &late).unwrap();
    let page = read(&[glob_in(folder.path(), "*.pem")]).await;
    let seen = page.sightings.owned();
    assert_eq!(seen.iter().map(|seen| seen.collides).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(seen[1].fingerprint, seen[2].fingerprint);
    assert_ne!(seen[0].fingerprint, seen[1].fingerprint);
    assert_eq!((page.total, page.rejected.len()), (3, 0));
}

#[tokio::test]
async fn keys_beside_certificates_are_nowhere_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let both = format!("{key}{}", certificate("a", 1, 2035));
    std::fs::write(folder.path().join("a.pem"), both).unwrap();
    let page = read(&[glob_in(folder.path(), "*.pem")]).await;
    let secret = key.lines().nth(1).unwrap();
    assert_eq!(page.sightings.len(), 1);
    assert!(!format!("{page:?}").contains(secret));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_as_the_kind_states() {
    let nothing = |_: &crate::client::fake::Seen| panic!("a request");
    crate::source::sent::sends_what_it_states(&KIND, "paths = ['/nowhere/*.pem']", nothing).await;
}
