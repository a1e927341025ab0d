//! The config as it is written: its tables and their keys.
//!
//! Not here: what is made of them ([`super::Config`]).

use super::upstream::{MatchTable, UpstreamTable};
use crate::limits::{QUEUE_DEADLINE_HOURS_MAX, QUEUE_RETRY_WAIT_SECONDS_MAX};
use crate::port::Spec;
use crate::queue::{self, WhenFateUnknown};
use clap::ValueEnum;
use modem::settings::{BadRecipient, MailFileName, Settings};
use serde::{Deserialize, Deserializer, de};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// Where a key belongs, if it is one of any table.
pub(super) fn place_of(key: &str) -> Option<&'static str> {
    fn knows<T: de::DeserializeOwned>(key: &str) -> bool {
        let unknown = format!("unknown field `{key}`");
        toml::from_str::<T>(&format!("{key} = 0")).is_err_and(|error| !error.message().starts_with(&unknown))
    }
    let is_bare =
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    type Knows = fn(&str) -> bool;
    let places: [(&str, Knows); 9] = [
        ("the head of the file, above every [table]", knows::<ConfigTable>),
        ("[[line]]", knows::<LineTable>),
        ("[[upstream]]", knows::<UpstreamTable>),
        ("[queue]", knows::<QueueTable>),
        ("[modem], or [line.modem] for one line", knows::<ModemTable>),
        ("[modem.identity], or [line.modem.identity]", knows::<IdentityTable>),
        ("[modem.limits], or [line.modem.limits]", knows::<LimitsTable>),
        ("[logging]", knows::<Logging>),
        ("match of an [[upstream]]", knows::<MatchTable>),
    ];
    places.into_iter().find(|(_, knows)| is_bare && knows(key)).map(|(place, _)| place)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigTable {
    pub(super) data_dir: Option<PathBuf>,
    #[serde(default)]
    pub(super) logging: Logging,
    #[serde(default)]
    pub(super) modem: ModemTable,
    #[serde(default)]
    pub(super) line: Vec<LineTable>,
    #[serde(default)]
    pub(super) upstream: Vec<UpstreamTable>,
    #[serde(default)]
    pub(super) queue: QueueTable,
}

/// How mail is queued for upstreams that want it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct QueueTable {
    mails_max: Option<NonZeroUsize>,
    octets_max: Option<NonZeroU64>,
    #[serde(deserialize_with = "within::<QUEUE_DEADLINE_HOURS_MAX, _>")]
    deadline_h: Option<u64>,
    #[serde(deserialize_with = "within::<QUEUE_RETRY_WAIT_SECONDS_MAX, _>")]
    retry_wait_min_s: Option<u64>,
    #[serde(deserialize_with = "within::<QUEUE_RETRY_WAIT_SECONDS_MAX, _>")]
    retry_wait_max_s: Option<u64>,
    when_fate_unknown: WhenFateUnknown,
}

impl QueueTable {
    /// The queue of a service whose data is in this directory.
    pub(super) fn into_settings(self, data_dir: &Path) -> queue::Settings {
        let unsaid = queue::Settings::new(data_dir.join("queue"));
        let seconds = |value: Option<u64>, unsaid| value.map_or(unsaid, Duration::from_secs);
        let retry_wait_min = seconds(self.retry_wait_min_s, unsaid.retry_wait_min);
        queue::Settings {
            mails_max: self.mails_max.map_or(unsaid.mails_max, NonZeroUsize::get),
            octets_max: self.octets_max.map_or(unsaid.octets_max, NonZeroU64::get),
            deadline: seconds(self.deadline_h.map(|hours| hours * 3600), unsaid.deadline),
            retry_wait_min,
            retry_wait_max: seconds(self.retry_wait_max_s, unsaid.retry_wait_max).max(retry_wait_min),
            when_fate_unknown: self.when_fate_unknown,
            ..unsaid
        }
    }
}

/// From 1 to this.
fn within<'de, const MAX: u64, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    let number = u64::deserialize(value)?;
    if !(1..=MAX).contains(&number) {
        return Err(de::Error::custom(format!("{number} is not from 1 to {MAX}")));
    }
    Ok(Some(number))
}

/// How the program logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// How much.
    pub level: Level,
    /// In which form.
    pub format: Format,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What does not work.
    Error,
    /// And what may need looking after: each mail that did not go, with the reason.
    Warn,
    /// And what happens on lines.
    #[default]
    Info,
    /// And on connections.
    Debug,
    /// Everything there is.
    Trace,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines for people.
    #[default]
    Human,
    /// An object in each line.
    Json,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineTable {
    pub(super) name: Spanned<String>,
    pub(super) port: Spec,
    pub(super) dir: Option<PathBuf>,
    pub(super) drive_c_octets_max: Option<u64>,
    pub(super) card: Option<CardTable>,
    pub(super) upstream: LineNetwork,
    pub(super) trace: Option<PathBuf>,
    #[serde(default)]
    pub(super) modem: ModemTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardTable {
    pub(super) dir: PathBuf,
    pub(super) octets_max: Option<u64>,
}

/// Where a modem's connections lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineNetwork {
    /// To a provider in this process, which takes every server name, user and recipient.
    Sandbox,
    /// To the servers that the terminal names, or that an `[[upstream]]` has in their place.
    Direct,
}

/// How a modem's clock is set when the power comes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// To the machine's time and zone.
    #[default]
    System,
    /// Not at all: to 1980, as a module whose battery was empty.
    Unset,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ModemTable {
    clock: Option<Clock>,
    boot_urcs: Option<bool>,
    mask_passwords: Option<bool>,
    #[serde(deserialize_with = "bad_recipient")]
    bad_recipient: Option<BadRecipient>,
    require_pdp_context: Option<bool>,
    #[serde(deserialize_with = "mail_file_name")]
    mail_file_name: Option<MailFileName>,
    apop: Option<bool>,
    #[serde(deserialize_with = "word")]
    hello_name: Option<String>,
    identity: IdentityTable,
    limits: LimitsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IdentityTable {
    #[serde(deserialize_with = "text")]
    manufacturer: Option<String>,
    #[serde(deserialize_with = "text")]
    model: Option<String>,
    #[serde(deserialize_with = "text")]
    revision: Option<String>,
    #[serde(deserialize_with = "digits::<15, 15, _>")]
    imei: Option<String>,
    #[serde(deserialize_with = "digits::<14, 15, _>")]
    imsi: Option<String>,
    #[serde(deserialize_with = "digits::<19, 20, _>")]
    iccid: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LimitsTable {
    #[serde(deserialize_with = "line_octets_max")]
    line_octets_max: Option<usize>,
    attachments_octets_max: Option<u64>,
    mail_octets_max: Option<u64>,
}

impl ModemTable {
    /// Sets what it says anything about.
    pub(super) fn apply(&self, settings: &mut Settings, clock: &mut Clock) {
        fn set<T: Clone>(target: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                target.clone_from(value);
            }
        }
        let Self {
            clock: own_clock,
            boot_urcs,
            mask_passwords,
            bad_recipient,
            require_pdp_context,
            mail_file_name,
            apop,
            hello_name,
            identity: IdentityTable { manufacturer, model, revision, imei, imsi, iccid },
            limits: LimitsTable { line_octets_max, attachments_octets_max, mail_octets_max },
        } = self;
        set(clock, own_clock.as_ref());
        set(&mut settings.boot_urcs, boot_urcs.as_ref());
        set(&mut settings.mask_passwords, mask_passwords.as_ref());
        set(&mut settings.bad_recipient, bad_recipient.as_ref());
        set(&mut settings.require_pdp_context, require_pdp_context.as_ref());
        set(&mut settings.mail_file_name, mail_file_name.as_ref());
        set(&mut settings.apop, apop.as_ref());
        set(&mut settings.hello_name, hello_name.as_ref());
        set(&mut settings.identity.manufacturer, manufacturer.as_ref());
        set(&mut settings.identity.model, model.as_ref());
        set(&mut settings.identity.revision, revision.as_ref());
        set(&mut settings.identity.imei, imei.as_ref());
        set(&mut settings.identity.imsi, imsi.as_ref());
        set(&mut settings.identity.iccid, iccid.as_ref());
        set(&mut settings.line_octets_max, line_octets_max.as_ref());
        set(&mut settings.attachments_octets_max, attachments_octets_max.as_ref());
        set(&mut settings.mail_octets_max, mail_octets_max.as_ref());
    }
}

fn bad_recipient<'de, D: Deserializer<'de>>(value: D) -> Result<Option<BadRecipient>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Fail,
        Skip,
    }
    Ok(Some(match Word::deserialize(value)? {
        Word::Fail => BadRecipient::Fail,
        Word::Skip => BadRecipient::Skip,
    }))
}

fn mail_file_name<'de, D: Deserializer<'de>>(value: D) -> Result<Option<MailFileName>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Plain,
        Dated,
    }
    Ok(Some(match Word::deserialize(value)? {
        Word::Plain => MailFileName::Plain,
        Word::Dated => MailFileName::Dated,
    }))
}

/// So many digits.
fn digits<'de, const MIN: usize, const MAX: usize, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<String>, D::Error> {
    let digits = String::deserialize(value)?;
    if !(MIN..=MAX).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let many = if MIN == MAX { MIN.to_string() } else { format!("{MIN} to {MAX}") };
        return Err(de::Error::custom(format!("\"{digits}\" is no such number; it has {many} digits")));
    }
    Ok(Some(digits))
}

/// What can stand in an answer.
fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(value)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(de::Error::custom(
            "a modem says this in an answer; take letters, digits and signs of ASCII",
        ));
    }
    Ok(Some(text))
}

/// What can stand in EHLO (RFC 5321 §4.1.1.1).
fn word<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let word = String::deserialize(value)?;
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(de::Error::custom(format!(
            "\"{word}\" cannot stand in EHLO; take this machine's name, or an address as in \"[192.0.2.1]\""
        )));
    }
    Ok(Some(word))
}

fn line_octets_max<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
    use crate::limits::{LINE_OCTETS_MAX, LINE_OCTETS_MIN};
    let octets = usize::deserialize(value)?;
    if !(LINE_OCTETS_MIN..=LINE_OCTETS_MAX).contains(&octets) {
        return Err(de::Error::custom(format!(
            "a command line can have {LINE_OCTETS_MIN} to {LINE_OCTETS_MAX} octets"
        )));
    }
    Ok(Some(octets))
}
