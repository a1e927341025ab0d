//! `mailmodem check`: makes a call for real, and tells every step of it.
//!
//! Not here: what would become of a call without making it (`mailmodem explain`).

use crate::config::{Config, LineNetwork};
use crate::console::nonce;
use crate::flags::{CheckFlags, ProtocolFlag};
use crate::limits::CHECK_MAX;
use crate::link::Stopwatch;
use crate::network::{Dialled, dial_upstream};
use crate::outgoing::{Outgoing, Told};
use crate::running::{Running, Told as OnLink};
use crate::tls::{Handshake, Trust};
use crate::upstream::{Deliver, LogIn, TlsMode, Upstream, call, explain};
use anyhow::{Context as _, anyhow, bail};
use jiff::Zoned;
use mail::machine::{Instant, Machine, Passage};
use mail::mime::compose;
use mail::mime::date::Date;
use mail::mime::header::Mailbox;
use mail::pop3::client::{Account, Client as Pop3, Event as Pop3Event, LogIn as Pop3LogIn, Request};
use mail::sasl::Credentials;
use mail::smtp::client::{BadRecipient, Client as Smtp, Event, Order, Prepared, Submission, Unreadable};
use mail::smtp::command::Path;
use modem::modem::{Obstacle, ObstacleKind, Protocol};
use modem::route::{Call, Route};
use modem::settings::Settings;
use std::io::{self, Write as _};
use std::sync::Arc;

/// Why a call that the sandbox takes is not made.
const STAYS: &str = "such a call stays on this machine: there is nothing to be tried";

/// Makes the call that the flags describe.
///
/// # Errors
/// What is described cannot be called, or the call came to nothing; the error says why.
pub async fn run(config: Config, flags: CheckFlags) -> anyhow::Result<()> {
    let CheckFlags { call: described, send_test } = flags;
    let (mut call, line, upstream) = match config.upstreams.named(&described.server) {
        Some(upstream) => {
            let named = upstream.matching.protocol.map(|protocol| match protocol {
                Protocol::Smtp => ProtocolFlag::Smtp,
                Protocol::Pop3 => ProtocolFlag::Pop3,
            });
            let host = upstream.host.clone().with_context(|| {
                format!(
                    "upstream {} has no host; name a server that its rule matches: NAME:PORT",
                    upstream.name
                )
            })?;
            let (call, line) = call(&config, described.at(&host, upstream.port, named))?;
            (call, line, Arc::clone(upstream))
        }
        None => {
            if config.upstreams.iter().next().is_some() && !described.server.contains([':', '.']) {
                bail!(
                    "there is no upstream {}; there are {}. A server is named with its port, NAME:PORT",
                    described.server,
                    config.upstreams.names()
                );
            }
            print(&explain(&config, described.clone())?)?;
            let (call, line) = call(&config, described)?;
            let upstream = Arc::clone(config.upstreams.find(&line, &call));
            if config.lines.get(&line).is_some_and(|line| line.upstream == LineNetwork::Sandbox) {
                bail!("{STAYS}");
            }
            (call, line, upstream)
        }
    };
    if upstream.deliver == Deliver::Sandbox {
        bail!("{STAYS}");
    }
    let apop = config.lines.get(&line).is_some_and(|line| line.settings.apop);
    let checked = async {
        match (call.protocol, send_test) {
            (Protocol::Smtp, Some(recipient)) => {
                call.recipients = vec![recipient];
                send(&upstream, call.clone()).await
            }
            (Protocol::Smtp, None) => bail!("SMTP is tried with a mail: --send-test YOUR@ADDRESS sends one"),
            (Protocol::Pop3, _) => fetch(&upstream, &call, apop).await,
        }
    };
    let checked = tokio::time::timeout(CHECK_MAX, checked).await;
    checked.unwrap_or_else(|_| bail!("nothing came of it within {} s", CHECK_MAX.as_secs()))
}

fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}

/// Tells a step, with the time since the call began. Standard output may be closed: then nobody wants to know.
fn step(now: Instant, words: &str) {
    let ms = now.as_ms();
    let _ = writeln!(io::stdout(), "{:>5}.{:03} s  {words}", ms / 1000, ms % 1000);
}

fn tell_handshake(now: Instant, handshake: &Handshake) {
    step(now, &format!("secured: {handshake}"));
    if let Some(certificate) = &handshake.certificate {
        step(now, &format!("certificate: {certificate}"));
    }
}

fn tell_passage(now: Instant, passage: &Passage) {
    match passage {
        Passage::Said(line) => step(now, &format!("C: {line}")),
        Passage::Heard(line) => step(now, &format!("S: {line}")),
        Passage::SaidContent(octets) => step(now, &format!("C: ({octets} octets of the mail)")),
        Passage::HeardContent(octets) => step(now, &format!("S: ({octets} octets of a mail)")),
    }
}

async fn send(upstream: &Upstream, mut call: Call) -> anyhow::Result<()> {
    let recipient = call.recipients.first().cloned().unwrap_or_default();
    let sender = match (&upstream.rewriting.sender, call.sender.take()) {
        (Some(sender), _) => sender.address.clone(),
        (None, Some(sender)) => sender,
        (None, None) => recipient.clone(),
    };
    call.sender = Some(sender.clone());
    let now = Zoned::now();
    let date = Date::new(now.timestamp().as_second(), now.offset().seconds() / 60);
    let date = date.context("the clock shows no date that a mail can have")?;
    let unique = format!("{}.check.{:x}", date.digits(), nonce()?);
    let mailbox = |address: &str| Mailbox { address: address.to_owned(), name: Vec::new() };
    let draft = compose::Draft {
        from: mailbox(&sender),
        to: vec![mailbox(&recipient)],
        cc: Vec::new(),
        more: Vec::new(),
        subject: format!("{}a test of mailmodem's", upstream.rewriting.subject_prefix).into_bytes(),
        text: b"`mailmodem check --send-test` sent this, by the same way as the equipment's mails.\n"
            .to_vec(),
        charset: "utf-8".to_owned(),
        date,
        unique: unique.clone(),
        attachments: Vec::new(),
    };
    let outgoing = Outgoing {
        hello_name: Settings::default().hello_name,
        bad_recipient: BadRecipient::Fail,
        message: Box::new(compose::Message::new(draft)),
        is_traced: true,
    };
    let mut last = Instant::POWER_ON;
    let sent = outgoing.send(upstream, &call, |now, told| {
        last = now;
        match told {
            Told::Dialled => step(now, "connected"),
            Told::Secured(handshake) => tell_handshake(now, &handshake),
            Told::Event(Event::Passage(passage)) => tell_passage(now, &passage),
            Told::Event(_) => {}
        }
    });
    match sent.await {
        Ok(_) => {
            if upstream.log_in == LogIn::AsNamed {
                step(last, "not tried: the log-in, since the password is the terminal's, and not known here");
            }
            step(
                last,
                &format!("well: the server has the mail to {recipient}; its Message-ID begins with {unique}"),
            );
            Ok(())
        }
        Err(not_sent) => {
            // Not a word of the server's: what failed came before.
            if not_sent.failure.is_none() {
                tell_certificate(upstream, &call).await;
            }
            Err(anyhow!("{not_sent}"))
        }
    }
}

async fn fetch(upstream: &Upstream, call: &Call, apop: bool) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let (server, port) = upstream.server(call);
    let Dialled { link, route, handshake, token: _ } = match dial_upstream(upstream, call).await {
        Ok(dialled) => dialled,
        Err(Obstacle { kind, words }) => {
            if kind == ObstacleKind::Tls {
                tell_certificate(upstream, call).await;
            }
            bail!("{words}");
        }
    };
    step(watch.now(), "connected");
    let Route { called: _, policy, nonce, account, rewriting: _ } = route;
    let credentials = account.credentials(None).with_context(|| {
        "nobody logs in: the password is the terminal's, and not known here. A host tries it, by AT+POP3SRV and AT+POP3IN; or \
         give the upstream a user and its password"
            .to_owned()
    })?;
    let log_in = nonce.map_or(Pop3LogIn::AsNote, Pop3LogIn::Sasl);
    let mut client = Pop3::new(Account::new(credentials, apop, log_in)?, policy, watch.now());
    client.trace();
    let mut running = Running::new(client, link, handshake, watch);
    let (mut mails, mut obstacle) = (None, None);
    while let Some(all) = running.step().await {
        for told in all {
            match told {
                OnLink::Secured(handshake) => tell_handshake(watch.now(), &handshake),
                OnLink::Obstructed(found) => obstacle = Some(found.words),
                OnLink::Lost(error) => step(watch.now(), &format!("the connection was lost: {error}")),
                OnLink::Event(Pop3Event::Passage(passage)) => tell_passage(watch.now(), &passage),
                OnLink::Event(Pop3Event::LoggedIn) => {
                    running.ask(|client, now| client.request(Request::Stat, now))?;
                }
                OnLink::Event(Pop3Event::Stat { count, octets }) => {
                    mails = Some((count, octets));
                    running.ask(|client, now| client.request(Request::Quit, now))?;
                }
                OnLink::Event(Pop3Event::LoggedOut) => {
                    let (count, octets) = mails.context("the server did not say how many mails there are")?;
                    step(watch.now(), &format!("well: {count} mails of {octets} octets wait"));
                    running.leave().await;
                    return Ok(());
                }
                OnLink::Event(Pop3Event::Ended(failure)) => {
                    // Those words have the name already.
                    if let Some(words) = obstacle {
                        tell_certificate(upstream, call).await;
                        bail!("{words}");
                    }
                    bail!("{server}:{port} {failure}");
                }
                OnLink::Event(_) => {}
            }
        }
    }
    bail!("{server}:{port} ended without a word")
}

/// Shows a certificate that was not trusted, so that its owner can name its key. Nothing more is said to that server
/// than it takes to see it.
async fn tell_certificate(upstream: &Upstream, call: &Call) {
    let (_, port) = upstream.server(call);
    // Without TLS there is nothing to see, and nothing to stop at.
    let tls = match upstream.tls_at(port) {
        TlsMode::Off => return,
        TlsMode::Implicit => TlsMode::Implicit,
        TlsMode::Required | TlsMode::Opportunistic => TlsMode::Required,
    };
    let anybody =
        Upstream { trust: Trust::Anybody.into(), log_in: LogIn::Nobody, tls: Some(tls), ..upstream.clone() };
    let Ok(Dialled { link, route, handshake, token: _ }) = dial_upstream(&anybody, call).await else {
        return;
    };
    let watch = Stopwatch::start();
    let handshake = match (handshake, call.protocol) {
        (Some(handshake), _) => Some(handshake),
        (None, Protocol::Smtp) => {
            let order = Order {
                hello_name: Settings::default().hello_name,
                policy: route.policy,
                credentials: None,
                nonce: None,
                sender: Path::null(),
                recipients: Vec::new(),
                bad_recipient: BadRecipient::Fail,
                message: Box::new(Nothing),
            };
            first_handshake(Running::new(Smtp::new(order, watch.now()), link, None, watch)).await
        }
        (None, Protocol::Pop3) => {
            // STLS comes before the log-in, which is not waited for.
            let Ok(account) = Account::new(Credentials::with_password("-", ""), false, Pop3LogIn::AsNote)
            else {
                return;
            };
            first_handshake(Running::new(Pop3::new(account, route.policy, watch.now()), link, None, watch))
                .await
        }
    };
    if let Some(certificate) = handshake.and_then(|handshake| handshake.certificate) {
        let _ = writeln!(io::stdout(), "             its certificate: {certificate}");
    }
}

/// Goes as far as the handshake, and no farther.
async fn first_handshake<M: Machine>(mut running: Running<M>) -> Option<Handshake> {
    while let Some(all) = running.step().await {
        for told in all {
            if let OnLink::Secured(handshake) = told {
                return Some(handshake);
            }
        }
    }
    None
}

/// No mail.
struct Nothing;

impl Submission for Nothing {
    fn prepare(&mut self, _: bool) -> Prepared {
        Prepared { octets: 0, eight_bit: false }
    }

    fn next(&mut self, _: &mut Vec<u8>) -> Result<bool, Unreadable> {
        Err(Unreadable { what: "a mail".to_owned(), why: "there is none".to_owned() })
    }
}
