//! A modem to type at.
//!
//! Not here: the modem's running ([`crate::driver`]) and its port ([`crate::port`]).

use crate::driver::Driver;
use crate::flags::{ConsoleFlags, NetworkKind};
use crate::home::Home;
use crate::maildir::Maildirs;
use crate::network::Network;
use crate::port::octets;
use anyhow::Context as _;
use modem::clock::Calendar;
use modem::settings::Settings;
use sandbox::provider::{self, Provider};
use std::path::Path;

/// Runs the console until its input ends.
///
/// # Errors
/// Its directory cannot be used, or its input or output fails.
pub async fn run(flags: ConsoleFlags) -> anyhow::Result<()> {
    let home = Home::open(flags.dir)?;
    let on_delivery = |file: &Path| tracing::info!(file = %file.display(), "delivered");
    let network = match flags.network {
        NetworkKind::Real => Network::Real,
        NetworkKind::Sandbox => {
            let maildirs = Maildirs::new(home.mail(), on_delivery);
            Network::sandbox(Provider::new(maildirs, provider::Settings::default()))
        }
    };
    let settings = Settings { nonce: nonce()?, ..Settings::default() };
    let mut driver =
        Driver::power_on(settings, home.drive_c()?, home.drive_d(flags.card)?, calendar(), network);
    octets::run(&mut driver, tokio::io::stdin(), tokio::io::stdout())
        .await
        .context("the console's input or output failed")
}

fn nonce() -> anyhow::Result<u64> {
    getrandom::u64().context("the system gives no random number")
}

/// The machine's clock and zone.
fn calendar() -> Calendar {
    let now = jiff::Zoned::now();
    Calendar { unix_s: now.timestamp().as_second(), zone_quarters: now.offset().seconds() / (15 * 60) }
}
