//! Endpoints that a file or another source names.

use super::*;

async fn from_file(tls: &Tls, path: &Path, text: Option<&str>) -> (usize, Option<String>) {
    match text {
        Some(text) => std::fs::write(path, text).unwrap(),
        None => std::fs::remove_file(path).unwrap(),
    }
    let page = polled(tls).await;
    tls.restore("all", &page.checkpoints);
    let places = page.places.unwrap();
    (places.looked.len(), places.unproven)
}

#[tokio::test]
async fn the_file_of_endpoints_is_read_again_at_each_poll() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let port = servers.tls("127.0.0.1:0", good(&authority, "a.example")).await.port();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endpoints");
    let mut options = options(&[format!("a.example:{port}")]);
    options.endpoints_file = Some(path.clone());
    let tls = source(options);
    assert_eq!(from_file(&tls, &path, Some("# none yet\n")).await, (1, None));
    let two = format!("b.example:{port} team=web\nc.example:{port}\na.example:{port}\n");
    assert_eq!(from_file(&tls, &path, Some(&two)).await, (3, None));
    let (looked, unproven) = from_file(&tls, &path, Some("")).await;
    assert_eq!(looked, 1);
    assert!(unproven.unwrap().ends_with("named endpoints before and names none now"));
    let (_, unproven) = from_file(&tls, &path, None).await;
    assert!(unproven.unwrap().contains("No such file"));
    assert_eq!(tls.warnings().await.len(), 1);
}

/// A source that knows endpoints, or cannot tell.
struct Other(Option<Vec<String>>);

#[async_trait]
impl Source for Other {
    async fn slices(&self, _: Window) -> Result<Vec<Slice>, SourceError> {
        Ok(Vec::new())
    }

    async fn page(&self, _: &Slice, _: u64) -> Result<Page, SourceError> {
        Ok(Page::default())
    }

    async fn endpoints(&self) -> Result<Vec<String>, SourceError> {
        let down = || SourceError::Unavailable("no answer".to_owned());
        self.0.clone().ok_or_else(down)
    }
}

#[tokio::test]
async fn other_sources_are_asked_where_to_look_and_wildcards_need_names() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let port = servers.tls("127.0.0.1:0", good(&authority, "a.example")).await.port();
    let known = [format!("m.example:{port}"), "*.example".into(), "*.other".into(), "a b".into()];
    let mut options = options(&[format!("a.example:{port}")]);
    options.from = vec![("web-certs".to_owned(), Arc::new(Other(Some(known.to_vec()))))];
    let page = polled(&source(options)).await;
    let places = page.places.as_ref().unwrap();
    let seen: Vec<_> = places.looked.iter().map(|look| look.place.clone()).collect();
    assert_eq!(
        seen,
        [format!("a.example:{port}/a.example"), format!("m.example:{port}/m.example")]
    );
    assert_eq!(
        (&places.unproven, &places.globs_without_match[..]),
        (&None, &["*.other".to_owned()][..])
    );
    let rejected: Vec<_> = page.rejected.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(rejected, ["web-certs: `a b` is not a host name or an address"]);

    let mut options = self::options(&[format!("a.example:{port}")]);
    options.from = vec![("web-certs".to_owned(), Arc::new(Other(None)))];
    let places = polled(&source(options)).await.places.unwrap();
    assert_eq!(places.looked.len(), 1);
    assert_eq!(places.unproven.unwrap(), "endpoints of `web-certs`: unavailable: no answer");
}
