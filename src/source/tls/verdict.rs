//! What is wrong with a chain that was served. Reading it does not depend on this.

use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::authorities::Trusted;
use super::handshake::Served;
use crate::expiry::text::iso;
use crate::expiry::{Invalid, InvalidReason, Timestamp};
use crate::x509::Facts;

/// More names than these are not written out.
const NAMES: usize = 5;

/// What is wrong, and how in words. The words stay the same for as long as it does.
pub(super) type Problem = (InvalidReason, String);

/// Which of several things that are wrong is the one to name: what any client sees comes first.
const FIRST: [InvalidReason; 7] = [
    InvalidReason::Expired,
    InvalidReason::NotYetValid,
    InvalidReason::NameMismatch,
    InvalidReason::SelfSigned,
    InvalidReason::ChainIncomplete,
    InvalidReason::Untrusted,
    InvalidReason::WrongOrder,
];

/// Returns several problems as one verdict.
pub(super) fn verdict(mut problems: Vec<Problem>, shares: Option<&str>) -> Option<Invalid> {
    problems.sort_by_key(|(reason, _)| FIRST.iter().position(|one| one == reason));
    let reason = problems.first()?.0;
    let mut detail: Vec<&str> = problems.iter().map(|(_, text)| text.as_str()).collect();
    detail.extend(shares);
    Some(Invalid { reason, detail: detail.join("; ") })
}

/// What a chain is held against.
pub(super) struct Judge<'a> {
    pub(super) trusted: &'a Trusted,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) now: Timestamp,
}

impl Judge<'_> {
    /// Returns everything that is wrong with a chain for a server of that name. `facts` are those of the certificates of
    /// the chain, in order, as far as they can be read.
    pub(super) fn problems(
        &self,
        served: &Served,
        facts: &[Option<Facts>],
        name: &ServerName<'_>,
    ) -> Vec<Problem> {
        let Some((leaf, Some(own))) = served.chain.first().zip(facts.first()) else {
            return Vec::new();
        };
        let mut problems = self.of_time(own);
        problems.extend(of_name(leaf, own, name));
        problems.extend(self.of_trust(&served.chain, own, facts));
        if is_in_wrong_order(facts) {
            let text = "its chain is in the wrong order";
            problems.push((InvalidReason::WrongOrder, text.to_owned()));
        }
        if served.wrong_key {
            let text = "the server does not hold the key of its certificate";
            problems.push((InvalidReason::Untrusted, text.to_owned()));
        }
        problems
    }

    fn of_time(&self, own: &Facts) -> Vec<Problem> {
        if own.not_after < self.now {
            vec![(
                InvalidReason::Expired,
                format!("its certificate expired at {}", iso(own.not_after)),
            )]
        } else if own.not_before > self.now {
            let text = format!("its certificate is not valid before {}", iso(own.not_before));
            vec![(InvalidReason::NotYetValid, text)]
        } else {
            Vec::new()
        }
    }

    /// A certificate that is out of its time is held against the authorities of its time.
    fn of_trust(
        &self,
        chain: &[CertificateDer<'static>],
        own: &Facts,
        facts: &[Option<Facts>],
    ) -> Option<Problem> {
        let (leaf, others) = chain.split_first()?;
        if self.trusted.pinned.contains(&**leaf) || self.trusted.roots.is_empty() {
            return None;
        }
        let time = self.now.clamp(own.not_before, own.not_after.max(own.not_before));
        let seconds = u64::try_from(time.seconds()).unwrap_or_default();
        let verified = ParsedCertificate::try_from(leaf).and_then(|leaf| {
            verify_server_cert_signed_by_trust_anchor(
                &leaf,
                &self.trusted.roots,
                others,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                self.algorithms.all,
            )
        });
        match verified.err()? {
            Error::InvalidCertificate(error) => of_certificate(&error, time, facts),
            error => Some((InvalidReason::Untrusted, format!("it is not trusted: {error}"))),
        }
    }
}

fn of_name(leaf: &CertificateDer<'_>, own: &Facts, name: &ServerName<'_>) -> Option<Problem> {
    // What cannot be parsed here is not trusted either, and that is said.
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    verify_server_name(&parsed, name).err()?;
    let mut names = own.names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    if own.names.len() > NAMES {
        names = format!("{names} and {} more", own.names.len() - NAMES);
    }
    let name = name.to_str();
    let text = if names.is_empty() {
        format!("its certificate has no alternative name, such as {name}")
    } else {
        format!("its certificate is for {names}, not for {name}")
    };
    Some((InvalidReason::NameMismatch, text))
}

fn of_certificate(
    error: &CertificateError,
    time: Timestamp,
    facts: &[Option<Facts>],
) -> Option<Problem> {
    let others = facts.iter().skip(1).flatten();
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let expired = others.filter(|one| one.not_after < time).min_by_key(|one| one.not_after);
            let text = expired.map_or_else(
                || "an authority that signed it has expired".to_owned(),
                |one| format!("its authority {} expired at {}", one.subject, iso(one.not_after)),
            );
            Some((InvalidReason::Expired, text))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let text = "an authority that signed it is not valid yet";
            Some((InvalidReason::NotYetValid, text.to_owned()))
        }
        CertificateError::UnknownIssuer => Some(of_issuer(facts)),
        // A server's own authority, as `openssl req -x509` makes it, is refused for being one.
        CertificateError::Other(_) if is_alone(facts) => Some(of_issuer(facts)),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            // That notafter cannot check a signature says nothing about the signature.
            None
        }
        error => Some((InvalidReason::Untrusted, format!("it is not trusted: {error}"))),
    }
}

/// Returns whether the server's certificate names itself as what signed it.
fn is_alone(facts: &[Option<Facts>]) -> bool {
    facts.first().and_then(Option::as_ref).is_some_and(|own| own.issuer == own.subject)
}

/// Follows the chain from the server's certificate up, and says where it ends.
fn of_issuer(facts: &[Option<Facts>]) -> Problem {
    let mut certificates: Vec<&Facts> = facts.iter().flatten().collect();
    let mut top = certificates.remove(0);
    let mut length = 1;
    while top.issuer != top.subject
        && let Some(next) = certificates.iter().position(|one| signed(one, top))
    {
        top = certificates.remove(next);
        length += 1;
    }
    if top.issuer != top.subject {
        let text = format!(
            "the certificate of {}, which signed {}, is neither sent nor trusted",
            top.issuer, top.subject
        );
        return (InvalidReason::ChainIncomplete, text);
    }
    match length {
        1 => {
            (InvalidReason::SelfSigned, "its certificate is self-signed and not trusted".to_owned())
        }
        _ => (InvalidReason::Untrusted, format!("its authority {} is not trusted", top.subject)),
    }
}

/// Returns whether the one may have signed the other, by name and key.
fn signed(authority: &Facts, other: &Facts) -> bool {
    let key = &other.authority_key_id;
    authority.subject == other.issuer && (key.is_empty() || *key == authority.key_id)
}

/// Returns whether one that is in the chain does not stand right behind what it signed.
fn is_in_wrong_order(facts: &[Option<Facts>]) -> bool {
    let facts: Vec<&Facts> = facts.iter().flatten().collect();
    let is_astray = |(at, one): (usize, &&Facts)| {
        let follows = facts.get(at + 1).is_some_and(|next| signed(next, one));
        one.issuer != one.subject && !follows && facts.iter().any(|other| signed(other, one))
    };
    facts.iter().enumerate().any(is_astray)
}

#[cfg(test)]
mod tests;
