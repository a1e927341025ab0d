//! Commands about the network (commands.md §5). There is none but the machine's own: what they set is kept, and what
//! they tell is that all is well, unless AT+CFUN or AT+COPS has left it.

use super::smtp::{MASK, SecretLine, quoted_line, say_secret};
use super::table::Arguments;
use super::{Answer, Power, general};
use crate::kept::Kept;
use crate::modem::Modem;
use crate::terminal::Trouble;
use mail::machine::Instant;
use mail::secret::Secret;
use std::collections::BTreeMap;

/// Contexts of the TCP/IP stack, which mail opens.
const SOCKET_CONTEXTS: &str = "+CGSOCKCONT";
const PACKET_CONTEXTS: &str = "+CGDCONT";

/// The cell that the modem is in: its location area and its number (27.007 §7.2).
const AREA_AND_CELL: &str = "\"00A1\",\"0000B2C3\"";
/// The same as AT+CPSI tells it, on the test network.
pub(super) const CELL: &[&str] = &[
    "WCDMA",
    "Online",
    "001-01",
    "0x00A1",
    "45763",
    "WCDMA IMT 2000",
    "9",
    "10688",
    "0",
    "1.5",
    "62",
    "33",
    "52",
    "500",
];

/// The operator's name, long, short, and as a number (27.007 §7.3).
const OPERATOR: [&str; 3] = ["mailmodem", "mailmodem", "00101"];

/// What a host has configured.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// By the command that defines them, and cid.
    contexts: BTreeMap<(&'static str, u32), Context>,
    /// By cid.
    authentication: BTreeMap<u32, Authentication>,
}

#[derive(Debug)]
struct Context {
    pdp_type: String,
    apn: String,
    address: String,
    data_compression: u32,
    header_compression: u32,
    is_active: bool,
}

#[derive(Debug)]
struct Authentication {
    kind: u32,
    /// Password and user, or the other way round: hosts disagree, so both are secret.
    texts: [Secret; 2],
}

impl Network {
    /// Whether the PDP context that mail opens has been defined: the one of AT+CSOCKSETPN.
    pub(crate) fn has_context(&self, cid: u32) -> bool {
        self.contexts_of(SOCKET_CONTEXTS).any(|(defined, _)| defined == cid)
    }

    fn contexts_of(&self, command: &str) -> impl Iterator<Item = (u32, &Context)> {
        self.contexts
            .iter()
            .filter(move |((of, _), _)| *of == command)
            .map(|((_, cid), context)| (*cid, context))
    }
}

fn say_any(modem: &mut Modem, lines: &[impl AsRef<[u8]>]) -> Answer {
    if !lines.is_empty() {
        modem.terminal.say(lines);
    }
    Answer::OK
}

pub(super) fn read_contexts(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let name = arguments.command().name;
    let lines = modem.network.contexts_of(name).map(|(cid, context)| {
        let Context { pdp_type, apn, address, data_compression: d, header_compression: h, .. } = context;
        format!("{name}: {cid},\"{pdp_type}\",\"{apn}\",\"{address}\",{d},{h}")
    });
    let lines: Vec<String> = lines.collect();
    say_any(modem, &lines)
}

pub(super) fn write_context(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let Some(cid) = arguments.number(0) else { return Answer::ERROR };
    let key = (arguments.command().name, cid);
    let Some(pdp_type) = arguments.text(1) else {
        if arguments.any_from(2) {
            return Answer::ERROR;
        }
        modem.network.contexts.remove(&key);
        return Answer::OK;
    };
    let text = |at, default: &str| arguments.text(at).unwrap_or(default).to_owned();
    let context = Context {
        pdp_type: pdp_type.to_owned(),
        apn: text(2, ""),
        address: text(3, "0.0.0.0"),
        data_compression: arguments.number(4).unwrap_or_default(),
        header_compression: arguments.number(5).unwrap_or_default(),
        is_active: false,
    };
    modem.network.contexts.insert(key, context);
    Answer::OK
}

pub(super) fn read_activation(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let contexts = modem.network.contexts_of(PACKET_CONTEXTS);
    let lines: Vec<String> =
        contexts.map(|(cid, context)| format!("+CGACT: {cid},{}", u8::from(context.is_active))).collect();
    say_any(modem, &lines)
}

pub(super) fn activate(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let activates = arguments.number(0) == Some(1);
    if activates && !is_attached(modem) {
        return Answer::trouble(Trouble::NoNetwork);
    }
    let only = arguments.number(1);
    let mut any = false;
    for ((of, cid), context) in &mut modem.network.contexts {
        if *of == PACKET_CONTEXTS && only.is_none_or(|only| only == *cid) {
            context.is_active = activates;
            any = true;
        }
    }
    if any { Answer::OK } else { Answer::trouble(Trouble::NotFound) }
}

pub(super) fn read_authentication(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let lines = modem.network.authentication.iter().map(|(cid, Authentication { kind, texts })| {
        let clear = texts.each_ref().map(Secret::reveal);
        let masked = clear.map(|text| if text.is_empty() { text } else { MASK });
        [clear, masked].map(|texts| quoted_line("+CSOCKAUTH", &format!("{cid},{kind},"), &texts, ""))
    });
    let lines: Vec<SecretLine> = lines.collect();
    if !lines.is_empty() {
        say_secret(modem, &lines);
    }
    Answer::OK
}

pub(super) fn write_authentication(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let Some(cid) = arguments.number(0) else { return Answer::ERROR };
    let Some(kind) = arguments.number(1) else {
        if arguments.any_from(2) {
            return Answer::ERROR;
        }
        modem.network.authentication.remove(&cid);
        return Answer::OK;
    };
    let texts = [2, 3].map(|at| Secret::new(arguments.octets(at).unwrap_or_default()));
    modem.network.authentication.insert(cid, Authentication { kind, texts });
    Answer::OK
}

fn is_attached(modem: &Modem) -> bool {
    modem.is_registered() && modem.kept.number("+CGATT", 0) == 1
}

/// What +CREG and +CGREG tell: 0 not registered, 1 registered.
fn registration(modem: &Modem, command: &str) -> u8 {
    u8::from(if command == "+CGREG" { is_attached(modem) } else { modem.is_registered() })
}

/// With the cell, where mode 2 asks for it.
fn registration_text(modem: &Modem, command: &str) -> String {
    match registration(modem, command) {
        1 if modem.kept.number(command, 0) == 2 => format!("1,{AREA_AND_CELL}"),
        registration => registration.to_string(),
    }
}

pub(super) fn read_registration(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let name = arguments.command().name;
    let (mode, text) = (modem.kept.number(name, 0), registration_text(modem, name));
    modem.terminal.say(&[format!("{name}: {mode},{text}")]);
    Answer::OK
}

/// Changes what the registration depends on, and tells the host what it has asked to be told.
fn register(modem: &mut Modem, now: Instant, change: impl FnOnce(&mut Kept)) -> Answer {
    let names = ["+CREG", "+CGREG"];
    let before = names.map(|name| registration(modem, name));
    change(&mut modem.kept);
    if !modem.is_registered() {
        modem.cut_links(now);
        modem.kept.set("+NETOPEN", 0, 0);
    }
    if !is_attached(modem) {
        modem.network.contexts.values_mut().for_each(|context| context.is_active = false);
    }
    for (name, before) in names.into_iter().zip(before) {
        if registration(modem, name) != before && modem.kept.number(name, 0) > 0 {
            let text = registration_text(modem, name);
            modem.urc([format!("{name}: {text}")], now);
        }
    }
    Answer::OK
}

pub(super) fn set_functionality(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    match (arguments.number(0), arguments.number(1)) {
        (Some(6), _) | (Some(1), Some(1)) => Answer::Power(Power::Restart),
        // 27.007 §8.2: only full functionality is worth a restart.
        (_, Some(1)) => Answer::trouble(Trouble::NotAllowed),
        _ => register(modem, now, |kept| kept.keep(arguments)),
    }
}

pub(super) fn read_attachment(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let attached = u8::from(is_attached(modem));
    modem.terminal.say(&[format!("+CGATT: {attached}")]);
    Answer::OK
}

pub(super) fn attach(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    if arguments.number(0) == Some(1) && !modem.is_registered() {
        return Answer::trouble(Trouble::NoNetwork);
    }
    register(modem, now, |kept| kept.keep(arguments))
}

pub(super) fn read_operator(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let name = arguments.command().name;
    let (mode, format) = (modem.kept.number(name, 0), modem.kept.number(name, 1));
    let line = match operator_name(format).filter(|_| modem.is_registered()) {
        Some(operator) => format!("{name}: {mode},{format},\"{operator}\",2"),
        None => format!("{name}: {mode}"),
    };
    modem.terminal.say(&[line]);
    Answer::OK
}

fn operator_name(format: u32) -> Option<&'static str> {
    OPERATOR.get(usize::try_from(format).ok()?).copied()
}

pub(super) fn select_operator(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    const AUTOMATIC: u32 = 0;
    let name = arguments.command().name;
    let format = arguments.number(1).unwrap_or_else(|| modem.kept.number(name, 1));
    let is_ours = arguments.text(2).is_some_and(|operator| operator_name(format) == Some(operator));
    let mode = match arguments.number(0).unwrap_or_default() {
        // Only the format.
        3 => {
            modem.kept.set(name, 1, format);
            return Answer::OK;
        }
        0 | 1 | 4 if modem.kept.number("+CFUN", 0) != 1 => return Answer::trouble(Trouble::NoNetwork),
        1 if !is_ours => return Answer::trouble(Trouble::NoNetwork),
        4 if !is_ours => AUTOMATIC,
        mode => mode,
    };
    register(modem, now, |kept| {
        kept.set(name, 0, mode);
        kept.set(name, 1, format);
    })
}

/// Says the row's values while there is a network, and `otherwise` while there is none.
fn say_of_network(modem: &mut Modem, arguments: &Arguments, now: Instant, otherwise: &str) -> Answer {
    if modem.is_registered() {
        return general::say_values(modem, arguments, now);
    }
    modem.terminal.say(&[format!("{}: {otherwise}", arguments.command().name)]);
    Answer::OK
}

pub(super) fn say_signal(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    say_of_network(modem, arguments, now, "99,99")
}

pub(super) fn say_cell(modem: &mut Modem, arguments: &Arguments, now: Instant) -> Answer {
    say_of_network(modem, arguments, now, "NO SERVICE,Offline")
}
