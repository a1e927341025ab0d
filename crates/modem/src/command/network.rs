//! Commands about the network (commands.md §5). There is none but the machine's own: what they set is kept.

use super::Answer;
use super::table::Arguments;
use crate::modem::Modem;
use mail::machine::Instant;
use std::collections::BTreeMap;

/// Packet data protocols that a context may be of (27.007 §10.1.1).
const PDP_TYPES: [&str; 4] = ["IP", "IPV6", "IPV4V6", "PPP"];

/// What a host has configured.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// By cid.
    contexts: BTreeMap<u32, Context>,
}

#[derive(Debug)]
struct Context {
    pdp_type: String,
    apn: String,
    address: String,
    data_compression: u32,
    header_compression: u32,
}

impl Network {
    /// Whether a PDP context has been defined.
    pub(crate) fn has_context(&self) -> bool {
        !self.contexts.is_empty()
    }
}

pub(super) fn read_contexts(modem: &mut Modem, _: &Arguments, _: Instant) -> Answer {
    let lines = modem.network.contexts.iter().map(|(cid, context)| {
        let Context { pdp_type, apn, address, data_compression: d, header_compression: h } = context;
        format!("+CGSOCKCONT: {cid},\"{pdp_type}\",\"{apn}\",\"{address}\",{d},{h}")
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        modem.terminal.say(&lines);
    }
    Answer::OK
}

pub(super) fn write_context(modem: &mut Modem, arguments: &Arguments, _: Instant) -> Answer {
    let Some(cid) = arguments.number(0) else { return Answer::ERROR };
    let Some(pdp_type) = arguments.octets(1) else {
        if arguments.any_from(2) {
            return Answer::ERROR;
        }
        modem.network.contexts.remove(&cid);
        return Answer::OK;
    };
    let Some(&pdp_type) = PDP_TYPES.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(pdp_type))
    else {
        return Answer::ERROR;
    };
    let text = |at, default: &str| arguments.text(at).unwrap_or(default).to_owned();
    let context = Context {
        pdp_type: pdp_type.to_owned(),
        apn: text(2, ""),
        address: text(3, "0.0.0.0"),
        data_compression: arguments.number(4).unwrap_or_default(),
        header_compression: arguments.number(5).unwrap_or_default(),
    };
    modem.network.contexts.insert(cid, context);
    Answer::OK
}
