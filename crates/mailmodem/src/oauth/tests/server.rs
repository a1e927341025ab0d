//! An authorisation server that says what it was told to say, and remembers what it was asked.

use oauth2::url::{Url, form_urlencoded};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What it answers one request with.
pub(super) enum Reply {
    /// A status, and a body of JSON.
    Json(u16, String),
    /// Nothing: the connection ends.
    HangUp,
}

impl Reply {
    pub(super) fn ok(body: &str) -> Self {
        Self::Json(200, body.to_owned())
    }

    /// RFC 6749 §5.2.
    pub(super) fn error(error: &str) -> Self {
        Self::Json(400, format!(r#"{{"error": "{error}", "error_description": "so it is"}}"#))
    }

    /// RFC 6749 §5.1.
    pub(super) fn tokens(access: &str, life_s: u64, refresh: Option<&str>) -> Self {
        let refresh = refresh.map(|token| format!(r#", "refresh_token": "{token}""#)).unwrap_or_default();
        let access = format!(r#""access_token": "{access}", "token_type": "Bearer", "expires_in": {life_s}"#);
        Self::Json(200, format!("{{{access}{refresh}}}"))
    }
}

/// What it was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) form: BTreeMap<String, String>,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
    is_over: bool,
}

/// The server. Once it has said everything, it hangs up.
pub(super) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    script: Arc<Mutex<Script>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::begin(replies, None)
    }

    /// By TLS.
    pub(super) fn secured(replies: impl IntoIterator<Item = Reply>, tls: Arc<ServerConfig>) -> Self {
        Self::begin(replies, Some(tls))
    }

    fn begin(replies: impl IntoIterator<Item = Reply>, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script { replies: replies.into_iter().collect(), ..Script::default() };
        let script = Arc::new(Mutex::new(script));
        let thread = {
            let script = Arc::clone(&script);
            thread::spawn(move || {
                for connection in listener.incoming() {
                    if script.lock().unwrap().is_over {
                        break;
                    }
                    let connection = connection.unwrap();
                    // The client may have had enough of it at any time.
                    let _ = match &tls {
                        None => serve(connection, &script),
                        Some(tls) => {
                            let tls = ServerConnection::new(Arc::clone(tls)).unwrap();
                            serve(StreamOwned::new(tls, connection), &script)
                        }
                    };
                }
            })
        };
        Self { address, scheme, script, thread: Some(thread) }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}://{}{path}", self.scheme, self.address)).unwrap()
    }

    pub(super) fn add(&self, reply: Reply) {
        self.script.lock().unwrap().replies.push_back(reply);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().asked.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.script.lock().unwrap().is_over = true;
        TcpStream::connect(self.address).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(mut connection: impl Read + Write, script: &Mutex<Script>) -> io::Result<()> {
    let mut reader = BufReader::new(&mut connection);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut octets = 0;
    while !matches!(line.as_str(), "\r\n" | "") {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            octets = length.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; octets];
    reader.read_exact(&mut body)?;
    let form = form_urlencoded::parse(&body).into_owned().collect();
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push(Asked { path, form });
        script.replies.pop_front()
    };
    let Some(Reply::Json(status, body)) = reply else { return Ok(()) };
    let octets = body.len();
    write!(connection, "HTTP/1.1 {status} So\r\nContent-Type: application/json\r\nConnection: close\r\n")?;
    write!(connection, "Content-Length: {octets}\r\n\r\n{body}")?;
    connection.flush()
}
