//! A command that prints an access token.
//!
//! The token comes on its standard output and is in no list of processes. What it says on standard error is for the log.
//!
//! Not here: when it is run.

use super::{TokenError, token, words};
use crate::limits::{TOKEN_COMMAND_WAIT, TOKEN_COMMAND_WORDS_OCTETS_MAX, TOKEN_OCTETS_MAX};
use mail::secret::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

/// Runs `argv` for a token of the upstream `name`.
pub(super) async fn run(name: &str, argv: &[String]) -> Result<Secret, TokenError> {
    let error = |words: String| TokenError::Command { name: name.to_owned(), words };
    let [program, arguments @ ..] = argv else {
        return Err(error("is empty".to_owned()));
    };
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // It and what it runs end together.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| error(format!("cannot be run: {e}")))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let heard = timeout(TOKEN_COMMAND_WAIT, listen(child)).await;
    let Ok(heard) = heard else {
        return Err(error(format!("gave nothing within {} s", TOKEN_COMMAND_WAIT.as_secs())));
    };
    // What has ended has another's id soon; and what it left running, such as an agent, it left on purpose.
    group.0 = None;
    let (status, out, err) = heard.map_err(|e| error(format!("cannot be heard: {e}")))?;
    let token = token(out.reveal());
    let secrets: Vec<Secret> = token.iter().cloned().collect();
    let said = words(&String::from_utf8_lossy(&err), &secrets);
    if !status.success() {
        let said = if said.is_empty() { "and said nothing".to_owned() } else { format!("and said: {said}") };
        return Err(error(format!("ended with {status} {said}")));
    }
    if !said.is_empty() {
        tracing::info!(upstream = name, "token_command said: {said}");
    }
    token.map_err(|words| error(format!("gave {words}")))
}

async fn listen(mut child: tokio::process::Child) -> io::Result<(ExitStatus, Secret, Vec<u8>)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::join!(
        // One more than may be, to see that it is too much; it is a secret whatever it is.
        async { hear(stdout, TOKEN_OCTETS_MAX + 1).await.map(Secret::new) },
        hear(stderr, TOKEN_COMMAND_WORDS_OCTETS_MAX),
    );
    Ok((child.wait().await?, out?, err?))
}

/// The first `octets_max` octets; the others are taken and forgotten, so that nobody waits for their reader.
async fn hear(stream: Option<impl AsyncRead + Unpin>, octets_max: usize) -> io::Result<Vec<u8>> {
    let mut heard = Vec::with_capacity(octets_max);
    if let Some(mut stream) = stream {
        (&mut stream).take(octets_max as u64).read_to_end(&mut heard).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(heard)
}

/// A command that has not ended, and what it began. They are ended when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // There may be nobody left, which is an error and well.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TOKEN_WORDS_CHARS_MAX;

    async fn sh(line: &str) -> Result<Secret, String> {
        let argv = ["sh", "-c", line].map(str::to_owned);
        run("mail", &argv).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_token_is_what_is_printed_without_its_margins() {
        assert_eq!(sh("printf ' ya29.a-b_c~+/==\\r\\n'").await, Ok(Secret::new("ya29.a-b_c~+/==")));
        // Without a shell, nothing in an argument means anything.
        let argv = ["printf", "%s", "$HOME;"].map(str::to_owned);
        assert_eq!(run("mail", &argv).await, Ok(Secret::new("$HOME;")));
    }

    #[tokio::test]
    async fn what_is_no_token_is_not_shown() {
        for (line, told) in [
            ("true", "gave no token"),
            ("echo two words", "spaces"),
            ("printf 'one\\ntwo\\n'", "spaces"),
            ("printf 'a\\001b'", "spaces"),
            ("yes tokentoken | head -c 1000000 | tr -d '\\n'", "too long"),
        ] {
            let error = sh(line).await.unwrap_err();
            assert!(error.contains(told) && error.contains("token_command"), "{line}: {error}");
            assert!(!error.contains("two") && !error.contains("tokentoken"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_command_that_fails_says_why_in_bounds_and_without_the_token() {
        let error =
            sh("echo tiger-token; echo 'tiger-token is\\033[2J locked' >&2; exit 3").await.unwrap_err();
        assert!(error.contains("exit status: 3") && error.contains("*** is"), "{error}");
        assert!(!error.contains("tiger-token") && !error.contains('\u{1b}'), "{error}");
        let error = sh("yes words | head -c 300000 >&2; exit 1").await.unwrap_err();
        assert!(error.contains("words words") && error.len() < 2 * TOKEN_WORDS_CHARS_MAX, "{error}");
        let error = run("mail", &["/nowhere/at/all".to_owned()]).await.unwrap_err().to_string();
        assert!(error.contains("cannot be run"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_gives_nothing_is_given_up() {
        let error = sh("sleep 1000").await.unwrap_err();
        assert!(error.contains("within 20 s"), "{error}");
    }

    #[tokio::test]
    async fn a_command_that_is_given_up_ends_with_what_it_began() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        let line = format!("{{ echo begun; exec sleep 1000; }} >{} & wait", fifo.display());
        let (told, begun) = tokio::sync::oneshot::channel();
        let reader = tokio::task::spawn_blocking(move || {
            use io::{BufRead as _, Read as _};
            let mut fifo = io::BufReader::new(std::fs::File::open(fifo).unwrap());
            let mut line = String::new();
            fifo.read_line(&mut line).unwrap();
            told.send(line).unwrap();
            // Its end is the end of the last who could write.
            fifo.read_to_end(&mut Vec::new()).unwrap();
        });
        tokio::select! {
            ended = sh(&line) => panic!("{ended:?}"),
            begun = begun => assert_eq!(begun.unwrap(), "begun\n"),
        }
        timeout(TOKEN_COMMAND_WAIT, reader).await.expect("what it began goes on").unwrap();
    }
}
