//! Whom to trust: authorities, or a key that is known.

use super::words::Certificate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, OnceLock};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

/// Whose certificates are good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that this machine trusts; of the bundled ones, if it knows none.
    #[default]
    System,
    /// Those of these authorities, and no others.
    Authorities(Vec<CertificateDer<'static>>),
    /// Those with one of these keys, whoever signed them and whatever name and dates they bear.
    Pins(Vec<Pin>),
    /// Anybody's. That is no trust.
    Anybody,
}

/// SHA-256 of a certificate's key (its SubjectPublicKeyInfo, RFC 7469 §2.4), written `sha256//` and base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

/// What is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pin is sha256// and the base64 of a SHA-256, as `mailmodem check` prints it")]
pub struct BadPin;

impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        let digest = text.strip_prefix("sha256//").and_then(|digits| STANDARD.decode(digits).ok());
        digest.and_then(|digest| digest.try_into().ok()).map(Self).ok_or(BadPin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", STANDARD.encode(self.0))
    }
}

pub(super) static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(ring::default_provider()));

/// Read once: on a machine of many lines all share it.
static SYSTEM: LazyLock<Result<Arc<ClientConfig>, String>> =
    LazyLock::new(|| config(authorities(system_roots())?));

impl Trust {
    /// TLS 1.2 and 1.3 by this trust. Sessions are resumed among connections of one such configuration: [`KeptTrust`].
    ///
    /// # Errors
    /// None of the authorities can be used.
    pub fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::System => return SYSTEM.clone(),
            Self::Authorities(certificates) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates {
                    roots
                        .add(certificate.clone())
                        .map_err(|error| format!("no authority's certificate: {error}"))?;
                }
                authorities(roots)?
            }
            Self::Pins(pins) => Arc::new(Unchained { pins: Some(pins.clone()) }),
            Self::Anybody => Arc::new(Unchained { pins: None }),
        };
        config(verifier)
    }
}

/// Whom to trust, with the configuration that was made of it for the first connection. Its clones share that, so that the
/// connections of all of them resume each other's sessions with a server of the same name (RFC 8446 §2.2), and no others
/// do; all that trust this machine's authorities share one. A session that is resumed is not verified anew: it is of a
/// server that the same trust has verified, at most seven days ago, and is forgotten with its upstream.
#[derive(Clone, Debug, Default)]
pub struct KeptTrust {
    trust: Trust,
    config: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl KeptTrust {
    /// Who is trusted.
    #[must_use]
    pub const fn whom(&self) -> &Trust {
        &self.trust
    }

    /// As [`Trust::config`], and always the same.
    ///
    /// # Errors
    /// As there.
    pub fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.config.get_or_init(|| self.trust.config()).clone()
    }
}

impl From<Trust> for KeptTrust {
    fn from(trust: Trust) -> Self {
        Self { trust, config: Arc::default() }
    }
}

impl PartialEq for KeptTrust {
    fn eq(&self, other: &Self) -> bool {
        self.trust == other.trust
    }
}

impl Eq for KeptTrust {}

fn config(verifier: Arc<dyn ServerCertVerifier>) -> Result<Arc<ClientConfig>, String> {
    let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        // What is dangerous about it is said where `Unchained` is.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn authorities(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&PROVIDER))
        .build()
        .map_err(|error| error.to_string())
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in native.errors {
        tracing::warn!(%error, "an authority of this machine's cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        tracing::info!("this machine names no authority to trust; the bundled ones are taken");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Asks no authority: a key that is pinned is known by itself, and with `verify = false` its owner wants it so, and is
/// told at every start. That the server has the certificate's key is verified all the same.
#[derive(Debug)]
struct Unchained {
    pins: Option<Vec<Pin>>,
}

/// The server's key is another than those that are pinned.
#[derive(Debug, thiserror::Error)]
#[error("its key is {}, which is not pinned", .0.map_or_else(|| "unreadable".to_owned(), |pin| pin.to_string()))]
struct NotPinned(Option<Pin>);

impl ServerCertVerifier for Unchained {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(pins) = &self.pins else { return Ok(ServerCertVerified::assertion()) };
        let pin = Certificate::read(end_entity).map(|certificate| certificate.pin);
        match pin.filter(|pin| pins.contains(pin)) {
            Some(_) => Ok(ServerCertVerified::assertion()),
            None => Err(CertificateError::Other(OtherError(Arc::new(NotPinned(pin)))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &PROVIDER.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &PROVIDER.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        let pin = Pin([7; 32]);
        assert_eq!(pin.to_string().parse(), Ok(pin));
        for bad in ["", "sha256//", "sha256//AAAA", "sha1//AAAA", &pin.to_string()["sha256//".len()..]] {
            assert_eq!(bad.parse::<Pin>(), Err(BadPin), "{bad}");
        }
    }

    #[test]
    fn there_is_somebody_to_trust_on_every_machine() {
        assert!(!system_roots().is_empty());
        assert!(Trust::System.config().is_ok());
    }
}
