//! The upstream map as its owner sees it: rules, and what is explained of them.

#![allow(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

use mailmodem::config::Config;
use mailmodem::flags::{ExplainFlags, ProtocolFlag};
use mailmodem::upstream::explain;
use std::fs;
use std::path::Path;

const CONFIG: &str = r#"
[[line]]
name = "bench"
port = "tcp:127.0.0.1:0"
upstream = "sandbox"
[[line]]
name = "panel"
port = "stdio"
upstream = "direct"

[[upstream]]
name = "fire"
match = { protocol = "smtp", server = "smtp.server.com", recipient = "*@fire.example" }
host = "smtp.fire.example"
port = 587
tls = "required"
user = "panel"
password = "tiger"
from = "panel@fire.example"
original_sender = "reply-to"
more_recipients = ["archive@fire.example"]
subject_prefix = "[4] "
delivery = "queued"

[[upstream]]
name = "provider"
match = { server = "smtp.server.com", port = 25, user = "UserName" }
host = "smtp.example.com"
port = 465

[[upstream]]
name = "local"
match = { server = ["pop.*", "mail.*"] }
deliver = "sandbox"
"#;

fn config() -> Config {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mailmodem.toml");
    fs::write(&file, CONFIG).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Config::read(&file, Path::new("/data")).unwrap()
}

fn flags(server: &str) -> ExplainFlags {
    ExplainFlags {
        server: server.to_owned(),
        user: None,
        protocol: None,
        line: None,
        sender: None,
        recipients: Vec::new(),
        config: None,
    }
}

#[test]
fn every_rule_is_explained() {
    for (flags, words) in [
        (
            ExplainFlags { recipients: vec!["duty@fire.example".to_owned()], ..flags("smtp.server.com:25") },
            "smtp.server.com:25 by SMTP on line panel\n\
             \x20 by        upstream fire (rule 1 of 3)\n\
             \x20 calls     smtp.fire.example:587\n\
             \x20 TLS       by STARTTLS; nothing is sent without, for a certificate for smtp.fire.example of an authority that this machine trusts\n\
             \x20 log-in    as panel, by the password of the config\n\
             \x20 sender    panel@fire.example; the terminal's stands in Reply-To\n\
             \x20 to        as the terminal says, and archive@fire.example\n\
             \x20 subject   begins with \"[4] \"\n\
             \x20 SUCCESS   is told when the mail is safe on this machine's disk; it is sent then\n",
        ),
        (
            ExplainFlags { user: Some("UserName".to_owned()), ..flags("SMTP.server.com") },
            "SMTP.server.com:25 by SMTP on line panel, user UserName\n\
             \x20 by        upstream provider (rule 2 of 3)\n\
             \x20 calls     smtp.example.com:465\n\
             \x20 TLS       from the first octet, for a certificate for smtp.example.com of an authority that this machine trusts\n\
             \x20 log-in    as UserName, as the terminal says\n\
             \x20 SUCCESS   is told when the server has the mail\n",
        ),
        (
            flags("pop.server.com:110"),
            "pop.server.com:110 by POP3 on line panel\n\
             \x20 by        upstream local (rule 3 of 3)\n\
             \x20 goes to   the line's sandbox: nothing leaves this machine\n",
        ),
        (
            flags("smtp.server.com:25"),
            "smtp.server.com:25 by SMTP on line panel\n\
             \x20 by        no upstream: none of the rules matches, and it goes to where it is named\n\
             \x20 calls     smtp.server.com:25\n\
             \x20 TLS       by STARTTLS, where it is offered, for a certificate for smtp.server.com of an authority that this machine trusts\n\
             \x20 log-in    as the terminal says; no password goes in clear, but to this machine itself\n\
             \x20 SUCCESS   is told when the server has the mail\n",
        ),
        (
            ExplainFlags { line: Some("bench".to_owned()), protocol: Some(ProtocolFlag::Pop3), ..flags("a") },
            "a:110 by POP3 on line bench\n\
             \x20 goes to   the line's sandbox, since upstream = \"sandbox\" there: nothing leaves this machine\n",
        ),
    ] {
        assert_eq!(explain(&config(), flags).unwrap(), words);
    }
}

#[test]
fn a_call_that_cannot_be_is_told_so() {
    for (flags, words) in [
        (ExplainFlags { line: Some("cellar".to_owned()), ..flags("a") }, "there are bench, panel"),
        (flags("a:smtp"), "smtp is no port"),
        (flags(":25"), "no server"),
    ] {
        assert!(explain(&config(), flags).unwrap_err().to_string().contains(words), "{words}");
    }
}

#[test]
fn no_secret_is_in_what_a_panic_would_tell() {
    let told = format!("{:?}", config());
    assert!(told.contains("smtp.fire.example") && !told.contains("tiger"), "{told}");
}
