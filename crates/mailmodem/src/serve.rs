//! `mailmodem serve`: lines in one process, each a task of its own, that come and go with the config.
//!
//! Not here: what a line is ([`crate::line`]), and what a config says ([`crate::config`]).

use crate::config::{
    Card, Clock, Config, ConfigError, DEFAULT_FILE, Level, LineConfig, LineNetwork, Logging,
};
use crate::flags::ServeFlags;
use crate::home::data_directory;
use crate::limits::{DRIVE_OCTETS_MAX, LINE_GRACE};
use crate::line;
use crate::network::SharedUpstreams;
use crate::oauth::{Http, TokenSource, login};
use crate::queue::worker::{Opening, Worker};
use crate::queue::{self, Queue};
use crate::retry::Retry;
use crate::tls::Trust;
use crate::upstream::{LogIn, Upstreams};
use anyhow::{Context as _, bail};
use modem::settings::Settings;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{self, JoinSet};
use tracing::Instrument as _;

/// Where the lines come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// One line that the flags tell. When it fails, that is the end.
    Flags(Box<LineConfig>),
    /// A config. Its lines are tried again and again.
    File {
        /// Which.
        file: PathBuf,
        /// Where lines are kept for which it says nothing.
        data_dir: PathBuf,
    },
}

impl Source {
    /// As the flags say.
    ///
    /// # Errors
    /// It is not known where data is kept.
    pub fn new(flags: ServeFlags) -> anyhow::Result<Self> {
        let Some(port) = flags.port else {
            let file = flags.config.unwrap_or_else(|| DEFAULT_FILE.into());
            return Ok(Self::File { file, data_dir: data_directory()? });
        };
        let dir = flags.dir.map_or_else(data_directory, Ok)?;
        let card = flags.card.then(|| Card { dir: dir.join("drive-d"), octets_max: DRIVE_OCTETS_MAX });
        Ok(Self::Flags(Box::new(LineConfig {
            name: "line".to_owned(),
            port,
            dir,
            drive_c_octets_max: DRIVE_OCTETS_MAX,
            card,
            upstream: if flags.sandbox { LineNetwork::Sandbox } else { LineNetwork::Direct },
            trace: flags.trace,
            clock: Clock::System,
            settings: Settings::default(),
        })))
    }

    /// The lines there are to be.
    ///
    /// # Errors
    /// The config cannot be read, is none, or a password of it is not there.
    pub fn read(&self) -> Result<Config, ConfigError> {
        match self {
            Self::Flags(line) => {
                let lines = BTreeMap::from([(line.name.clone(), line.as_ref().clone())]);
                let (logging, upstreams) = (Logging::default(), Upstreams::default());
                Ok(Config { logging, upstreams, queue: None, lines })
            }
            Self::File { file, data_dir } => {
                let config = Config::read(file, data_dir)?;
                let missing = config.upstreams.iter().find_map(|upstream| upstream.missing());
                // Better now than at every mail.
                missing.map_or(Ok(config), |words| Err(ConfigError::NoPassword { file: file.clone(), words }))
            }
        }
    }
}

/// The config of a command that needs one.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_config(file: Option<PathBuf>) -> anyhow::Result<Config> {
    let file = file.unwrap_or_else(|| DEFAULT_FILE.into());
    Ok(Config::read(&file, &data_directory()?)?)
}

/// `mailmodem login`: logs an upstream in with its provider. It blocks until its user has done it, or has not.
///
/// # Errors
/// There is no such upstream, it has no authorisation server, or that refuses.
pub fn log_in(name: &str, file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = read_config(file)?;
    let upstream = config.upstreams.named(name).with_context(|| {
        format!("there is no upstream {name} in the config; there are: {}", config.upstreams.names())
    })?;
    let LogIn::Token { tokens, .. } = &upstream.log_in else {
        bail!("upstream {name} logs in without a token: it has no oauth");
    };
    match tokens.source() {
        TokenSource::OAuth(client) => {
            let http = Http::new(Trust::System.config().map_err(anyhow::Error::msg)?);
            Ok(login(client, &http, &mut io::stdout().lock())?)
        }
        TokenSource::Command(_) => {
            bail!("the tokens of upstream {name} come from its token_command, which logs in")
        }
        TokenSource::File(file) => {
            bail!(
                "the tokens of upstream {name} are put into {} by another program, which logs in",
                file.display()
            )
        }
    }
}

/// How mail is queued, by the config of a command that needs no more.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_queue_config(file: Option<PathBuf>) -> anyhow::Result<queue::Settings> {
    let file = file.unwrap_or_else(|| DEFAULT_FILE.into());
    Ok(Config::read_queue(&file, &data_directory()?)?)
}

/// `mailmodem check-config`: what a config says, in short.
///
/// # Errors
/// The config cannot be read, or is none.
pub fn check(file: Option<PathBuf>) -> anyhow::Result<String> {
    let file = file.unwrap_or_else(|| DEFAULT_FILE.into());
    let config = read_config(Some(file.clone()))?;
    let mut words = format!("{}: well\n", file.display());
    for LineConfig { name, port, dir, upstream, .. } in config.lines.values() {
        let upstream = match upstream {
            LineNetwork::Sandbox => "the sandbox",
            LineNetwork::Direct => "the servers it names, or their upstreams",
        };
        words += &format!("  {name}: {port}, to {upstream}, kept in {}\n", dir.display());
    }
    for upstream in config.upstreams.iter() {
        words += &format!("  upstream {}\n", upstream.summary());
        if let Some(missing) = upstream.missing() {
            words += &format!("  not seen from here: {missing}\n");
        }
    }
    for doubt in config.upstreams.doubts(config.lines.keys().map(String::as_str)) {
        words += &format!("  take care: {doubt}\n");
    }
    let asks = |line: &LineConfig| line.upstream == LineNetwork::Direct;
    if config.upstreams.iter().next().is_some() && !config.lines.values().any(asks) {
        words += "  take care: no line asks the upstreams; those with upstream = \"direct\" do\n";
    }
    Ok(words)
}

/// Runs lines until all have ended, or SIGINT or SIGTERM. What is under way then may come to its end within
/// [`LINE_GRACE`], unless there is a second signal. SIGHUP has a config read again; another
/// level of the log is for `set_level`.
///
/// # Errors
/// The only line, which the flags tell, failed.
pub async fn run(source: Source, config: Config, set_level: impl Fn(Level)) -> anyhow::Result<()> {
    let mut logging = config.logging;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    let queue = config.queue.clone().map(Queue::new);
    let mut lines = Lines { queue: queue.clone(), ..Lines::default() };
    lines.set_upstreams(config.upstreams, &config.lines);
    let mut worker = Worker::begin(queue, &lines.upstreams, Opening::Again);
    lines.want(config.lines);
    let (mut is_ending, mut lines_have_ended) = (false, false);
    loop {
        tokio::select! {
            () = worker.ended(), if lines_have_ended => return Ok(()),
            ended = lines.ended(), if !lines_have_ended => match ended {
                None => {
                    (is_ending, lines_have_ended) = (true, true);
                    worker.stop();
                }
                Some((name, Ok(()))) => tracing::info!(line = name, "ended"),
                Some((_, Err(error))) if matches!(source, Source::Flags(_)) => return Err(error),
                Some((name, Err(error))) => tracing::error!(line = name, "{error:#}"),
            },
            signal = async {
                tokio::select! {
                    _ = interrupted.recv() => Signal::End,
                    _ = terminated.recv() => Signal::End,
                    _ = hung_up.recv() => Signal::Hangup,
                }
            } => match (signal, &source) {
                (Signal::Hangup, Source::File { .. }) => match source.read() {
                    // A line is not begun again by a signal that comes as all are to end.
                    Ok(_) if is_ending => {}
                    Ok(new) => {
                        if new.logging.level != logging.level {
                            set_level(new.logging.level);
                        }
                        if new.logging.format != logging.format {
                            tracing::warn!("the form of the log changes with the next start only");
                        }
                        logging = new.logging;
                        if new.queue != config.queue {
                            tracing::warn!("how mail is queued changes with the next start only");
                        }
                        let upstreams = new.upstreams.iter().count();
                        tracing::info!(lines = new.lines.len(), upstreams, "the config is read again");
                        lines.set_upstreams(new.upstreams, &new.lines);
                        lines.want(new.lines);
                    }
                    Err(error) => tracing::error!("{error}; nothing changes"),
                },
                // The terminal that a line of flags was begun at is gone.
                _ if is_ending => {
                    lines.tasks.shutdown().await;
                    tracing::warn!("ended at once");
                    return Ok(());
                }
                _ => {
                    let seconds = LINE_GRACE.as_secs();
                    tracing::info!("ending: what is under way has {seconds} s; another signal ends at once");
                    is_ending = true;
                    lines.want(BTreeMap::new());
                    worker.stop();
                }
            },
        }
    }
}

enum Signal {
    Hangup,
    End,
}

/// The lines that run.
#[derive(Default)]
struct Lines {
    standing: BTreeMap<String, Standing>,
    /// What all of them share.
    upstreams: SharedUpstreams,
    /// Those who see that there are good tokens for them. They end when this does.
    watches: JoinSet<()>,
    queue: Option<Queue>,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// A line that runs.
struct Standing {
    /// What it is to be once it ends; `None` for no more.
    wanted: Option<LineConfig>,
    running: LineConfig,
    task: task::Id,
    /// Taken when it is told to end.
    stop: Option<oneshot::Sender<()>>,
    retry: Retry,
}

impl Lines {
    /// Has these upstreams be those of all lines, and says what is doubtful about them. Mail in the queue does not wait
    /// for one that was mended.
    fn set_upstreams(&mut self, upstreams: Upstreams, lines: &BTreeMap<String, LineConfig>) {
        self.watches = JoinSet::new();
        for doubt in upstreams.doubts(lines.keys().map(String::as_str)) {
            tracing::warn!("{doubt}");
        }
        for upstream in upstreams.iter() {
            if let LogIn::Token { tokens, .. } = &upstream.log_in {
                self.watches.spawn(Arc::clone(tokens).watch());
            }
        }
        let changed = upstreams.changed_since(&self.upstreams.get());
        self.upstreams.set(upstreams);
        if let Some(queue) = &self.queue {
            queue.hurry(&changed);
        }
    }

    /// Has these lines and no others. Those that are as they are to be are not touched.
    fn want(&mut self, mut wanted: BTreeMap<String, LineConfig>) {
        for (name, standing) in &mut self.standing {
            standing.wanted = wanted.remove(name);
            if standing.wanted.as_ref() != Some(&standing.running)
                && let Some(stop) = standing.stop.take()
            {
                tracing::info!(line = name, "is to end");
                // It may have ended by itself.
                let _ = stop.send(());
            }
        }
        for line in wanted.into_values() {
            self.begin(line, Retry::default());
        }
    }

    fn begin(&mut self, line: LineConfig, mut retry: Retry) {
        let (stop, mut stopped) = oneshot::channel();
        let at = retry.next();
        let (name, running) = (line.name.clone(), line.clone());
        // Of the level that no filter hides: each event on a line tells the line.
        let span = tracing::error_span!("modem", line = name);
        let (upstreams, queue) = (self.upstreams.clone(), self.queue.clone());
        let run = async move {
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                _ = &mut stopped => return Ok(()),
            }
            line::run(line, upstreams, queue, async move { drop(stopped.await) }).await
        };
        let task = self.tasks.spawn(run.instrument(span)).id();
        let wanted = Some(running.clone());
        self.standing.insert(name, Standing { wanted, running, task, stop: Some(stop), retry });
    }

    /// The next line that ends, and how; `None` when there is none left. What it is to be then is begun.
    async fn ended(&mut self) -> Option<(String, anyhow::Result<()>)> {
        let (task, result) = match self.tasks.join_next_with_id().await? {
            Ok((task, result)) => (task, result),
            Err(panic) => (panic.id(), Err(panic).context("a defect of this program's")),
        };
        let name = self.standing.iter().find(|(_, standing)| standing.task == task)?.0.clone();
        let Standing { wanted, stop, retry, .. } = self.standing.remove(&name)?;
        match (wanted, stop, &result) {
            // It ended by itself, as a pipe does.
            (Some(_), Some(_), Ok(())) | (None, ..) => {}
            (Some(line), Some(_), Err(_)) => self.begin(line, retry),
            (Some(line), None, _) => self.begin(line, Retry::default()),
        }
        Some((name, result))
    }
}
