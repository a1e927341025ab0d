//! A modem to type at.
//!
//! Not here: the modem's running ([`crate::driver`]) and its port ([`crate::port`]).

use crate::driver::Driver;
use crate::flags::{ConsoleFlags, NetworkKind};
use crate::home::Home;
use crate::limits::DRIVE_OCTETS_MAX;
use crate::network::{Network, Real, Sandbox, SharedUpstreams};
use crate::port::{octets, screen, stdio};
use crate::queue::worker::{Opening, Worker};
use crate::queue::{Entrance, Queue};
use crate::serve;
use crate::trace::Trace;
use crate::upstream::CONSOLE_LINE;
use anyhow::{Context as _, bail};
use modem::clock::Calendar;
use modem::settings::Settings;
use sandbox::provider::{self, Provider};
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use tokio::sync::mpsc;

/// Runs the console until its input ends.
///
/// # Errors
/// Its directory cannot be used, or its input or output fails.
pub async fn run(flags: ConsoleFlags) -> anyhow::Result<()> {
    let home = Home::open(flags.dir)?;
    let (delivered_to, delivered) = mpsc::unbounded_channel();
    let at_home = home.clone();
    let open_sandbox = move || {
        let delivered_to = delivered_to.clone();
        let maildirs = at_home.maildirs(move |file| {
            tracing::info!(file = %file.display(), "delivered");
            // The console may not want to know.
            let _ = delivered_to.send(file.to_owned());
        })?;
        Ok(Provider::new(maildirs, provider::Settings::default()))
    };
    let mut worker = Worker::default();
    let network = match flags.network {
        NetworkKind::Real => {
            let sandbox = Sandbox::when_called(open_sandbox);
            let (upstreams, mut queue) = (SharedUpstreams::default(), None);
            if let Some(file) = flags.config {
                let config = serve::read_config(Some(file))?;
                upstreams.set(config.upstreams);
                queue = config.queue.map(Queue::new);
            }
            worker = Worker::begin(queue.clone(), &upstreams, Opening::Once);
            let hello_name = Settings::default().hello_name;
            let queue = queue.map(|queue| Entrance { queue, hello_name });
            Network::Real(Real { line: CONSOLE_LINE.to_owned(), upstreams, sandbox, queue })
        }
        NetworkKind::Sandbox if flags.config.is_some() => {
            bail!("the sandbox asks no upstream map; take --network real with --config")
        }
        NetworkKind::Sandbox => Network::sandbox(open_sandbox()?),
    };
    let settings = Settings { nonce: nonce()?, profile: home.profile(), ..Settings::default() };
    let (drive_c, drive_d) = (home.drive_c(DRIVE_OCTETS_MAX)?, home.drive_d(flags.card)?);
    let trace = flags.trace.map(open_trace).transpose()?;
    let mut driver = Driver::power_on(settings, drive_c, drive_d, calendar(), network, trace)
        .with_profile(home.profile_file());
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let banner = banner(&home, flags.network);
        screen::run(&mut driver, &banner, home.history(), delivered, || home.drive_d(true)).await?;
    } else {
        drop(delivered);
        octets::run(&mut driver, stdio::input(), stdio::output())
            .await
            .context("the console's input or output failed")?;
    }
    worker.stop();
    worker.ended().await;
    Ok(())
}

/// What a first mail takes on the sandbox (note §3.2).
const SANDBOX_MAIL: &str = r#"  AT+SMTPSRV="smtp.server.com",25
  AT+SMTPFROM="UserName@server.com","PresentName"
  AT+SMTPRCPT=0,0,"ToAddr@server.com","ToName"
  AT+SMTPSUB="First Email"
  AT+SMTPBODY="This is the first Email!"
  AT+FSCD=C:/Picture
  AT+SMTPFILE=1,"20100202_100006.jpg"
  AT+SMTPSEND"#;

/// And elsewhere. None of the names could be somebody's.
const REAL_MAIL: &str = r#"  AT+SMTPSRV="your provider's server",25
  AT+SMTPAUTH=1,"your user name","your password"
  AT+SMTPFROM="your address","your name"
  AT+SMTPRCPT=0,0,"the recipient's address","the recipient's name"
  AT+SMTPSUB="First Email"
  AT+SMTPBODY="This is the first Email!"
  AT+SMTPSEND"#;

fn banner(home: &Home, network: NetworkKind) -> String {
    let (servers, first_mail) = match network {
        NetworkKind::Sandbox => (
            format!(
                "It is on the sandbox: every server, user and recipient is there, and mail lands in\n  {}\n\
                 A first mail, to be typed or pasted:",
                home.mail().display()
            ),
            SANDBOX_MAIL,
        ),
        NetworkKind::Real => {
            ("It dials real servers. A first mail, with your own names in it:".to_owned(), REAL_MAIL)
        }
    };
    format!(
        "mailmodem {}: a modem to type at. Its drives are directories in\n  {}\n{servers}\n{first_mail}\nTab completes, .help lists the commands, .card in and .card out are drive D:'s, .quit or Ctrl-D\n\
         ends.",
        env!("CARGO_PKG_VERSION"),
        home.path().display()
    )
}

/// Opens the trace of a line.
///
/// # Errors
/// It cannot be opened.
pub fn open_trace(path: PathBuf) -> anyhow::Result<Trace> {
    Trace::open(path.clone()).with_context(|| format!("the trace {} cannot be opened", path.display()))
}

/// What sets this start of a modem apart.
///
/// # Errors
/// The system gives no random number.
pub fn nonce() -> anyhow::Result<u64> {
    getrandom::u64().context("the system gives no random number")
}

/// The machine's clock and zone.
#[must_use]
pub fn calendar() -> Calendar {
    let now = jiff::Zoned::now();
    Calendar { unix_s: now.timestamp().as_second(), zone_quarters: now.offset().seconds() / (15 * 60) }
}
