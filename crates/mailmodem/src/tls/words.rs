//! Certificates and failed handshakes, in words for people.

use super::was_lost;
use crate::tls::Pin;
use jiff::Timestamp;
use mail::smtp::reply::printable;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use x509_parser::parse_x509_certificate;

/// What a server's certificate says. Its words are the server's: they are made printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its last day, in seconds since 1970.
    pub not_after_s: i64,
    /// Its key.
    pub pin: Pin,
}

impl Certificate {
    /// Reads a certificate; `None` for what is none.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(certificate).ok()?;
        Some(Self {
            subject: printable(certificate.subject().to_string().as_bytes()),
            issuer: printable(certificate.issuer().to_string().as_bytes()),
            not_after_s: certificate.validity().not_after.timestamp(),
            pin: Pin(Sha256::digest(certificate.public_key().raw).into()),
        })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, not_after_s, pin } = self;
        write!(f, "{subject}, signed by {issuer}, good until {}, key {pin}", day(*not_after_s))
    }
}

/// Why a handshake failed: what the server did, or is.
pub(super) fn handshake_words(error: &io::Error, from_first_octet: bool) -> String {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return if was_lost(error) {
            "ended the connection in the TLS handshake".to_owned()
        } else {
            format!("was lost in the TLS handshake: {error}")
        };
    };
    match tls {
        Error::InvalidCertificate(certificate) => certificate_words(certificate),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) if from_first_octet => {
            "does not speak TLS from the first octet on this port; tls = \"required\" asks for it by STARTTLS or STLS"
                .to_owned()
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "sent octets in clear where its part of the TLS handshake was due".to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "speaks no TLS from 1.2 on, and what was before is not safe any more".to_owned()
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure)
        | Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "and this program have no cipher of TLS 1.2 or 1.3 in common".to_owned()
        }
        other => format!("and this program do not agree: {}", printable(other.to_string().as_bytes())),
    }
}

fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("has a certificate that expired on {}", moment(*not_after))
        }
        CertificateError::Expired => "has a certificate that expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("has a certificate that begins on {} only; is this machine's clock right?", moment(*not_before))
        }
        CertificateError::NotValidYet => {
            "has a certificate that begins later only; is this machine's clock right?".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<_> = presented.iter().map(|name| printable(plain(name).as_bytes())).collect();
            let names = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            format!("has a certificate that is not for {}, but for {names}", expected.to_str())
        }
        CertificateError::NotValidForName => "has a certificate that is for another name".to_owned(),
        CertificateError::UnknownIssuer => {
            "has a certificate of an authority that is not known here; name the authority's certificate with ca_file, \
             or the server's key with pins"
                .to_owned()
        }
        CertificateError::BadSignature => {
            "has a certificate that the authority it names did not sign".to_owned()
        }
        CertificateError::Revoked => "has a certificate that was revoked".to_owned(),
        // The verifier has no name of its own for it.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "has a certificate that is an authority's own, as self-signed ones are; name the server's key with pins"
                .to_owned()
        }
        CertificateError::Other(other) => format!("is another than expected: {other}"),
        other => format!("has a bad certificate: {}", printable(other.to_string().as_bytes())),
    }
}

/// The name alone, of what is told as `DnsName("mail.example.com")` or `IpAddress(192.0.2.1)`.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

fn moment(time: UnixTime) -> String {
    day(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// The day, in UTC.
fn day(unix_s: i64) -> String {
    match Timestamp::from_second(unix_s) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => "a day beyond all calendars".to_owned(),
    }
}
