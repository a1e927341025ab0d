//! Standard input and output: the terminal is another program, or a file.
//!
//! Pipes are waited for like sockets. They are opened anew for that, so that whoever else has the same pipe does not find
//! it changed to one that never waits. What cannot be waited for so (a file, a terminal) is read and written by a thread.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;

/// What is typed.
pub(crate) fn input() -> Box<dyn AsyncRead + Send + Unpin> {
    match pipe::OpenOptions::new().open_receiver("/proc/self/fd/0") {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(tokio::io::stdin()),
    }
}

/// What is shown.
pub(crate) fn output() -> Box<dyn AsyncWrite + Send + Unpin> {
    match pipe::OpenOptions::new().open_sender("/proc/self/fd/1") {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(tokio::io::stdout()),
    }
}
