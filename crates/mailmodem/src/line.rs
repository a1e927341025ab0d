//! One line: a modem with its drives, its network and its port.
//!
//! Not here: which lines there are ([`crate::serve`]).

use crate::card::Slot;
use crate::config::{Clock, LineConfig, LineNetwork};
use crate::console::{calendar, nonce, open_trace};
use crate::driver::Driver;
use crate::home::Home;
use crate::network::{Network, Real, Sandbox, SharedUpstreams};
use crate::port::{Pty, Serial, Spec, Tcp, octets, stdio};
use crate::queue::{Entrance, Queue};
use anyhow::Context as _;
use modem::clock::Calendar;
use modem::settings::Settings;
use sandbox::provider::{self, Provider};
use std::path::Path;

/// Runs a line until it is to `stop`, or its port ends.
///
/// # Errors
/// Its drives or its port cannot be used.
pub async fn run(
    line: LineConfig,
    upstreams: SharedUpstreams,
    queue: Option<Queue>,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let LineConfig { name, port, dir, drive_c_octets_max, card, upstream, trace, clock, settings } = line;
    let home = Home::open(Some(dir))?;
    let network = match upstream {
        LineNetwork::Direct => {
            let home = home.clone();
            let sandbox = Sandbox::when_called(move || open_sandbox(&home));
            let hello_name = settings.hello_name.clone();
            let queue = queue.map(|queue| Entrance { queue, hello_name });
            Network::Real(Real { line: name, upstreams, sandbox, queue })
        }
        LineNetwork::Sandbox => Network::sandbox(open_sandbox(&home)?),
    };
    let calendar = match clock {
        Clock::System => calendar(),
        Clock::Unset => Calendar::UNSET,
    };
    let settings = Settings { nonce: nonce()?, profile: home.profile(), ..settings };
    let profile = home.profile_file();
    let drive_c = home.drive_c(drive_c_octets_max)?;
    let slot = card.map(|card| Slot::new(card.dir, card.octets_max));
    let trace = trace.map(open_trace).transpose()?;
    // The power comes on when the port is there to be seen.
    let power_on = || {
        Driver::power_on(settings, drive_c, None, calendar, network, trace)
            .with_slot(slot)
            .with_profile(profile)
    };
    match port {
        Spec::Pty(link) => {
            let mut port = Pty::open(&link)?;
            octets::serve(&mut power_on(), &mut port, stop).await;
            port.drain().await;
        }
        Spec::Tcp(address) => {
            let mut port = Tcp::listen(&address).await?;
            octets::serve(&mut power_on(), &mut port, stop).await;
        }
        Spec::Serial(serial) => octets::serve(&mut power_on(), &mut Serial::new(serial), stop).await,
        Spec::Stdio => octets::run_until(&mut power_on(), stdio::input(), stdio::output(), stop)
            .await
            .context("standard input or output failed")?,
    }
    Ok(())
}

fn open_sandbox(home: &Home) -> anyhow::Result<Provider> {
    let maildirs = home.maildirs(|file: &Path| tracing::info!(file = %file.display(), "delivered"))?;
    Ok(Provider::new(maildirs, provider::Settings::default()))
}
