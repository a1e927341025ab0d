//! TLS as its server: the sandbox's, for other programs.

use crate::link::Stream;
use anyhow::Context as _;
use mail::machine::ChannelBinding;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ProtocolVersion, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A server's certificate and its key.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ServerTls {
    /// By a certificate, with those that lead to its authority, and its key: two PEM files, which may be one.
    ///
    /// # Errors
    /// They cannot be read, or do not belong together.
    pub fn read(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let chain =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain =
            chain.with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
        let key_octets = PrivateKeyDer::from_pem_file(key);
        let key_octets = key_octets.with_context(|| format!("cannot read the key {}", key.display()))?;
        let config = ServerConfig::builder_with_provider(Arc::clone(&super::trust::PROVIDER))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key_octets)
            .with_context(|| format!("{} and {} are no pair", certificate.display(), key.display()))?;
        Ok(Self(Arc::new(config)))
    }

    /// Speaks TLS on a stream; with what binds a log-in to it.
    ///
    /// # Errors
    /// The client does not.
    pub async fn handshake<S: Stream>(
        &self,
        stream: S,
    ) -> io::Result<(TlsStream<S>, Option<ChannelBinding>)> {
        let stream = TlsAcceptor::from(Arc::clone(&self.0)).accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let exporter = (connection.protocol_version() == Some(ProtocolVersion::TLSv1_3))
            .then(|| connection.export_keying_material([0; 32], super::EXPORTER_LABEL, None).ok())
            .flatten();
        Ok((stream, exporter.map(ChannelBinding::TlsExporter)))
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn forget_unsent(&self) {
        self.get_ref().0.forget_unsent();
    }

    fn hold_last(&self) {
        self.get_ref().0.hold_last();
    }
}
