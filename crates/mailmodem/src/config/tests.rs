use super::*;
use serde::de::DeserializeOwned;

const EXAMPLE: &str = include_str!("../../../../packaging/mailmodem.example.toml");

fn parse(text: &str) -> Result<Config, Mistake> {
    let place = Place { data_dir: Path::new("/data"), directory: Path::new("/etc"), told_to_others: None };
    Config::parse(text, place)
}

fn parsed_line(text: &str) -> LineConfig {
    let config = parse(text).unwrap_or_else(|mistake| panic!("{}", mistake.words));
    config.lines.into_values().next().unwrap()
}

/// What a config with a mistake is told: its place, and words.
fn told(text: &str) -> (usize, usize, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mailmodem.toml");
    fs::write(&file, text).unwrap();
    match Config::read(&file, Path::new("/data")) {
        Err(ConfigError::Wrong { line, column, words, .. }) => (line, column, words),
        other => panic!("{text}: {other:?}"),
    }
}

/// The example with every setting in effect.
fn in_effect() -> String {
    let is_setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
    let lines = EXAMPLE.lines().map(|line| if is_setting(line) { &line[1..] } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_says_what_is_so_when_nothing_is_said() {
    let plain = parse(EXAMPLE).unwrap_or_else(|mistake| panic!("{}", mistake.words));
    let full = parse(&in_effect()).unwrap_or_else(|mistake| panic!("{}", mistake.words));
    assert_eq!(full.logging, plain.logging);
    assert_eq!(full.queue, Some(queue::Settings::new("/var/lib/mailmodem/queue".into())));
    assert_eq!(full.queue, plain.queue);
    let (plain, full) = (&plain.lines["panel"], &full.lines["panel"]);
    assert_eq!(plain.settings, Settings::default());
    assert_eq!(full.settings, plain.settings);
    assert_eq!((full.clock, full.upstream), (plain.clock, plain.upstream));
    assert_eq!(full.drive_c_octets_max, plain.drive_c_octets_max);
    assert_eq!([&plain.dir, &full.dir], [Path::new("/var/lib/mailmodem/panel"); 2]);
    let card = Card { dir: "/media/card/mailmodem".into(), octets_max: DRIVE_OCTETS_MAX };
    assert_eq!((&plain.card, &full.card), (&None, &Some(card)));
}

#[test]
fn the_example_has_every_key() {
    fn keys<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let error = toml::from_str::<T>("no_such_key = 0").unwrap_err();
        let words = error.message().split('`').skip(1).step_by(2);
        words.skip(1).map(str::to_owned).collect()
    }
    let example: toml::Table = toml::from_str(&in_effect()).unwrap();
    let line = example["line"][0].as_table().unwrap();
    let modem = example["modem"].as_table().unwrap();
    for (table, keys) in [
        // Told by a test of its own.
        (&example, keys::<ConfigTable>().into_iter().filter(|key| key != "upstream").collect()),
        (example["logging"].as_table().unwrap(), keys::<Logging>()),
        (example["queue"].as_table().unwrap(), keys::<tables::QueueTable>()),
        (line, keys::<LineTable>()),
        (line["card"].as_table().unwrap(), keys::<tables::CardTable>()),
        (modem, keys::<tables::ModemTable>()),
        (modem["identity"].as_table().unwrap(), keys::<tables::IdentityTable>()),
        (modem["limits"].as_table().unwrap(), keys::<tables::LimitsTable>()),
    ] {
        assert!(!keys.is_empty());
        for key in keys {
            assert!(table.contains_key(&key), "the example lacks {key}");
        }
    }
}

/// An upstream has keys of which only one may be there, so that none of its example is in effect.
#[test]
fn the_example_names_every_key_of_an_upstream() {
    fn keys<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let error = toml::from_str::<T>("no_such_key = 0").unwrap_err();
        error.message().split('`').skip(1).step_by(2).skip(1).map(str::to_owned).collect()
    }
    let (_, section) = EXAMPLE.split_once("# [[upstream]]").unwrap();
    let keys_of_upstream = keys::<upstream::UpstreamTable>();
    assert!(keys_of_upstream.len() > 20);
    for key in keys_of_upstream {
        assert!(section.contains(&format!("\n# {key} = ")), "the example lacks {key}");
    }
    for key in keys::<upstream::MatchTable>() {
        assert!(section.contains(&format!("{key} = ")), "the example lacks match.{key}");
    }
}

#[test]
fn a_line_s_own_settings_come_before_the_common_ones() {
    let line = parsed_line(
        "[modem]\nboot_urcs = true\nclock = \"unset\"\nidentity.model = \"A\"\n\
         [[line]]\nname = \"a\"\nport = \"stdio\"\nupstream = \"direct\"\ndir = \"/elsewhere\"\n\
         [line.modem]\nclock = \"system\"\nidentity.imei = \"123456789012345\"",
    );
    assert!(line.settings.boot_urcs);
    assert_eq!(line.clock, Clock::System);
    assert_eq!(
        (line.settings.identity.model.as_str(), line.settings.identity.imei.as_str()),
        ("A", "123456789012345")
    );
    assert_eq!(line.dir, Path::new("/elsewhere"));
    let nothing_said = parsed_line("[[line]]\nname = \"a\"\nport = \"stdio\"\nupstream = \"direct\"\n");
    assert_eq!(nothing_said.dir, Path::new("/data/a"));
}

#[test]
fn says_where_a_mistake_is_and_what_to_do() {
    let upstream = format!("{LINE}[[upstream]]\nname = \"u\"\n");
    for (text, (line, column), words) in [
        (String::new(), (1, 1), "[[line]]"),
        (format!("{LINE}prot = \"x\""), (5, 1), "unknown key \"prot\"; did you mean \"port\"?"),
        (
            format!("{LINE}[line.modem.limits]\nline_octet_max = 1"),
            (6, 1),
            "did you mean \"line_octets_max\"?",
        ),
        (format!("{LINE}[loging]\n"), (5, 2), "did you mean \"logging\"?"),
        (
            format!("{LINE}delivery = \"queued\""),
            (5, 1),
            "unknown key \"delivery\"; it stands in [[upstream]].",
        ),
        (format!("{LINE}imei = \"1\""), (5, 1), "it stands in [modem.identity]"),
        (format!("{LINE}data_dir = \"/x\""), (5, 1), "above every [table]"),
        (format!("{upstream}deliver = \"queued\""), (7, 11), "that is delivery = \"queued\""),
        (format!("{upstream}port = \"465\""), (7, 8), "a number from 0 to 65535, without quotes"),
        (format!("{upstream}host = \"smtps://a.example\""), (6, 8), "a server's name or address alone"),
        (format!("{upstream}from = \"panel\""), (6, 8), "it has no @"),
        (format!("{upstream}original_sender = \"field\""), (6, 8), "from is missing"),
        (
            format!("{upstream}match = {{ server = \"a.example:25\" }}"),
            (6, 8),
            "server = \"a.example\", port = 25",
        ),
        (
            format!("{upstream}match = {{ protocol = \"pop3\" }}\ndelivery = \"queued\"\nuser = \"\""),
            (6, 8),
            "POP3 knows no session without a log-in",
        ),
        (LINE.replace("[[line]]", "[line]"), (1, 1), "in two brackets, [[line]]"),
        (LINE.replace("direct", "sandbx"), (4, 12), "did you mean \"sandbox\"?"),
        (LINE.replace("stdio", "usb:1"), (3, 8), "tcp:ADDRESS:PORT"),
        (
            LINE.replace("upstream = \"direct\"", ""),
            (1, 1),
            "the key \"upstream\" is missing here: \"direct\" leads",
        ),
        (LINE.replace("name = \"a\"", ""), (1, 1), "the key \"name\" is missing here: a word"),
        (LINE.replace("\"a\"", "\"../a\""), (2, 8), "directory"),
        (format!("{LINE}[line.modem]\nidentity.imei = \"12\""), (6, 17), "15 digits"),
        (format!("{LINE}[line.modem]\nhello_name = \"a b\""), (6, 14), "EHLO"),
        (format!("{LINE}[line.modem]\nidentity.model = \"\\n\""), (6, 18), "ASCII"),
        (format!("{LINE}[line.modem.limits]\nline_octets_max = 1"), (6, 19), "256 to 65536"),
        (format!("{LINE}{LINE}"), (6, 8), "two lines of the name \"a\""),
        (format!("{LINE}{}", LINE.replace("\"a\"", "\"b\"")), (6, 8), "have the same port"),
        ("[[line]\n".to_owned(), (1, 8), ""),
    ] {
        let told = told(&text);
        assert_eq!((told.0, told.1), (line, column), "{text}: {}", told.2);
        assert!(told.2.contains(words), "{text}: {}", told.2);
    }
}

#[test]
fn two_lines_may_have_any_free_port_but_not_one_directory() {
    let two = |dirs: [&str; 2]| {
        let line = |name, dir| {
            format!(
                "[[line]]\nname = \"{name}\"\ndir = \"{dir}\"\nport = \"tcp:127.0.0.1:0\"\nupstream = \"sandbox\"\n"
            )
        };
        parse(&format!("{}{}", line("a", dirs[0]), line("b", dirs[1])))
    };
    assert_eq!(two(["x", "y"]).unwrap_or_else(|mistake| panic!("{}", mistake.words)).lines.len(), 2);
    assert!(two(["x", "/data/x"]).is_err_and(|mistake| mistake.words.contains("same dir")));
}

const LINE: &str = "[[line]]\nname = \"a\"\nport = \"stdio\"\nupstream = \"direct\"\n";

#[test]
fn what_is_well_and_probably_not_meant_is_told() {
    let doubts = |rules: &str| {
        let config = parse(&format!("{LINE}{rules}")).map_err(|mistake| mistake.words).unwrap();
        config.upstreams.doubts(["a"]).join("\n")
    };
    let rule = |name: &str, keys: &str| format!("[[upstream]]\nname = \"{name}\"\n{keys}\n");
    for (rules, words) in [
        (rule("u", "verify = false"), "upstream u has verify = false"),
        (rule("u", "port = 465\ntls = \"required\""), "TLS from the first octet"),
        (rule("u", "port = 587\ntls = \"implicit\""), "has tls = \"implicit\" at a port"),
        (rule("u", "match = { line = \"panel*\" }"), "takes no call: there is no line panel*"),
        (
            rule("all", "") + &rule("u", "match = { protocol = \"smtp\" }"),
            "upstream u takes no call: all before it",
        ),
        (
            rule("out", "match = { protocol = \"smtp\" }")
                + &rule("u", "match = { protocol = \"smtp\", port = 25 }"),
            "upstream u takes no call: out before it",
        ),
    ] {
        let doubts = doubts(&rules);
        assert!(doubts.contains(words) && doubts.lines().count() == 1, "{rules}{doubts}");
    }
    for rules in [
        rule("out", "match = { protocol = \"smtp\" }") + &rule("in", "match = { protocol = \"pop3\" }"),
        rule("out", "match = { protocol = \"smtp\" }") + &rule("all", ""),
        rule("some", "match = { port = 25 }") + &rule("all", ""),
        rule("u", "port = 465\ntls = \"implicit\"\nmatch = { line = [\"A\", \"b\"] }"),
        rule("u", "port = 25\ntls = \"off\"\nmatch = { line = \"console\" }"),
    ] {
        assert_eq!(doubts(&rules), "", "{rules}");
    }
}

/// The upstream of these keys.
fn upstream(keys: &str) -> Result<std::sync::Arc<Upstream>, String> {
    let config = parse(&format!("{LINE}[[upstream]]\nname = \"u\"\n{keys}"));
    config.map(|config| config.upstreams.named("u").unwrap().clone()).map_err(|mistake| mistake.words)
}

#[test]
fn an_upstream_is_what_it_says() {
    use crate::upstream::{Deliver, Delivery, LogIn, TlsMode};
    use mail::sasl::Mechanism;
    use modem::route::OriginalSender;

    assert_eq!(*upstream("").unwrap(), Upstream { name: "u".to_owned(), ..Upstream::default() });
    let said = upstream(
        "match = { server = [\"a\", \"b.*\"], port = 25 }\nhost = \"c\"\nport = 2525\ntls = \"required\"\n\
         user = \"me\"\npassword = \"secret\"\nmechanism = \"cram-md5\"\nfrom = \"x@y\"\n\
         original_sender = \"reply-to\"\nrecipients = [\"r@s\"]\nsubject_prefix = \"[p] \"\ndelivery = \"queued\"",
    )
    .unwrap();
    assert!(said.matching.server.as_ref().unwrap().matches("b.example"));
    assert_eq!((said.host.as_deref(), said.port, said.tls), (Some("c"), Some(2525), Some(TlsMode::Required)));
    assert!(matches!(&said.log_in, LogIn::Password(credentials) if credentials.user == b"me"));
    assert_eq!(said.mechanism, Some(Mechanism::CramMd5));
    assert_eq!(said.rewriting.original_sender, OriginalSender::ReplyTo);
    assert_eq!((said.deliver, said.delivery), (Deliver::Network, Delivery::Queued));
    assert_eq!(upstream("user = \"\"").unwrap().log_in, LogIn::Nobody);
    assert!(!format!("{said:?}").contains("secret"));
}

#[test]
fn an_upstream_that_cannot_be_meant_is_none() {
    for (keys, words) in [
        ("user = \"me\"", "without a password"),
        ("password = \"x\"", "without a user"),
        ("user = \"me\"\npassword = \"x\"\npassword_file = \"y\"", "take one"),
        ("user = \"me\"\npassword_file = \"/nowhere/at/all\"", "/nowhere/at/all"),
        ("user = \"me\"\npassword = \"a\\nb\"", "LF"),
        ("delivery = \"queued\"", "not kept"),
        ("from = \"nobody\\n@x\"", "no address"),
        ("user = \"me\"\ntoken_file = \"x\"\ntoken_command = \"y\"", "take one"),
        ("user = \"me\"\ntoken_file = \"x\"\npassword = \"y\"", "one of them"),
        ("token_file = \"x\"", "without a user"),
        ("user = \"me\"\noauth = { client_id = \"x\" }", "Name a provider"),
        ("user = \"me\"\noauth = { client = \"x\" }", "did you mean \"client_id\"?"),
        ("recipients = []", "empty"),
        ("subject_prefix = \"\u{fc}\"", "ASCII"),
        ("from_name = \"x\"", "from_name"),
        ("verify = false\nca_file = \"x\"", "three ways"),
        ("ca_file = \"/nowhere/at/all\"", "/nowhere/at/all"),
        ("pins = [\"x\"]", "sha256//"),
        ("mechanism = \"NTLM\"", "no mechanism"),
        ("tls = \"starttls\"", "did you mean \"required\"?"),
        ("host = \"smtp.example.com:465\"", "port = 465"),
        ("hots = \"x\"", "did you mean \"host\"?"),
        ("match = { sever = \"x\" }", "did you mean \"server\"?"),
        ("name = \"v\"", "duplicate key"),
    ] {
        match upstream(keys) {
            Err(told) => assert!(told.contains(words), "{keys}: {told}"),
            Ok(upstream) => panic!("{keys}: {upstream:?}"),
        }
    }
    let two = format!("{LINE}[[upstream]]\nname = \"u\"\n[[upstream]]\nname = \"u\"\n");
    assert!(parse(&two).is_err_and(|mistake| mistake.words.contains("two upstreams")));
}

#[test]
fn what_others_may_read_holds_no_password() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode| {
        let file = directory.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file
    };
    let inline = format!("{LINE}[[upstream]]\nname = \"u\"\nuser = \"me\"\npassword = \"secret\"\n");
    let by_file = inline.replace("password =", "password_file =");
    for (config_mode, file_mode, text, is_good) in [
        (0o644, 0o600, &inline, false),
        (0o640, 0o600, &inline, true),
        (0o644, 0o600, &by_file, true),
        (0o644, 0o604, &by_file, false),
    ] {
        write("secret", "tiger\n", file_mode);
        let file = write("mailmodem.toml", text, config_mode);
        match Config::read(&file, Path::new("/data")) {
            Ok(_) => assert!(is_good, "{config_mode:o} {file_mode:o}"),
            Err(error) => {
                assert!(!is_good, "{error}");
                assert!(error.to_string().contains("chmod o= "), "{error}");
            }
        }
    }
}

#[test]
fn a_queue_is_bounded_and_has_a_directory_to_itself() {
    const LINE: &str = "[[line]]\nname = \"queue\"\nport = \"stdio\"\nupstream = \"direct\"\n";
    let (line, _, words) = told(LINE);
    assert_eq!(line, 2);
    assert!(words.contains("is where mail is queued"), "{words}");
    let elsewhere = LINE.to_owned() + "dir = \"elsewhere\"\n";
    for (key, is_well) in [
        ("deadline_h = 0", false),
        ("deadline_h = 8_784", true),
        ("deadline_h = 8_785", false),
        ("retry_wait_min_s = 0", false),
        ("retry_wait_max_s = 86_401", false),
        ("mails_max = 0", false),
        ("octets_max = 0", false),
        ("when_fate_unknown = \"resend\"", true),
    ] {
        assert_eq!(parse(&format!("{elsewhere}[queue]\n{key}\n")).is_ok(), is_well, "{key}");
    }
    let config = parse(&format!("{elsewhere}[queue]\nretry_wait_min_s = 7_200\n"));
    let queue = config.unwrap_or_else(|mistake| panic!("{}", mistake.words)).queue.unwrap();
    assert_eq!(queue.retry_wait_max, queue.retry_wait_min, "a wait does not become shorter");
}

#[test]
fn the_queue_of_a_config_is_known_without_its_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mailmodem.toml");
    let text = "data_dir = \"/data\"\n[[line]]\nname = \"a\"\nport = \"stdio\"\nupstream = \"direct\"\n\
                [[upstream]]\nname = \"up\"\nuser = \"me\"\npassword_file = \"not-there\"\n";
    fs::write(&file, text).unwrap();
    assert!(Config::read(&file, Path::new("/else")).is_err());
    let queue = Config::read_queue(&file, Path::new("/else")).unwrap();
    assert_eq!(queue, queue::Settings::new("/data/queue".into()));
}
