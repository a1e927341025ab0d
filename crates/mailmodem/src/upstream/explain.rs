//! `mailmodem explain`: what would become of a call, without making it.
//!
//! Not here: making it (`mailmodem check`).

use super::{CONSOLE_LINE, Deliver, Delivery, LogIn, TlsMode, Upstream, Upstreams};
use crate::config::{Config, LineNetwork};
use crate::flags::{ExplainFlags, ProtocolFlag};
use crate::oauth::TokenSource;
use crate::tls::Trust;
use anyhow::{Context as _, bail};
use modem::modem::Protocol;
use modem::route::{Call, OriginalSender};
use std::fmt::Write as _;

/// Where POP3 servers listen, in clear and under TLS.
const POP3_PORTS: [u16; 2] = [110, 995];

/// What would become of the call that the flags describe.
///
/// # Errors
/// There is no such line in the config, or the server is none.
pub fn explain(config: &Config, flags: ExplainFlags) -> anyhow::Result<String> {
    if config.upstreams.named(&flags.server).is_some() {
        bail!(
            "{0} is an upstream's name; a call is described by what the terminal names, SERVER:PORT. `mailmodem check {0}` \
             tries the upstream itself",
            flags.server
        );
    }
    let (call, line) = call(config, flags)?;
    let mut words = String::new();
    let user = call.user.as_ref().map(|user| format!(", user {user}")).unwrap_or_default();
    writeln!(words, "{}:{} by {} on line {line}{user}", call.server, call.port, call.protocol)?;
    if config.lines.get(&line).is_some_and(|line| line.upstream == LineNetwork::Sandbox) {
        writeln!(
            words,
            "  goes to   the line's sandbox, since upstream = \"sandbox\" there: nothing leaves this machine"
        )?;
        return Ok(words);
    }
    let upstream = config.upstreams.find(&line, &call);
    writeln!(words, "  by        {}", rule(&config.upstreams, upstream))?;
    for (what, how) in deeds(upstream, &call) {
        writeln!(words, "  {what:<9} {how}")?;
    }
    Ok(words)
}

/// The call that the flags describe, and the line that it is on.
///
/// # Errors
/// There is no such line in the config, or the server is none.
pub fn call(config: &Config, flags: ExplainFlags) -> anyhow::Result<(Call, String)> {
    let ExplainFlags { server, user, protocol, line, sender, recipients, config: _ } = flags;
    let (server, port) = match server.rsplit_once(':') {
        Some((server, port)) => {
            (server.to_owned(), port.parse().with_context(|| format!("{port} is no port"))?)
        }
        None if protocol == Some(ProtocolFlag::Pop3) => (server, 110),
        None => (server, 25),
    };
    if server.is_empty() {
        bail!("there is no server; it is NAME:PORT, as the terminal names it");
    }
    let protocol = match protocol {
        Some(ProtocolFlag::Pop3) => Protocol::Pop3,
        None if POP3_PORTS.contains(&port) => Protocol::Pop3,
        Some(ProtocolFlag::Smtp) | None => Protocol::Smtp,
    };
    let line = match line {
        Some(line) if config.lines.contains_key(&line) || line == CONSOLE_LINE => line,
        Some(line) => {
            let known: Vec<&str> = config.lines.keys().map(String::as_str).collect();
            bail!("there is no line {line}; there are {}, and {CONSOLE_LINE}", known.join(", "));
        }
        None => {
            let direct = config.lines.values().find(|line| line.upstream == LineNetwork::Direct);
            let line =
                direct.or_else(|| config.lines.values().next()).context("there is no line in the config")?;
            line.name.clone()
        }
    };
    Ok((Call { protocol, server, port, user, sender, recipients }, line))
}

fn rule(upstreams: &Upstreams, upstream: &Upstream) -> String {
    match upstreams.iter().position(|rule| rule.name == upstream.name) {
        Some(at) => format!("upstream {} (rule {} of {})", upstream.name, at + 1, upstreams.iter().count()),
        None => "no upstream: none of the rules matches, and it goes to where it is named".to_owned(),
    }
}

/// What is done, and how.
fn deeds(upstream: &Upstream, call: &Call) -> Vec<(&'static str, String)> {
    let mut deeds = Vec::new();
    if upstream.deliver == Deliver::Sandbox {
        deeds.push(("goes to", "the line's sandbox: nothing leaves this machine".to_owned()));
    } else {
        let (server, port) = upstream.server(call);
        let mode = upstream.tls_at(port);
        deeds.push(("calls", format!("{server}:{port}")));
        deeds.push(("TLS", tls(upstream, call, mode)));
        deeds.push(("log-in", log_in(upstream, call, mode)));
    }
    if call.protocol == Protocol::Smtp {
        deeds.extend(rewriting(upstream));
        deeds.push((
            "SUCCESS",
            match (upstream.deliver, upstream.delivery) {
                (Deliver::Sandbox, _) => "is told when the mail is in the sandbox",
                (_, Delivery::Direct) => "is told when the server has the mail",
                (Deliver::Network, Delivery::Queued) => {
                    "is told when the mail is safe on this machine's disk; it is sent then"
                }
            }
            .to_owned(),
        ));
    }
    deeds
}

fn tls(upstream: &Upstream, call: &Call, mode: TlsMode) -> String {
    let command = match call.protocol {
        Protocol::Smtp => "STARTTLS",
        Protocol::Pop3 => "STLS",
    };
    let when = match mode {
        TlsMode::Off => return "off".to_owned(),
        TlsMode::Implicit => "from the first octet".to_owned(),
        TlsMode::Required => format!("by {command}; nothing is sent without"),
        TlsMode::Opportunistic => format!("by {command}, where it is offered"),
    };
    let (server, _) = upstream.server(call);
    let whose = match upstream.trust.whom() {
        Trust::System => format!("for a certificate for {server} of an authority that this machine trusts"),
        Trust::Authorities(_) => format!("for a certificate for {server} of the authorities in ca_file"),
        Trust::Pins(pins) => {
            let pins: Vec<String> = pins.iter().map(ToString::to_string).collect();
            format!("for the key {}", pins.join(" or "))
        }
        Trust::Anybody => "with anybody: verify = false protects from nothing".to_owned(),
    };
    format!("{when}, {whose}")
}

fn log_in(upstream: &Upstream, call: &Call, mode: TlsMode) -> String {
    let who = match (&upstream.log_in, &call.user) {
        (LogIn::Nobody, _) if call.protocol == Protocol::Smtp => return "none".to_owned(),
        (LogIn::Nobody | LogIn::AsNamed, Some(user)) => format!("as {user}, as the terminal says"),
        (LogIn::Nobody | LogIn::AsNamed, None) => "as the terminal says".to_owned(),
        (LogIn::Token { user, tokens }, _) => format!(
            "as {}, by a token {}",
            String::from_utf8_lossy(user),
            match tokens.source() {
                TokenSource::Command(_) => "of token_command".to_owned(),
                TokenSource::File(file) => format!("in {}", file.display()),
                TokenSource::OAuth(client) => format!("of {}", client.token_endpoint),
            }
        ),
        (LogIn::InServiceOnly { user, credential }, _) => {
            let user = String::from_utf8_lossy(user);
            format!("as {user}, by the service's credential \"{credential}\"")
        }
        (LogIn::Password(credentials), _) => {
            format!("as {}, by the password of the config", String::from_utf8_lossy(&credentials.user))
        }
    };
    let how = upstream.mechanism.map(|mechanism| format!(", by {mechanism}")).unwrap_or_default();
    let clear = match mode {
        TlsMode::Implicit | TlsMode::Required => "",
        TlsMode::Opportunistic | TlsMode::Off if upstream.allow_cleartext_password => {
            "; the password may go in clear"
        }
        TlsMode::Opportunistic | TlsMode::Off => "; no password goes in clear, but to this machine itself",
    };
    format!("{who}{how}{clear}")
}

fn rewriting(upstream: &Upstream) -> Vec<(&'static str, String)> {
    let mut deeds = Vec::new();
    if let Some(sender) = &upstream.rewriting.sender {
        let original = match upstream.rewriting.original_sender {
            OriginalSender::Dropped => "",
            OriginalSender::ReplyTo => "; the terminal's stands in Reply-To",
            OriginalSender::Field => "; the terminal's stands in X-Original-From",
        };
        deeds.push(("sender", format!("{}{original}", sender.address)));
    }
    let more = &upstream.rewriting.more_recipients;
    match &upstream.rewriting.recipients {
        Some(recipients) => deeds.push(("to", [recipients.as_slice(), more].concat().join(", "))),
        None if !more.is_empty() => {
            deeds.push(("to", format!("as the terminal says, and {}", more.join(", "))));
        }
        None => {}
    }
    if !upstream.rewriting.subject_prefix.is_empty() {
        deeds.push(("subject", format!("begins with \"{}\"", upstream.rewriting.subject_prefix)));
    }
    deeds
}
