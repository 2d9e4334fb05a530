//! Certificates of Tencent Cloud SSL, listed whole as the one scope `all`.
//!
//! The private keys that another action of this API hands out are never asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use super::tencent::{self, Account, PageLimit, Service};
use super::{Bound, Context, Kind, Page, Slice, Source, SourceError, Window};
use crate::client::tencent::{Fault, Tencent};
use crate::client::{Action, CallError, ClockOffset};
use crate::config::{Fields, SourceConfig};
use crate::expiry::Status;

mod bound;
mod rows;

/// What `kind = "tencent-ssl"` is.
pub(super) const KIND: Kind = Kind {
    name: "tencent-ssl",
    about: "Tencent Cloud, SSL certificates.",
    options: &[
        tencent::SECRET_ID,
        tencent::SECRET_KEY,
        tencent::TOKEN,
        tencent::ENDPOINT.or("\"https://ssl.tencentcloudapi.com\""),
        tencent::RATE.or("5"),
    ],
    build,
    actions: &[LIST, bound::CREATE, bound::RESULT],
    windowed: false,
    full_scan_default: None,
    fixed_scope: Some(SCOPE),
    serves: false,
    names_endpoints: true,
};

const LIST: Action = Action::new("DescribeCertificates");
const SCOPE: &str = "all";

const SERVICE: Service = Service {
    name: "ssl",
    version: "2019-12-05",
    endpoint: "https://ssl.tencentcloudapi.com",
    rate: 5.0,
    limit: 10.0,
};
/// The most rows of one page; a larger number would be lowered to this one silently.
const LIMIT: u64 = 1000;
const OVERLAP: u64 = 10;

/// Builds the source, or reports what is wrong with its options.
fn build(
    config: &SourceConfig,
    mut fields: Fields<'_>,
    context: &Context<'_>,
) -> Option<Arc<dyn Source>> {
    let account = Account::read(&mut fields, &SERVICE);
    fields.finish()?;
    Some(Arc::new(TencentSsl::new(account?.client(&SERVICE, &config.name, None, context.deps))))
}

struct TencentSsl {
    client: Tencent,
    limit: PageLimit,
    uses: bound::Uses,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    offset: u64,
    limit: u64,
}

#[async_trait]
impl Source for TencentSsl {
    async fn slices(&self, window: Window) -> Result<Vec<Slice>, SourceError> {
        // One list holds servers' certificates and authorities'.
        Ok(vec![Slice::whole(&SCOPE.into(), window, self.limit.rows(), OVERLAP)])
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.client.clock_offset()
    }

    async fn page(&self, _: &Slice, offset: u64) -> Result<Page, SourceError> {
        Ok(self.limit.read(SCOPE, |limit| self.list(offset, limit)).await?)
    }

    fn tells_use(&self) -> bool {
        true
    }

    async fn bound(&self, serials: &[String]) -> Vec<Option<Bound>> {
        self.uses.of(&self.client, serials).await
    }

    /// Returns the domains of every certificate that is in use.
    async fn endpoints(&self) -> Result<Vec<String>, SourceError> {
        let (mut names, mut rows) = (BTreeSet::new(), BTreeSet::new());
        let (mut offset, mut total) = (0, u64::MAX);
        while offset < total {
            let page = self.limit.read(SCOPE, |limit| self.list(offset, limit)).await?;
            let used = page.sightings.iter().filter(|one| one.status == Status::Active);
            names.extend(used.flat_map(|one| one.names).map(str::to_owned));
            let received = page.rows.len() as u64;
            rows.extend(page.rows);
            total = page.total;
            if offset + received >= total || received <= OVERLAP {
                break;
            }
            offset += received - OVERLAP;
        }
        if (rows.len() as u64) < total {
            let text = format!("{} of {total} certificates were listed", rows.len());
            return Err(SourceError::Unavailable(text));
        }
        Ok(names.into_iter().collect())
    }
}

impl TencentSsl {
    fn new(client: Tencent) -> Self {
        Self { client, limit: PageLimit::new(LIMIT), uses: bound::Uses::default() }
    }

    /// Reads one page in the order of application, newest first, which is what the API does when it is not
    /// asked to sort. The time of application never changes, so that rows keep their order and new ones only
    /// push others down, where the overlap sees them again. Sorted by expiry, a renewal would move a row, and
    /// many rows share one end.
    async fn list(&self, offset: u64, limit: u64) -> Result<Page, CallError> {
        let read = move |body: &[u8]| {
            let page = rows::page(body)?;
            let received = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
            if received > limit {
                let text = format!("{received} rows where {limit} were asked for");
                return Err(Fault::Malformed(text));
            }
            Ok(page)
        };
        self.client.call(LIST, &Request { offset, limit }, read).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::fake::{Fake, Reply as Answer};
    use crate::source::tencent::client_of;

    #[tokio::test]
    async fn one_slice_is_read_by_offset_without_a_region() {
        let fake = Fake::start(|_, _| {
            Answer::json(&json!({"Response": {"TotalCount": 1, "Certificates": [
                {"CertificateId": "abc", "Status": 1, "CertEndTime": "2025-11-23 00:00:00"}
            ]}}))
        })
        .await;
        let source = TencentSsl::new(client_of(&fake, &SERVICE, None));
        let slices = source.slices(Window::All).await.unwrap();
        assert_eq!(slices.len(), 1);
        assert_eq!(
            (slices[0].scope.as_ref(), slices[0].limit, slices[0].overlap),
            ("all", 1000, 10)
        );
        let page = source.page(&slices[0], 990).await.unwrap();
        assert_eq!((page.total, page.sightings.len()), (1, 1));
        let seen = &fake.seen()[0];
        assert_eq!(seen.json(), json!({"Offset": 990, "Limit": 1000}));
        assert_eq!(seen.header("x-tc-action"), "DescribeCertificates");
        assert_eq!(seen.header("x-tc-version"), "2019-12-05");
        assert_eq!(seen.header("x-tc-region"), "");
        assert!(seen.header("authorization").contains("/ssl/tc3_request"));
    }

    #[tokio::test]
    async fn its_endpoints_are_the_domains_of_what_is_in_use() {
        let row = |id: u32, status: u32, name: &str| {
            json!({"CertificateId": format!("c{id}"), "Status": status, "Domain": name,
                "SubjectAltName": [name, format!("www.{name}")], "CertEndTime": "2035-11-23 00:00:00"})
        };
        let lacks = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let hides = Arc::clone(&lacks);
        let fake = Fake::start(move |_, seen| {
            let offset = seen.json()["Offset"].as_u64().unwrap();
            let rows: Vec<_> = match offset {
                0 => (0..20).map(|id| row(id, 1, &format!("d{id}.example"))).collect(),
                10 if !hides.load(std::sync::atomic::Ordering::SeqCst) => (10..25)
                    .map(|id| row(id, if id == 24 { 10 } else { 1 }, &format!("d{id}.example")))
                    .collect(),
                _ => Vec::new(),
            };
            Answer::json(&json!({"Response": {"TotalCount": 25, "Certificates": rows}}))
        })
        .await;
        let source = TencentSsl::new(client_of(&fake, &SERVICE, None));
        let endpoints = source.endpoints().await.unwrap();
        assert_eq!(endpoints.len(), 48);
        assert!(endpoints.contains(&"www.d23.example".to_owned()));
        assert!(!endpoints.contains(&"d24.example".to_owned()), "revoked");
        lacks.store(true, std::sync::atomic::Ordering::SeqCst);
        let error = source.endpoints().await.unwrap_err().to_string();
        assert_eq!(error, "unavailable: 20 of 25 certificates were listed");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_is_what_the_kind_states() {
        let options = "secret_id = { env = 'ID' }\nsecret_key = { env = 'KEY' }";
        crate::source::sent::sends_what_it_states(&KIND, options, |_| {
            let task = json!([{"CertId": "c", "TaskId": "t"}]);
            Answer::json(&json!({
                "Response": {"TotalCount": 0, "Certificates": [], "CertTaskIds": task},
            }))
        })
        .await;
    }

    #[tokio::test]
    async fn answers_that_are_too_large_halve_the_page() {
        let fake = Fake::start(|_, seen| match seen.json()["Limit"].as_u64().unwrap() {
            300.. => {
                Answer::json(&json!({"Response": {"Error": {"Code": "ResponseSizeLimitExceeded"}}}))
            }
            _ => Answer::json(&json!({"Response": {"TotalCount": 0, "Certificates": []}})),
        })
        .await;
        let source = TencentSsl::new(client_of(&fake, &SERVICE, None));
        let slices = source.slices(Window::All).await.unwrap();
        source.page(&slices[0], 0).await.unwrap();
        assert_eq!(source.slices(Window::All).await.unwrap()[0].limit, 250);
    }

    /// The action with private keys in its answer, written so that this test does not find itself.
    #[test]
    fn private_keys_are_never_asked_for() {
        let forbidden = ["\"DescribeCertificate", "Detail\""].concat();
        let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = std::fs::read_to_string(&path) {
                    assert!(!text.contains(&forbidden), "{}", path.display());
                    read += 1;
                }
            }
        }
        assert!(read > 30, "{read}");
    }
}
