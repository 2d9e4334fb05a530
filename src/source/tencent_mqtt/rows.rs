//! Rows of the device certificate list, read without copying what is not needed.
//!
//! <https://cloud.tencent.com/document/api/1778/113647>: every time is in milliseconds, and 0 means never.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json::{Reader, Value, integer};
use super::row_end::{RowEnd, is_within};
use super::stated_expiry::Agreement;
use crate::client::tencent::{ApiError, Fault, Reply, Whole, decode};
use crate::client::time;
use crate::expiry::{
    Kind, Reason, Rejected, Sighting, Sightings, Status, Timestamp, listed_digest,
};
use crate::source::{Page, Span};
use crate::x509;

/// The fields that are used of a row, all of which may be absent or null.
#[derive(Default)]
struct Row<'a> {
    client_id: Text<'a>,
    device_certificate_sn: Text<'a>,
    device_certificate_cn: Text<'a>,
    ca_sn: Text<'a>,
    organizational_unit: Text<'a>,
    status: Text<'a>,
    not_before_time: Number,
    not_after_time: Number,
    /// As it is written: it is not looked at unless the row does not say when it ends.
    device_certificate: Option<&'a [u8]>,
    /// Whether it is no row, or a field in it is of another type or there twice.
    bad: bool,
    /// All of it, as it is written.
    raw: &'a [u8],
}

/// A text that was read, if it was; null is an empty one.
type Text<'a> = Option<Cow<'a, [u8]>>;

/// A number that was read, if it was; null is `None`.
type Number = Option<Option<i64>>;

impl<'a> Row<'a> {
    /// Reads the next value. `None` where it is not JSON.
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let is_row = reader.peek()? == b'{';
        let before = *reader;
        let mut row = Self { bad: !is_row, ..Self::default() };
        if is_row {
            reader.object(|reader, name| row.field(name, reader))?;
        } else {
            reader.skip()?;
        }
        row.raw = before.up_to(reader);
        Some(row)
    }

    fn field(&mut self, name: &[u8], reader: &mut Reader<'a>) -> Option<()> {
        let fits = match name {
            b"ClientId" => text(&mut self.client_id, reader.value()?),
            b"DeviceCertificateSn" => text(&mut self.device_certificate_sn, reader.value()?),
            b"DeviceCertificateCn" => text(&mut self.device_certificate_cn, reader.value()?),
            b"CaSn" => text(&mut self.ca_sn, reader.value()?),
            b"OrganizationalUnit" => text(&mut self.organizational_unit, reader.value()?),
            b"Status" => text(&mut self.status, reader.value()?),
            b"NotBeforeTime" => number(&mut self.not_before_time, &reader.value()?),
            b"NotAfterTime" => number(&mut self.not_after_time, &reader.value()?),
            b"DeviceCertificate" => once(&mut self.device_certificate, reader.raw()?),
            _ => {
                reader.skip()?;
                true
            }
        };
        self.bad |= !fits;
        Some(())
    }

    fn client(&self) -> &[u8] {
        self.client_id.as_deref().unwrap_or_default()
    }

    fn serial(&self) -> &[u8] {
        self.device_certificate_sn.as_deref().unwrap_or_default()
    }

    fn common_name(&self) -> &[u8] {
        self.device_certificate_cn.as_deref().unwrap_or_default()
    }

    fn issuer(&self) -> &[u8] {
        self.ca_sn.as_deref().unwrap_or_default()
    }

    fn unit(&self) -> &[u8] {
        self.organizational_unit.as_deref().unwrap_or_default()
    }

    fn status(&self) -> &[u8] {
        self.status.as_deref().unwrap_or_default()
    }

    fn stated_end(&self) -> Result<Option<Timestamp>, time::NotATime> {
        time::millis(self.not_after_time.flatten().unwrap_or_default())
    }

    fn says_when_it_ends(&self) -> bool {
        matches!(self.stated_end(), Ok(Some(_)))
    }

    /// Returns when it ends, from the certificate itself where the row does not say.
    fn end(&self) -> RowEnd {
        match self.stated_end() {
            Ok(Some(stated)) => RowEnd::Stated(stated),
            _ => RowEnd::Unstated(self.certified_end()),
        }
    }

    /// Returns the end in the certificate itself, if that can be read.
    fn certified_end(&self) -> Option<Timestamp> {
        let Value::Text(pem) = Reader::new(self.device_certificate?).value()? else { return None };
        x509::first_end_in_pem(std::str::from_utf8(&pem).ok()?)
    }

    /// Returns whether the row says nothing of what the provider always says.
    fn has_no_fields(&self) -> bool {
        [self.status(), self.client(), self.common_name()].iter().all(|text| text.is_empty())
    }

    /// Returns how the row is named to people, being the one at `position` of its page.
    fn name(&self, position: usize) -> String {
        match (self.serial(), self.bad) {
            ([], true) => format!("row {position} of a page"),
            ([], false) => {
                let client = String::from_utf8_lossy(self.client());
                format!("a row without a serial, client `{client}`")
            }
            (serial, _) => String::from_utf8_lossy(serial).into_owned(),
        }
    }

    /// Returns what a page counts the row by, even where it cannot be understood.
    fn digest(&self) -> u64 {
        if self.bad && self.serial().is_empty() {
            return listed_digest(b"", self.raw);
        }
        listed_digest(self.issuer(), self.serial())
    }
}

/// Keeps a text, or null, which is empty; false where it is neither.
fn text<'a>(slot: &mut Text<'a>, value: Value<'a>) -> bool {
    match value {
        Value::Text(text) => once(slot, text),
        Value::Null => once(slot, Cow::default()),
        Value::Number(_) | Value::Other => false,
    }
}

/// Keeps a whole number, or null; false where it is neither.
fn number(slot: &mut Number, value: &Value<'_>) -> bool {
    match value {
        Value::Number(number) => integer(number).is_some_and(|number| once(slot, Some(number))),
        Value::Null => once(slot, None),
        Value::Text(_) | Value::Other => false,
    }
}

/// Keeps the first value; false where there is one already.
fn once<T>(slot: &mut Option<T>, value: T) -> bool {
    let is_first = slot.is_none();
    slot.get_or_insert(value);
    is_first
}

/// What a page says.
#[derive(Default)]
struct List<'a> {
    total: Option<u64>,
    rows: Option<Vec<Row<'a>>>,
}

impl<'a> List<'a> {
    /// Reads a body. `None` where it is not a list, for whatever reason.
    fn read(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let mut list = None;
        reader.object(|reader, name| match name {
            b"Response" => once(&mut list, Self::response(reader)?).then_some(()),
            _ => reader.skip(),
        })?;
        reader.peek().is_none().then_some(list)?
    }

    fn response(reader: &mut Reader<'a>) -> Option<Self> {
        let (mut error, mut total, mut rows) = (None, None, None);
        reader.object(|reader, name| match name {
            b"Error" => {
                once(&mut error, (reader.value()? == Value::Null).then_some(())?).then_some(())
            }
            b"TotalCount" => number(&mut total, &reader.value()?).then_some(()),
            b"Data" => once(&mut rows, Self::data(reader)?).then_some(()),
            _ => reader.skip(),
        })?;
        let total = total.flatten().map(u64::try_from).transpose().ok()?;
        Some(Self { total, rows: rows.flatten() })
    }

    /// Reads the rows, or null.
    #[expect(clippy::option_option, reason = "the outer says whether it is JSON")]
    fn data(reader: &mut Reader<'a>) -> Option<Option<Vec<Row<'a>>>> {
        if reader.peek()? != b'[' {
            return (reader.value()? == Value::Null).then_some(None);
        }
        let mut rows = Vec::with_capacity(128);
        reader.array(|reader| {
            rows.push(Row::read(reader)?);
            Some(())
        })?;
        Some(Some(rows))
    }
}

/// Returns the total and the rows of a body. One that is not a list is read a second time, for words that say why.
fn list(body: &[u8]) -> Result<(u64, Vec<Row<'_>>), Fault> {
    let Some(list) = List::read(body) else {
        let unlike = || Fault::Malformed("a list in a shape of its own".into());
        return Err(decode::<Described>(body).err().unwrap_or_else(unlike));
    };
    contents(list)
}

/// A list as serde reads it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    error: Option<ApiError>,
    #[expect(dead_code, reason = "only its type counts")]
    total_count: Option<Whole>,
    #[expect(dead_code, reason = "only its type counts")]
    data: Option<Vec<IgnoredAny>>,
}

impl Reply for Described {
    fn error(&self) -> Option<&ApiError> {
        self.error.as_ref()
    }
}

/// Reads a page. A row with a field of another type costs that row, not the page.
pub(super) fn page(body: &[u8], within: Option<Span>) -> Result<Page, Fault> {
    let (total, rows) = list(body)?;
    let mut page = Page { total, ..Page::default() };
    let read = rows.iter().enumerate();
    let sightings = read.filter_map(|(at, row)| sighting(at, row, within, &mut page.rejected));
    page.sightings = Sightings::from_bytes(sightings)
        .map_err(|error| Fault::Garbled(format!("a text is not UTF-8: {error}")))?;
    // The digests of the sightings are those of the rows, where no row is without one.
    page.rows = if page.sightings.len() == rows.len() {
        page.sightings.seen().map(|seen| seen.digests().listed()).collect()
    } else {
        rows.iter().map(Row::digest).collect()
    };
    let undated = rows.iter().filter(|row| !row.bad && !row.says_when_it_ends());
    page.undated = undated.map(Row::digest).collect();
    if page.rejected.iter().any(|rejected| rejected.reason == Reason::UnknownStatus) {
        let unknown = rows.iter().filter(|row| !row.bad && status(row.status()).is_none());
        page.unknown_status = unknown.map(Row::digest).collect();
    }
    Ok(page)
}

/// Compares the end that a page's first certificate states with the one in the certificate itself.
pub(super) fn agreement(body: &[u8]) -> Result<Agreement, Fault> {
    let (_, rows) = list(body)?;
    let compared = rows
        .iter()
        .filter(|row| !row.bad)
        .filter_map(|row| Some(Agreement::of(row.stated_end().ok()??, row.certified_end())));
    let mut told = compared.filter(|one| *one != Agreement::Unknown);
    Ok(told.next().unwrap_or(Agreement::Unknown))
}

/// An empty list may be null, but only when the total says that it is empty.
fn contents(list: List<'_>) -> Result<(u64, Vec<Row<'_>>), Fault> {
    let malformed = |text: &str| Err(Fault::Malformed(text.into()));
    match (list.total, list.rows) {
        (None, _) => malformed("no TotalCount"),
        (Some(0), None) => Ok((0, Vec::new())),
        (Some(_), None) => malformed("TotalCount without Data"),
        (Some(total), Some(rows)) => Ok((total, rows)),
    }
}

/// Returns what a row says, and rejects what cannot be understood of it.
fn sighting<'a>(
    position: usize,
    row: &'a Row<'_>,
    within: Option<Span>,
    rejected: &mut Vec<Rejected>,
) -> Option<Sighting<&'a [u8]>> {
    let mut reject = |reason| rejected.push(Rejected { reason, what: row.name(position) });
    if row.bad {
        reject(Reason::BadField);
        return None;
    }
    if row.serial().is_empty() {
        reject(Reason::Unidentified);
        return None;
    }
    let end = row.end();
    let not_after = match end {
        RowEnd::Stated(end) => Some(end),
        RowEnd::Unstated(certified) => certified,
    };
    if not_after.is_none() && row.stated_end().is_err() {
        reject(Reason::BadTime);
    }
    if not_after.is_none() && row.has_no_fields() {
        // Nothing but its name came through: what is known of it stays, and the scan is not whole.
        reject(Reason::BadField);
        return None;
    }
    if !is_within(end, within) {
        reject(Reason::OutsideSlice);
        return None;
    }
    let status = status(row.status()).unwrap_or_else(|| {
        reject(Reason::UnknownStatus);
        // A certificate must not fall silent because of a word that we do not know.
        Status::Active
    });
    let begin = row.not_before_time.flatten();
    Some(Sighting {
        issuer: row.issuer(),
        serial: row.serial(),
        place: b"",
        fingerprint: None,
        collides: false,
        signer: row.issuer(),
        signs: b"",
        kind: Kind::Device,
        status,
        not_before: begin.and_then(|millis| time::millis(millis).ok().flatten()),
        not_after,
        end_unlisted: not_after.is_some() && matches!(end, RowEnd::Unstated(_)),
        common_name: row.common_name(),
        holder: row.client(),
        unit: row.unit(),
        names: Vec::new(),
        successors: Vec::new(),
        labels: Vec::new(),
    })
}

/// Maps the provider's word; certificates of authorities have the same ones.
pub(super) fn status(word: &[u8]) -> Option<Status> {
    match word {
        b"ACTIVE" => Some(Status::Active),
        b"INACTIVE" => Some(Status::Inactive),
        b"REVOKED" => Some(Status::Revoked),
        b"PENDING_ACTIVATION" => Some(Status::Pending),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
