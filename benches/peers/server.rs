//! A server of SMTP and of POP3 that is never what is waited for: it takes and gives everything at once, and holds what
//! it gives ready.
//!
//! Each is there twice. The fast one acknowledges every segment at once; the ordinary one as most do, late, and with
//! Nagle's algorithm on: a client that writes the end of a message by itself waits for it.

use crate::content;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs;
use std::io::{self, BufRead as _, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// How many connections to a port are served at once.
const THREADS: usize = 4;
const BUFFER_OCTETS: usize = 256 * 1024;

/// What arrived since it was last asked.
#[derive(Default)]
struct Arrived {
    mails: AtomicU64,
    octets: AtomicU64,
    /// Where it is kept, if it is.
    kept_in: Mutex<Option<PathBuf>>,
}

/// The mails that are given: large ones of 10 MiB in files, and small ones.
struct Mails {
    large: Vec<u8>,
    small: Vec<Vec<u8>>,
}

/// Serves until standard input ends. Tells its ports: SMTP fast and ordinary, POP3 fast and ordinary; and with a
/// `certificate` and its `key` in a directory, SMTP and POP3 under TLS, fast.
pub(crate) fn run(tls: Option<&Path>) {
    let arrived = Arc::new(Arrived::default());
    let mut large = Vec::new();
    content::write_large_mail(crate::FILE_OCTETS, &mut large).unwrap();
    let small = (1..=content::MAILS).map(|number| content::small_mail(number).into_bytes()).collect();
    let mails = Arc::new(Mails { large, small });
    let mut ports = Vec::new();
    let tls = tls.map(tls_config);
    let plain = [(true, true, None), (true, false, None), (false, true, None), (false, false, None)];
    let secured = tls.iter().flat_map(|tls| [(true, true, Some(tls)), (false, true, Some(tls))]);
    for (is_smtp, is_fast, tls) in plain.into_iter().chain(secured) {
        let (arrived, mails) = (Arc::clone(&arrived), Arc::clone(&mails));
        ports.push(listen(is_fast, tls.cloned(), move |peer| {
            if is_smtp { smtp(peer, &arrived) } else { pop3(peer, &mails) }
        }));
    }
    println!("{}", ports.join(" "));
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        if let Some(directory) = line.strip_prefix("keep ") {
            *arrived.kept_in.lock().unwrap() = Some(directory.into());
        } else if line == "count" {
            *arrived.kept_in.lock().unwrap() = None;
        }
        println!("{} {}", arrived.mails.swap(0, Ordering::SeqCst), arrived.octets.swap(0, Ordering::SeqCst));
    }
}

fn tls_config(directory: &Path) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(directory.join("certificate")).unwrap();
    let key = PrivateKeyDer::from_pem_file(directory.join("key")).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate], key).unwrap())
}

fn listen(
    is_fast: bool,
    tls: Option<Arc<ServerConfig>>,
    serve: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static,
) -> String {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port().to_string();
    let serve = Arc::new(serve);
    for _ in 0..THREADS {
        let (listener, serve, tls) = (Arc::clone(&listener), Arc::clone(&serve), tls.clone());
        thread::spawn(move || {
            let mut buffer = vec![0; BUFFER_OCTETS];
            loop {
                let (stream, _) = listener.accept().unwrap();
                stream.set_nodelay(is_fast).unwrap();
                let stream = match &tls {
                    None => Stream::Plain(stream),
                    Some(tls) => {
                        let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                        Stream::Secured(Box::new(StreamOwned::new(connection, stream)))
                    }
                };
                let mut peer = Peer { stream, is_fast, buffer, from: 0, to: 0 };
                // A client that leaves without a word is its own concern.
                let _ = serve(&mut peer).and_then(|()| peer.stream.end());
                buffer = peer.buffer;
            }
        });
    }
    port
}

/// What a client is talked to by.
enum Stream {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secured(stream) => &stream.sock,
        }
    }

    /// Says that nothing more comes.
    fn end(&mut self) -> io::Result<()> {
        if let Self::Secured(stream) = self {
            stream.conn.send_close_notify();
        }
        self.flush()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secured(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Secured(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}

/// A client, and what it said.
struct Peer {
    stream: Stream,
    is_fast: bool,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Peer {
    /// Waits for more; `false` when there is none.
    fn receive(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        let octets = self.stream.read(self.buffer.get_mut(self.to..).unwrap())?;
        // Neither lasts: the system decides anew with every segment.
        rustix::net::sockopt::set_tcp_quickack(self.stream.socket(), self.is_fast)?;
        self.to += octets;
        Ok(octets > 0)
    }

    fn received(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap()
    }

    /// The next line that is there.
    fn line(&mut self) -> Option<String> {
        let end = self.received().iter().position(|&octet| octet == b'\n')?;
        let line = String::from_utf8_lossy(self.received().get(..end).unwrap()).trim_end().to_owned();
        self.from += end + 1;
        Some(line)
    }
}

fn smtp(peer: &mut Peer, arrived: &Arrived) -> io::Result<()> {
    peer.stream.write_all(b"220 smtp.example.com ESMTP\r\n")?;
    while peer.receive()? {
        let mut replies = String::new();
        while let Some(line) = peer.line() {
            match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => {
                    replies
                        .push_str("250-smtp.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n");
                }
                "DATA" => {
                    replies.push_str("354 go on\r\n");
                    peer.stream.write_all(replies.as_bytes())?;
                    replies.clear();
                    if !message(peer, arrived)? {
                        return Ok(());
                    }
                    replies.push_str("250 2.0.0 taken\r\n");
                }
                "QUIT" => {
                    replies.push_str("221 2.0.0 bye\r\n");
                    return peer.stream.write_all(replies.as_bytes());
                }
                _ => replies.push_str("250 2.0.0 ok\r\n"),
            }
        }
        peer.stream.write_all(replies.as_bytes())?;
    }
    Ok(())
}

/// Takes a message to its end; `false` when the client left before.
fn message(peer: &mut Peer, arrived: &Arrived) -> io::Result<bool> {
    const END: &[u8] = b"\r\n.\r\n";
    let kept_in = arrived.kept_in.lock().unwrap().clone();
    let (mut last, mut kept, mut octets) = (b"\r\n".to_vec(), Vec::new(), 0);
    loop {
        let portion = peer.received();
        octets += portion.len() as u64;
        if kept_in.is_some() {
            kept.extend_from_slice(portion);
        }
        last.extend_from_slice(portion.get(portion.len().saturating_sub(END.len())..).unwrap());
        last.drain(..last.len().saturating_sub(END.len()));
        peer.from = peer.to;
        if last == END {
            break;
        }
        if !peer.receive()? {
            return Ok(false);
        }
    }
    arrived.octets.fetch_add(octets, Ordering::SeqCst);
    let number = arrived.mails.fetch_add(1, Ordering::SeqCst);
    if let Some(directory) = kept_in {
        let text = String::from_utf8_lossy(&kept).replace("\r\n..", "\r\n.");
        fs::write(directory.join(format!("{number}.eml")), text.strip_suffix(".\r\n").unwrap())?;
    }
    Ok(true)
}

fn pop3(peer: &mut Peer, mails: &Mails) -> io::Result<()> {
    peer.stream.write_all(b"+OK pop3.example.com\r\n")?;
    let mut user = String::new();
    while peer.receive()? {
        let mut said = Vec::new();
        while let Some(line) = peer.line() {
            let mut words = line.split(' ');
            let command = words.next().unwrap_or_default().to_ascii_uppercase();
            let argument = words.next();
            let number = argument.and_then(|number| number.parse::<u32>().ok());
            match command.as_str() {
                "CAPA" => said.extend_from_slice(b"+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n"),
                "USER" => {
                    user = argument.unwrap_or_default().to_owned();
                    said.extend_from_slice(b"+OK\r\n");
                }
                "STAT" => {
                    let sizes = sizes(&user, mails);
                    let all: usize = sizes.iter().sum();
                    said.extend_from_slice(format!("+OK {} {all}\r\n", sizes.len()).as_bytes());
                }
                "LIST" | "UIDL" => {
                    let entry = |size: usize, number: u32| match command.as_str() {
                        "LIST" => format!("{number} {size}\r\n"),
                        _ => format!("{number} unique-{user}-{number}\r\n"),
                    };
                    let sizes = sizes(&user, mails);
                    said.extend_from_slice(b"+OK");
                    match number {
                        Some(number) => {
                            let size = sizes.get(usize::try_from(number).unwrap() - 1).unwrap();
                            said.extend_from_slice(format!(" {}", entry(*size, number)).as_bytes());
                        }
                        None => {
                            said.extend_from_slice(b"\r\n");
                            for (size, number) in sizes.into_iter().zip(1..) {
                                said.extend_from_slice(entry(size, number).as_bytes());
                            }
                            said.extend_from_slice(b".\r\n");
                        }
                    }
                }
                "TOP" => {
                    said.extend_from_slice(b"+OK\r\n");
                    said.extend_from_slice(content::small_mail_header(number.unwrap()).as_bytes());
                    said.extend_from_slice(b".\r\n");
                }
                "RETR" => {
                    said.extend_from_slice(b"+OK\r\n");
                    match user.strip_prefix("octets-") {
                        Some(octets) => {
                            peer.stream.write_all(&said)?;
                            said.clear();
                            content::write_large_mail(octets.parse().unwrap(), &mut peer.stream)?;
                        }
                        None if user == "large" => {
                            peer.stream.write_all(&said)?;
                            said.clear();
                            peer.stream.write_all(&mails.large)?;
                        }
                        None => said.extend_from_slice(
                            mails.small.get(usize::try_from(number.unwrap()).unwrap() - 1).unwrap(),
                        ),
                    }
                    said.extend_from_slice(b".\r\n");
                }
                "QUIT" => {
                    said.extend_from_slice(b"+OK\r\n");
                    return peer.stream.write_all(&said);
                }
                _ => said.extend_from_slice(b"+OK\r\n"),
            }
            if said.len() > BUFFER_OCTETS {
                peer.stream.write_all(&said)?;
                said.clear();
            }
        }
        peer.stream.write_all(&said)?;
    }
    Ok(())
}

/// The sizes of a user's mails.
fn sizes(user: &str, mails: &Mails) -> Vec<usize> {
    if user == "small" { mails.small.iter().map(Vec::len).collect() } else { vec![mails.large.len()] }
}
