//! Which paths are places, and what is said of those that are not there.

use std::ffi::OsStr;
use std::fs::{create_dir, create_dir_all, remove_file, rename, write};
use std::os::unix::ffi::OsStrExt as _;

use super::*;
use crate::expiry::PlaceState;

/// Returns the places below a folder that hold certificates, in order.
fn places(page: &Page, folder: &Path) -> Vec<String> {
    let prefix = format!("{}/", folder.display());
    let mut places: Vec<String> =
        page.sightings.owned().into_iter().map(|seen| seen.place.replace(&prefix, "")).collect();
    places.sort();
    places
}

fn states(page: &Page) -> Vec<PlaceState> {
    page.places.as_ref().unwrap().looked.iter().map(|look| look.state).collect()
}

#[tokio::test]
async fn braces_and_exclude_choose_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["live/a", "live/b", "archive/a"] {
        create_dir_all(at(name)).unwrap();
    }
    let names = ["live/a/c.pem", "live/a/c.crt", "live/b/c.crt", "live/b/c.txt", "archive/a/c.pem"];
    for (serial, name) in (1..).zip(names) {
        write(at(name), certificate("a", serial, 2035)).unwrap();
    }
    let page = read(&[glob_in(folder.path(), "**/*.{pem,crt}")]).await;
    assert_eq!(
        places(&page, folder.path()),
        ["archive/a/c.pem", "live/a/c.crt", "live/a/c.pem", "live/b/c.crt"]
    );
    let mut options = of_globs(&[glob_in(folder.path(), "**/*.{pem,crt}")]);
    options.exclude = Exclude::new(&["**/archive/**".to_owned(), "b".to_owned()]).unwrap();
    let page = look(&Files::new(options, Arc::new(RealDisk))).await;
    assert_eq!(places(&page, folder.path()), ["live/a/c.crt", "live/a/c.pem"]);
}

#[tokio::test]
async fn names_that_are_not_utf8_are_places_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"\xb2\xe2\xca\xd4.pem");
    write(folder.path().join(name), certificate("a", 1, 2035)).unwrap();
    let page = read(&[glob_in(folder.path(), "*.pem")]).await;
    assert_eq!(places(&page, folder.path()), [r"\xb2\xe2\xca\xd4.pem"]);
}

#[tokio::test]
async fn a_file_with_many_names_is_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    create_dir(at("..2026")).unwrap();
    write(at("..2026/tls.crt"), certificate("a", 1, 2035)).unwrap();
    symlink("..2026", at("..data")).unwrap();
    symlink("..data/tls.crt", at("tls.crt")).unwrap();
    symlink("tls.crt", at("a.crt")).unwrap();
    let named = |pattern: &str| glob_in(folder.path(), pattern);
    let below = named("**/*.crt");
    for (globs, expected) in [
        (vec![below.clone()], "a.crt"),
        (vec![named("*/tls.crt")], "..2026/tls.crt"),
        (vec![below.clone(), named("tls.crt")], "tls.crt"),
        (vec![named("..data/tls.crt"), below], "..data/tls.crt"),
    ] {
        let page = read(&globs).await;
        assert_eq!(places(&page, folder.path()), [expected], "{globs:?}");
    }
}

#[tokio::test]
async fn links_that_lead_in_circles_end() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    create_dir(at("a")).unwrap();
    write(at("a/x.pem"), certificate("a", 1, 2035)).unwrap();
    symlink(".", at("self")).unwrap();
    symlink("..", at("a/up")).unwrap();
    symlink("loop", at("loop")).unwrap();
    let page = read(&[glob_in(folder.path(), "**/*.pem")]).await;
    assert_eq!(
        (places(&page, folder.path()), states(&page)),
        (vec!["a/x.pem".to_owned()], vec![PlaceState::Read])
    );
}

#[tokio::test]
async fn what_is_named_and_not_there_is_missing_and_a_glob_without_match_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(at("a.pem"), certificate("a", 1, 2035)).unwrap();
    let globs =
        ["a.pem", "gone.pem", "a.pem/below", "*.crt"].map(|one| glob_in(folder.path(), one));
    let files = files(&globs);
    let page = look(&files).await;
    let missing = |name: &str| (Reason::Missing, name.to_owned());
    assert_eq!(told(&page, folder.path()), [missing("a.pem/below"), missing("gone.pem")]);
    let places = page.places.unwrap();
    assert_eq!((&places.globs_without_match, places.unproven), (&vec![globs[3].clone()], None));
    let place = |name: &str| format!("{}: not there", at(name).display());
    let warnings =
        [place("a.pem/below"), place("gone.pem"), format!("`{}` matches nothing", globs[3])];
    assert_eq!(files.warnings().await, warnings);
}

#[tokio::test]
async fn a_glob_that_matched_before_and_matches_nothing_now_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let unproven = |page: &Page| page.places.as_ref().unwrap().unproven.clone();
    write(at("a.crt"), certificate("a", 1, 2035)).unwrap();
    let globs = ["*.crt", "*.pem"].map(|one| glob_in(folder.path(), one));
    let before = files(&globs);
    assert_eq!(unproven(&look(&before).await), None, "it never matched");
    write(at("b.pem"), certificate("b", 2, 2035)).unwrap();
    let page = look(&before).await;
    assert_eq!((unproven(&page), page.checkpoints.len()), (None, 1));
    rename(at("b.pem"), at("b.txt")).unwrap();
    // A restart remembers.
    let after = files(&globs);
    after.restore("all", &page.checkpoints);
    for files in [&before, &after] {
        let page = look(files).await;
        let why = format!(
            "`{}` matched before and matches nothing now; if that is meant, take it out of `paths`",
            globs[1]
        );
        assert_eq!((unproven(&page), page.sightings.len()), (Some(why), 1));
    }
    let without = files(&globs[..1]);
    without.restore("all", &page.checkpoints);
    let page = look(&without).await;
    let forgotten: Vec<_> = page.checkpoints.iter().filter(|(_, value)| value.is_none()).collect();
    assert_eq!((unproven(&page), forgotten), (None, vec![&(format!("glob {}", globs[1]), None)]));
}

#[tokio::test]
async fn a_source_that_reads_nothing_is_not_proven_and_one_that_reads_a_broken_file_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let globs = ["a.pem", "b.pem"].map(|one| glob_in(folder.path(), one));
    write(at("a.pem"), "hello").unwrap();
    let page = read(&globs).await;
    assert_eq!(states(&page), [PlaceState::Broken, PlaceState::Missing]);
    assert_eq!(page.places.unwrap().unproven, None);
    remove_file(at("a.pem")).unwrap();
    let why = format!("nothing could be read: {}: not there", globs[0]);
    assert_eq!(read(&globs).await.places.unwrap().unproven, Some(why));
}

#[tokio::test]
async fn a_named_folder_and_a_broken_file_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(at("a.pem"), format!("{}-----BEGIN PKCS7-----\nAA", certificate("a", 1, 2035))).unwrap();
    std::fs::copy("tests/fixtures/keystores/store.jks", at("b.jks")).unwrap();
    let globs = [folder.path().display().to_string(), glob_in(folder.path(), "*.*")];
    let problems: Vec<String> = read(&globs).await.places.unwrap().problems().collect();
    let at = folder.path().display();
    assert_eq!(
        problems,
        [
            format!("{at}: a folder: write `{at}/*` to read what is in it"),
            format!("{at}/a.pem: #2 the certificate has no end line"),
            format!(
                "{at}/b.jks: #1 a keystore in JKS: give its password with `password = {{ credential = \"…\" }}`"
            ),
        ]
    );
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    use crate::config::{Environment, load};
    let refused = |options: &str| {
        let text = format!(
            "[[source]]\nname='s'\nkind='files'\nschedule='@daily'\n[source.options]\n{options}"
        );
        let mut mistakes = crate::config::Mistakes::default();
        let config = load(&text, &Environment::of([]), |_| None).0.unwrap().sources.remove(0);
        let fields = Fields::new(&config.options, &mut mistakes);
        assert!(super::super::options(&config, fields).is_none());
        mistakes.render("x", &text)
    };
    insta::assert_snapshot!(refused("paths = ['!/a']\nexclude = ['{']\npassword = 'changeit'"), @r#"
    x:6:9: `!/a` is not a path: to leave files out, write `exclude = ["/a"]`
    x:7:11: `{` is not a glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
    x:8:12: a secret is never written here: write `{ env = "NAME" }`, `{ file = "/path" }` or `{ credential = "name" }`
    "#);
}
