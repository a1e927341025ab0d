//! HTTP to authorisation servers: one small request, one small reply, by the program's own TLS.
//!
//! Not here: what is asked and answered (`endpoint.rs`), and which addresses may be asked without TLS (`table.rs`).

use crate::limits::{AUTHORISATION_OCTETS_MAX, AUTHORISATION_WAIT};
use oauth2::http::{Response, StatusCode};
use oauth2::{HttpRequest, HttpResponse, SyncHttpClient};
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport, TransportAdapter,
};
use ureq::{Agent, Error};

/// Asks authorisation servers. It blocks for as long as [`AUTHORISATION_WAIT`].
#[derive(Clone, Debug)]
pub struct Http(Agent);

/// Why there is no answer that means anything.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is no connection, none that can be trusted, or none that lasted.
    #[error("{0}")]
    Connection(#[from] Error),
    /// The server is there, but not well.
    #[error("it answers {0}")]
    Unwell(StatusCode),
}

impl Http {
    /// Trusts whom `tls` trusts ([`crate::tls::Trust::config`]). A proxy that the environment names (`HTTPS_PROXY`) is
    /// used.
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(AUTHORISATION_WAIT))
            // A refresh token goes to the endpoint that was named, and to no other.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // The next request is an hour away.
            .max_idle_connections(0)
            .user_agent(concat!("mailmodem/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector =
            ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default()).chain(Tls(tls));
        Self(Agent::with_parts(config, connector, DefaultResolver::default()))
    }

    fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // What may be asked without TLS is on this machine: no proxy leads there.
        let is_local = request.uri().scheme_str() == Some("http");
        let mut request = self.0.configure_request(request);
        if is_local {
            request = request.proxy(None);
        }
        let (head, mut body) = self.0.run(request.build())?.into_parts();
        if head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Unwell(head.status));
        }
        let body = body.with_config().limit(AUTHORISATION_OCTETS_MAX).read_to_vec()?;
        Ok(Response::from_parts(head, body))
    }
}

impl SyncHttpClient for Http {
    type Error = HttpError;

    fn call(&self, request: HttpRequest) -> Result<HttpResponse, Self::Error> {
        self.exchange(request)
    }
}

/// TLS for those connections that want it: the library would make a configuration of its own.
#[derive(Debug)]
struct Tls(Arc<ClientConfig>);

impl<Plain: Transport> Connector<Plain> for Tls {
    type Out = Either<Plain, Secured>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<Plain>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(plain) = chained else { return Ok(None) };
        if !details.needs_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let server = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.0), server).map_err(io::Error::other)?;
        let mut wire = TransportAdapter::new(plain.boxed(), Arc::clone(&details.current_time));
        wire.set_timeout(details.timeout);
        tls.complete_io(&mut wire)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(Secured { stream: StreamOwned::new(tls, wire), buffers })))
    }
}

/// A connection with TLS.
struct Secured {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: LazyBuffers,
}

impl Transport for Secured {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").finish_non_exhaustive()
    }
}
