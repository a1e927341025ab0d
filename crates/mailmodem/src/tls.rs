//! TLS: whom to trust, the handshake, and in words why there was none.
//!
//! Not here: when TLS is to begin ([`crate::upstream`] and the machines of [`mail`] know), and rustls, which does it.

mod server;
mod trust;
mod words;

pub use server::ServerTls;
pub use trust::{BadPin, KeptTrust, Pin, Trust};
pub use words::Certificate;

use crate::link::Stream;
use crate::tls::words::handshake_words;
use mail::machine::ChannelBinding;
use modem::modem::{Obstacle, ObstacleKind};
use std::fmt;
use std::io;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion};

/// What the octets of `tls-exporter` are asked for by (RFC 9266 §2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// TLS with one server.
#[derive(Clone)]
pub struct Tls {
    /// Looked up when a handshake begins: authorities that nobody asks for are not read.
    trust: KeptTrust,
    server: ServerName<'static>,
    /// The server and its port, for words.
    called: String,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What a handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Such as `TLS 1.3`.
    pub version: &'static str,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
    /// What binds a log-in to this connection; with TLS 1.3 only.
    pub binding: Option<ChannelBinding>,
    /// Whether it went on from an earlier connection's, without a certificate's being asked for anew.
    pub is_resumed: bool,
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resumed = if self.is_resumed { ", resumed" } else { "" };
        write!(f, "{}, {}{resumed}", self.version, self.cipher_suite)
    }
}

impl Tls {
    /// TLS with `server`, a name or an address, whose certificate is to be trusted so. Words of why there is none begin
    /// with `called`, the server and its port.
    ///
    /// # Errors
    /// No certificate can be for such a name.
    pub fn new(trust: KeptTrust, server: &str, called: String) -> Result<Self, Obstacle> {
        let name = ServerName::try_from(server.to_owned());
        let server =
            name.map_err(|_| obstacle(format!("{called} has a name that no certificate can be for")))?;
        Ok(Self { trust, server, called })
    }

    /// Speaks TLS on a stream. `from_first_octet`: nothing was said on it before. May be dropped, which ends the
    /// stream.
    ///
    /// # Errors
    /// Why there is no TLS, in words.
    pub async fn handshake<S: Stream>(
        &self,
        stream: S,
        from_first_octet: bool,
    ) -> Result<(TlsStream<S>, Handshake), Obstacle> {
        let config = self.trust.config();
        let config = config.map_err(|words| obstacle(format!("{} cannot be known: {words}", self.called)))?;
        let stream =
            TlsConnector::from(config).connect(self.server.clone(), stream).await.map_err(|error| {
                obstacle(format!("{} {}", self.called, handshake_words(&error, from_first_octet)))
            })?;
        let (_, connection) = stream.get_ref();
        let version = connection.protocol_version();
        // RFC 9266 §3: with TLS 1.2 it is unique only with an extension that cannot be asked for here.
        let exporter = (version == Some(ProtocolVersion::TLSv1_3))
            .then(|| connection.export_keying_material([0; 32], EXPORTER_LABEL, None).ok())
            .flatten();
        let handshake = Handshake {
            version: match version {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            },
            cipher_suite: connection
                .negotiated_cipher_suite()
                .map(|suite| format!("{:?}", suite.suite()))
                .unwrap_or_default(),
            certificate: connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .and_then(|certificate| Certificate::read(certificate)),
            binding: exporter.map(ChannelBinding::TlsExporter),
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        };
        Ok((stream, handshake))
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

const fn obstacle(words: String) -> Obstacle {
    Obstacle { kind: ObstacleKind::Tls, words }
}

/// Says that something is not TLS's own doing: the connection was lost while it was being agreed on.
fn was_lost(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
