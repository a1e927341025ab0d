//! The rows of the table of commands, in the order in which AT+CLAC and the documentation have them.
//!
//! Not here: what a row is ([`super::table`]), and what the commands do.

use super::table::{Command, Parameter, ParameterKind};
use super::{Run, conflicts, files, general, network, pop3, power, smtp, transfer};
use crate::limits::{CONTEXTS_MAX, FILE_OCTETS_MAX};

const fn number(name: &'static str, least: u32, most: u32) -> Parameter {
    Parameter { name, kind: ParameterKind::Number(least, most), optional: false, secret: false }
}

const fn number_of(name: &'static str, numbers: &'static [u32]) -> Parameter {
    Parameter { name, kind: ParameterKind::NumberOf(numbers), optional: false, secret: false }
}

const fn word_of(name: &'static str, words: &'static [&'static str]) -> Parameter {
    Parameter { name, kind: ParameterKind::WordOf(words), optional: false, secret: false }
}

const fn text(name: &'static str, least: usize, most: usize) -> Parameter {
    Parameter { name, kind: ParameterKind::Text(least, most), optional: false, secret: false }
}

const fn name(name: &'static str) -> Parameter {
    Parameter { name, kind: ParameterKind::Name, optional: false, secret: false }
}

/// A trace masks it: the one place that says so.
const fn secret(parameter: Parameter) -> Parameter {
    Parameter { secret: true, ..parameter }
}

const fn optional(parameter: Parameter) -> Parameter {
    Parameter { optional: true, ..parameter }
}

/// A mail's number in its session (RFC 1939 §5).
const MAIL_ID: Parameter = number("id", 1, u32::MAX);

/// A PDP context (27.007 §10.1.1); only its number: undefines it.
const CONTEXT: &[Parameter] = &[
    number("cid", 1, CONTEXTS_MAX),
    optional(word_of("type", &["IP", "IPV6", "IPV4V6", "PPP"])),
    optional(text("apn", 0, 100)),
    optional(text("address", 0, 64)),
    optional(number("data compression", 0, 2)),
    optional(number("header compression", 0, 4)),
];

/// Line speeds (V.250 §6.2.10); 0: the terminal's own is found out.
const SPEEDS: &[u32] =
    &[0, 300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600];

/// A row that does nothing; rows of the table fill in what they have.
const ROW: Command = Command {
    name: "",
    summary: "",
    source: "",
    test: Some(""),
    read: None,
    write: None,
    execute: None,
    values: &[],
    is_in_profile: false,
};

/// A basic command that does something (V.250 §5.3.1), with or without a number.
const fn basic(
    name: &'static str,
    parameters: &'static [Parameter],
    summary: &'static str,
    run: Run,
) -> Command {
    Command {
        name,
        summary,
        source: "V.250",
        test: None,
        write: Some((parameters, run)),
        execute: Some(run),
        ..ROW
    }
}

/// A basic command whose number is kept: bare is the same as 0.
const fn basic_kept(
    name: &'static str,
    parameters: &'static [Parameter],
    values: &'static [&'static str],
    summary: &'static str,
) -> Command {
    Command { values, is_in_profile: true, ..basic(name, parameters, summary, general::keep) }
}

/// An S register (V.250 §5.3.2).
const fn register(
    name: &'static str,
    parameters: &'static [Parameter],
    values: &'static [&'static str],
    summary: &'static str,
) -> Command {
    Command {
        read: Some(general::say_register),
        execute: None,
        ..basic_kept(name, parameters, values, summary)
    }
}

/// A command that keeps what it is given and reads it back; nothing else depends on it, unless the row says so.
const fn kept(
    name: &'static str,
    parameters: &'static [Parameter],
    values: &'static [&'static str],
    test: &'static str,
    summary: &'static str,
    source: &'static str,
) -> Command {
    Command {
        name,
        summary,
        source,
        test: Some(test),
        read: Some(general::say_values),
        write: Some((parameters, general::keep)),
        values,
        is_in_profile: true,
        ..ROW
    }
}

/// A command that only answers.
const fn answer(name: &'static str, run: Run, summary: &'static str, source: &'static str) -> Command {
    Command { name, summary, source, execute: Some(run), ..ROW }
}

/// A command of the MMS application (note §5): there is no MMS centre, so it has nothing but its test form.
const fn mms(name: &'static str) -> Command {
    Command { name, summary: "known, and refused: there is no MMS centre", source: "commands.md §6", ..ROW }
}

/// Every command there is.
pub static COMMANDS: &[Command] = &[
    basic_kept("E", &[number("on", 0, 1)], &["1"], "echo of what is typed"),
    basic_kept("Q", &[number("quiet", 0, 1)], &["0"], "1: no final result codes"),
    basic_kept("V", &[number("words", 0, 1)], &["1"], "result codes in words (1) or numbers (0)"),
    basic_kept("X", &[number("codes", 0, 4)], &["1"], "kept; nobody is called"),
    register("S0", &[number("rings", 0, 255)], &["0"], "kept; nobody calls"),
    register("S3", &[number("octet", 0, 127)], &["13"], "the octet that ends a line"),
    register("S4", &[number("octet", 0, 127)], &["10"], "the octet behind it in answers"),
    register("S5", &[number("octet", 0, 127)], &["8"], "the octet that takes one back"),
    basic_kept("&C", &[number("mode", 0, 2)], &["1"], "kept; the program drives the DCD line"),
    basic_kept(
        "&D",
        &[number("mode", 0, 2)],
        &["2"],
        "1, 2: a DTR that is lowered ends a text or a file being entered; 0: it does not",
    ),
    basic(
        "&F",
        &[number("profile", 0, 0)],
        "what AT&V shows is the factory's again",
        general::restore_factory,
    ),
    basic("&V", &[number("profile", 0, 0)], "shows what AT&W stores", general::say_profile),
    basic("&W", &[number("profile", 0, 0)], "stores it, for ATZ and power-on", general::store_profile),
    basic("Z", &[number("profile", 0, 0)], "what AT&V shows is as AT&W stored it", general::restore_profile),
    basic("H", &[number("mode", 0, 0)], "accepted; there is no call", general::accept),
    basic("I", &[number("value", 0, 255)], "who made the modem, and its numbers", general::say_identity),
    answer("+CLAC", general::list_commands, "lists every command", "27.007 §8.37"),
    kept(
        "+CMEE",
        &[number("mode", 0, 2)],
        &["0"],
        "(0-2)",
        "how errors of 27.007 commands are told: 0 ERROR, 1 by number, 2 in words",
        "27.007 §9.1",
    ),
    kept("+FCLASS", &[number("class", 0, 0)], &["0"], "(0)", "kept; there is no fax", "V.250 §6.5"),
    answer("+CGMI", general::say_manufacturer, "who made the modem", "27.007 §5.1"),
    answer("+GMI", general::say_manufacturer, "who made the modem", "V.250 §6.1.4"),
    answer("+CGMM", general::say_model, "its model", "27.007 §5.2"),
    answer("+GMM", general::say_model, "its model", "V.250 §6.1.5"),
    answer("+CGMR", general::say_revision, "its revision", "27.007 §5.3"),
    answer("+GMR", general::say_revision, "its revision", "V.250 §6.1.6"),
    answer("+CGSN", general::say_imei, "its IMEI", "27.007 §5.4"),
    answer("+GSN", general::say_imei, "its IMEI", "V.250 §6.1.7"),
    answer("+CIMI", general::say_imsi, "the subscriber's IMSI", "27.007 §5.6"),
    answer("+CICCID", general::say_iccid, "the SIM card's number", "commands.md §5"),
    Command {
        values: &["+CGSM", "+DS", "+ES"],
        ..answer("+GCAP", general::say_values, "what the modem can do", "V.250 §6.1.9")
    },
    Command {
        test: Some("(0-3),(0-100)"),
        values: &["0", "100", "4.100V"],
        ..answer("+CBC", general::say_values, "the battery: full", "27.007 §8.4")
    },
    Command {
        name: "+CPIN",
        summary: "the SIM card: ready, so no PIN is taken",
        source: "27.007 §8.3",
        read: Some(general::say_values),
        write: Some((&[secret(text("pin", 4, 8)), optional(secret(text("new pin", 4, 8)))], general::refuse)),
        values: &["READY"],
        ..ROW
    },
    kept(
        "+CSCS",
        &[word_of("charset", &["IRA", "GSM", "UCS2"])],
        &["\"IRA\""],
        "(\"IRA\",\"GSM\",\"UCS2\")",
        "kept; mail commands have AT+SMTPBCH",
        "27.007 §5.5",
    ),
    kept(
        "+CATR",
        &[number("port", 0, 4)],
        &["0"],
        "(0-4)",
        "kept; there is one port, and it hears all",
        "commands.md §5",
    ),
    Command {
        is_in_profile: false,
        ..kept(
            "+IPR",
            &[number_of("rate", SPEEDS)],
            &["115200"],
            "(0,300,600,1200,2400,4800,9600,19200,38400,57600,115200,230400,460800,921600)",
            "the line's speed from the final result code on; 0 is only kept",
            "V.250 §6.2.10",
        )
    },
    kept(
        "+IFC",
        &[number_of("modem by terminal", &[0, 2]), optional(number_of("terminal by modem", &[0, 2]))],
        &["0", "0"],
        "(0,2),(0,2)",
        "kept; how the line is held up is the program's",
        "V.250 §6.2.12",
    ),
    kept(
        "+ICF",
        &[number("format", 1, 6), optional(number("parity", 0, 3))],
        &["3", "3"],
        "(1-6),(0-3)",
        "kept; how octets are framed is the program's",
        "V.250 §6.2.11",
    ),
    kept(
        "+CTZU",
        &[number("mode", 0, 1)],
        &["0"],
        "(0,1)",
        "kept; no network tells the time",
        "27.007 §8.40",
    ),
    kept("+CTZR", &[number("mode", 0, 1)], &["0"], "(0,1)", "kept; no zone changes", "27.007 §8.41"),
    Command {
        is_in_profile: false,
        ..kept(
            "+CMGF",
            &[number("format", 0, 1)],
            &["0"],
            "(0,1)",
            "kept; no short messages",
            "27.005 §3.2.3",
        )
    },
    Command {
        name: "+CSCA",
        summary: "the short messages' service centre: there is none",
        source: "27.005 §3.3.1",
        read: Some(general::say_values),
        values: &["\"\"", "129"],
        ..ROW
    },
    Command {
        name: "+CSQ",
        summary: "the signal: good",
        source: "27.007 §8.5",
        test: Some("(0-31,99),(0-7,99)"),
        execute: Some(network::say_signal),
        values: &["22", "0"],
        ..ROW
    },
    Command {
        name: "+CPSI",
        summary: "the cell",
        source: "commands.md §5",
        read: Some(network::say_cell),
        values: network::CELL,
        ..ROW
    },
    Command {
        read: Some(network::read_registration),
        ..kept(
            "+CREG",
            &[number("mode", 0, 2)],
            &["0"],
            "(0-2)",
            "registration: 1 and 2 tell of changes; 2 with the cell",
            "27.007 §7.2",
        )
    },
    Command {
        read: Some(network::read_registration),
        ..kept("+CGREG", &[number("mode", 0, 2)], &["0"], "(0-2)", "the same for packets", "27.007 §10.1.20")
    },
    Command {
        read: Some(network::read_operator),
        write: Some((
            &[
                number("mode", 0, 4),
                optional(number("format", 0, 2)),
                optional(text("operator", 1, 16)),
                optional(number("technology", 0, 2)),
            ],
            network::select_operator,
        )),
        is_in_profile: false,
        ..kept(
            "+COPS",
            &[],
            &["0", "0"],
            "(2,\"mailmodem\",\"mailmodem\",\"00101\",2),,(0-4),(0-2)",
            "the operator: 0 automatic, 1 that one, 2 none, 3 only the format, 4 that one or automatic",
            "27.007 §7.3",
        )
    },
    Command {
        write: Some((
            &[number_of("level", &[0, 1, 4, 5, 6, 7]), optional(number("reset", 0, 1))],
            network::set_functionality,
        )),
        is_in_profile: false,
        ..kept(
            "+CFUN",
            &[],
            &["1"],
            "(0,1,4-7),(0,1)",
            "1: full; 6, and 1,1: restarts; any other: without the network",
            "27.007 §8.2",
        )
    },
    Command {
        read: Some(network::read_attachment),
        write: Some((&[number("attached", 0, 1)], network::attach)),
        is_in_profile: false,
        ..kept("+CGATT", &[], &["1"], "(0,1)", "whether packets are served", "27.007 §10.1.9")
    },
    Command {
        name: "+CGACT",
        summary: "activates a context of +CGDCONT, or each",
        source: "27.007 §10.1.10",
        test: Some("(0,1)"),
        read: Some(network::read_activation),
        write: Some((&[number("active", 0, 1), optional(number("cid", 1, CONTEXTS_MAX))], network::activate)),
        ..ROW
    },
    Command {
        name: "+CGDCONT",
        summary: "a PDP context; mail does not use it",
        source: "27.007 §10.1.1",
        read: Some(network::read_contexts),
        write: Some((CONTEXT, network::write_context)),
        ..ROW
    },
    Command {
        is_in_profile: false,
        ..kept(
            "+CSOCKSETPN",
            &[number("cid", 1, CONTEXTS_MAX)],
            &["1"],
            "(1-16)",
            "which context mail opens",
            "commands.md §5",
        )
    },
    Command {
        name: "+CSOCKAUTH",
        summary: "how a context logs in; the two texts are kept as given, in whatever order",
        source: "commands.md §5",
        test: Some("(1-16),(0-3)"),
        read: Some(network::read_authentication),
        write: Some((
            &[
                number("cid", 1, CONTEXTS_MAX),
                optional(number("type", 0, 3)),
                // Hosts give them in either order.
                optional(secret(text("password", 0, 127))),
                optional(secret(text("user", 0, 127))),
            ],
            network::write_authentication,
        )),
        ..ROW
    },
    answer("+CRESET", power::restart, "switches the modem off and on", "commands.md §5"),
    answer("+CPOF", power::switch_off, "switches the modem off", "commands.md §5"),
    Command {
        name: "+NETOPEN",
        summary: "opens a TCP/IP session, which excludes mail",
        source: "note §5",
        read: Some(general::say_values),
        write: Some((
            &[word_of("type", &["TCP", "UDP"]), optional(number("port", 0, 65_535))],
            conflicts::open_network,
        )),
        execute: Some(conflicts::open_network),
        values: &["0"],
        ..ROW
    },
    answer("+NETCLOSE", conflicts::close_network, "closes the TCP/IP session", "note §5"),
    Command {
        write: Some((&[number("on", 0, 1), optional(number("mode", 1, 3))], conflicts::switch_gps)),
        is_in_profile: false,
        ..kept("+CGPS", &[], &["0", "1"], "(0,1),(1-3)", "a GPS session, which excludes mail", "note §5")
    },
    answer("+CGPSINFO", conflicts::say_position, "where the modem is: it never finds out", "commands.md §6"),
    mms("+CMMSINIT"),
    mms("+CMMSTERM"),
    mms("+CMMSCURL"),
    mms("+CMMSPROTO"),
    mms("+CMMSSENDCFG"),
    mms("+CMMSEDIT"),
    mms("+CMMSDOWN"),
    mms("+CMMSDELFILE"),
    mms("+CMMSSEND"),
    mms("+CMMSRECP"),
    mms("+CMMSCC"),
    mms("+CMMSBCC"),
    mms("+CMMSDELRECP"),
    mms("+CMMSDELCC"),
    mms("+CMMSDELBCC"),
    mms("+CMMSRECV"),
    mms("+CMMSVIEW"),
    mms("+CMMSREAD"),
    mms("+CMMSRDPUSH"),
    mms("+CMMSUA"),
    mms("+CMMSPROFILE"),
    Command {
        name: "+CCLK",
        summary: "the clock that mails are dated by",
        source: "27.007 §8.15",
        read: Some(general::read_clock),
        write: Some((&[text("yy/MM/dd,hh:mm:ss[±zz]", 17, 20)], general::write_clock)),
        ..ROW
    },
    Command {
        name: "+CGSOCKCONT",
        summary: "the PDP context that mail opens",
        source: "note §3.1",
        read: Some(network::read_contexts),
        write: Some((CONTEXT, network::write_context)),
        ..ROW
    },
    Command {
        name: "+SMTPSRV",
        summary: "the SMTP server",
        source: "note §2",
        test: Some("(1-65535)"),
        read: Some(smtp::read_server),
        write: Some((&[text("server", 1, 128), optional(number("port", 1, 65_535))], smtp::write_server)),
        execute: Some(smtp::clear_server),
        ..ROW
    },
    Command {
        name: "+SMTPAUTH",
        summary: "whether to log in, and as whom",
        source: "note §2",
        test: Some("(0,1)"),
        read: Some(smtp::read_authentication),
        write: Some((
            &[
                number("log in", 0, 1),
                optional(text("user", 1, 128)),
                optional(secret(text("password", 0, 128))),
            ],
            smtp::write_authentication,
        )),
        execute: Some(smtp::clear_authentication),
        ..ROW
    },
    Command {
        name: "+SMTPFROM",
        summary: "the sender",
        source: "note §2",
        read: Some(smtp::read_sender),
        write: Some((&[text("address", 1, 128), optional(text("name", 0, 64))], smtp::write_sender)),
        execute: Some(smtp::clear_sender),
        ..ROW
    },
    Command {
        name: "+SMTPRCPT",
        summary: "a recipient: kind 0 To, 1 Cc, 2 Bcc; without an address, clears",
        source: "note §2",
        test: Some("(0-2),(0-4)"),
        read: Some(smtp::read_recipients),
        write: Some((
            &[
                number("kind", 0, 2),
                optional(number("index", 0, 4)),
                optional(text("address", 1, 128)),
                optional(text("name", 0, 64)),
            ],
            smtp::write_recipient,
        )),
        execute: Some(smtp::clear_recipients),
        ..ROW
    },
    Command {
        name: "+SMTPSUB",
        summary: "the subject",
        source: "note §2",
        read: Some(smtp::read_subject),
        write: Some((&[text("subject", 0, 512)], smtp::write_subject)),
        execute: Some(smtp::clear_subject),
        ..ROW
    },
    Command {
        name: "+SMTPBODY",
        summary: "the text; bare: typed at the prompt, Ctrl-Z ends it, ESC cancels",
        source: "note §2",
        read: Some(smtp::read_body),
        write: Some((
            &[Parameter { name: "text", kind: ParameterKind::Octets(512), optional: false, secret: false }],
            smtp::write_body,
        )),
        execute: Some(smtp::ask_body),
        ..ROW
    },
    Command {
        name: "+SMTPBCH",
        summary: "the charset of subject, names and text",
        source: "commands.md §2",
        test: Some("\"CHARSET\""),
        read: Some(smtp::read_charset),
        write: Some((&[text("charset", 1, 30)], smtp::write_charset)),
        execute: Some(smtp::reset_charset),
        ..ROW
    },
    Command {
        name: "+SMTPFILE",
        summary: "an attachment; without a name, removes it",
        source: "note §2",
        test: Some("(1-10)"),
        read: Some(smtp::read_files),
        write: Some((&[number("index", 1, 10), optional(name("name"))], smtp::write_file)),
        execute: Some(smtp::clear_files),
        ..ROW
    },
    Command {
        name: "+SMTPSEND",
        summary: "sends the mail",
        source: "note §3.2",
        read: Some(smtp::read_sending),
        execute: Some(smtp::send),
        ..ROW
    },
    Command {
        name: "+SMTPSTOP",
        summary: "aborts the sending",
        source: "note §3.3",
        execute: Some(smtp::stop),
        ..ROW
    },
    Command {
        name: "+POP3SRV",
        summary: "the POP3 server and the account there",
        source: "note §2",
        test: Some("(1-65535)"),
        read: Some(pop3::read_account),
        write: Some((
            &[
                text("server", 1, 128),
                text("user", 1, 128),
                secret(text("password", 0, 128)),
                optional(number("port", 1, 65_535)),
            ],
            pop3::write_account,
        )),
        execute: Some(pop3::clear_account),
        ..ROW
    },
    Command {
        name: "+POP3IN",
        summary: "opens a session and logs in",
        source: "note §4.2",
        read: Some(pop3::read_session),
        execute: Some(pop3::log_in),
        ..ROW
    },
    Command {
        name: "+POP3NUM",
        summary: "how many mails there are, and their octets",
        source: "note §4.2",
        execute: Some(pop3::count),
        ..ROW
    },
    Command {
        name: "+POP3LIST",
        summary: "the octets of a mail, or of each",
        source: "note §4.3",
        write: Some((&[MAIL_ID], pop3::list_one)),
        execute: Some(pop3::list_all),
        ..ROW
    },
    Command {
        name: "+POP3HDR",
        summary: "who wrote a mail, when, and about what",
        source: "note §4.3",
        write: Some((&[MAIL_ID], pop3::header)),
        ..ROW
    },
    Command {
        name: "+POP3GET",
        summary: "saves a mail: 1 text and attachments, 2 the message as it came, 3 both",
        source: "note §4.4",
        write: Some((&[MAIL_ID, optional(number("type", 1, 3))], pop3::get)),
        ..ROW
    },
    Command {
        name: "+POP3DEL",
        summary: "marks a mail, to be deleted by AT+POP3OUT",
        source: "note §4.5",
        write: Some((&[MAIL_ID], pop3::delete)),
        ..ROW
    },
    Command {
        name: "+POP3OUT",
        summary: "ends the session, and deletes what is marked",
        source: "note §4.2",
        execute: Some(pop3::log_out),
        ..ROW
    },
    Command {
        name: "+POP3STOP",
        summary: "breaks the session off; nothing is deleted",
        source: "note §4.6",
        execute: Some(pop3::stop),
        ..ROW
    },
    Command {
        name: "+POP3READ",
        summary: "shows the mail saved last, or a file of drive 0 C: or 1 D:",
        source: "note §4.7",
        write: Some((&[number("drive", 0, 1), text("folder/file", 1, 254)], pop3::read_one)),
        execute: Some(pop3::read_last),
        ..ROW
    },
    Command {
        name: "+MAILERR",
        summary: "the last result code of a mail or session that was no SUCCESS, and why",
        source: "mailmodem's own",
        read: Some(general::read_last_failure),
        ..ROW
    },
    Command {
        name: "+FSCD",
        summary: "changes the current folder",
        source: "commands.md §4",
        read: Some(files::read_folder),
        write: Some((&[name("path")], files::change_folder)),
        ..ROW
    },
    Command {
        name: "+FSLS",
        summary: "lists the current folder: 0 all, 1 folders, 2 files",
        source: "commands.md §4",
        test: Some("(0-2)"),
        read: Some(files::count),
        write: Some((&[number("which", 0, 2)], files::list)),
        execute: Some(files::list),
        ..ROW
    },
    Command {
        name: "+FSLOCA",
        summary: "the drive that mails are saved on: 0 C:, 1 D:",
        source: "commands.md §4",
        test: Some("(0,1)"),
        read: Some(files::read_location),
        write: Some((&[number("drive", 0, 1)], files::write_location)),
        ..ROW
    },
    Command {
        name: "+FSMKDIR",
        summary: "makes a folder",
        source: "commands.md §4",
        write: Some((&[name("folder")], files::make_folder)),
        ..ROW
    },
    Command {
        name: "+FSRMDIR",
        summary: "removes an empty folder",
        source: "commands.md §4",
        write: Some((&[name("folder")], files::remove_folder)),
        ..ROW
    },
    Command {
        name: "+FSDEL",
        summary: "deletes a file, or every file of the current folder: *.*",
        source: "commands.md §4",
        write: Some((&[name("file")], files::delete)),
        ..ROW
    },
    Command {
        name: "+FSRENAME",
        summary: "gives a file or folder another name; never replaces anything",
        source: "commands.md §4",
        write: Some((&[name("old"), name("new")], files::rename)),
        ..ROW
    },
    Command {
        name: "+FSATTRI",
        summary: "a file's octets, and when it was last written",
        source: "commands.md §4",
        write: Some((&[name("file")], files::attributes)),
        ..ROW
    },
    Command {
        name: "+FSMEM",
        summary: "octets that each drive may hold, and holds",
        source: "commands.md §4",
        read: Some(files::memory),
        execute: Some(files::memory),
        ..ROW
    },
    Command {
        name: "+FSCOPY",
        summary: "copies a file, telling how many per cent are done; never replaces anything",
        source: "commands.md §4",
        write: Some((&[name("from"), name("to")], files::copy)),
        ..ROW
    },
    Command {
        name: "+FSFMT",
        summary: "empties the storage card, and makes its first folders",
        source: "commands.md §4",
        execute: Some(files::format_card),
        ..ROW
    },
    Command {
        name: "+CFTRANRX",
        summary: "takes a file of so many octets, typed behind the prompt",
        source: "commands.md §4",
        write: Some((&[name("file"), number("length", 0, FILE_OCTETS_MAX)], transfer::take_octets)),
        ..ROW
    },
    Command {
        name: "+CFTRANTX",
        summary: "shows a file in portions, each behind its count of octets",
        source: "commands.md §4",
        write: Some((&[name("file")], transfer::show_octets)),
        ..ROW
    },
    Command {
        name: "+CRXFILE",
        summary: "receives a file by XMODEM",
        source: "commands.md §4",
        write: Some((&[name("file")], transfer::receive)),
        ..ROW
    },
    Command {
        name: "+CTXFILE",
        summary: "sends a file by XMODEM, in blocks of 128 octets, or of 1024 (1)",
        source: "commands.md §4",
        write: Some((
            &[name("file"), optional(number("kind", 0, 0)), optional(number("blocks", 0, 1))],
            transfer::send,
        )),
        ..ROW
    },
    Command {
        is_in_profile: false,
        ..kept(
            "+CMWAIT",
            &[number("seconds", 0, 60)],
            &["10"],
            "(0-60)",
            "how long an XMODEM transfer waits for the other side to begin; 0: as long as the protocol has it",
            "commands.md §4",
        )
    },
];
