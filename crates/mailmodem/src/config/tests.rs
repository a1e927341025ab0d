use super::*;
use serde::de::DeserializeOwned;

const EXAMPLE: &str = include_str!("../../../../packaging/mailmodem.example.toml");

fn parse(text: &str) -> Result<Config, Mistake> {
    Config::parse(text, Path::new("/data"))
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
        (&example, keys::<ConfigTable>()),
        (example["logging"].as_table().unwrap(), keys::<Logging>()),
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
    const LINE: &str = "[[line]]\nname = \"a\"\nport = \"stdio\"\nupstream = \"direct\"\n";
    for (text, (line, column), words) in [
        (String::new(), (1, 1), "[[line]]"),
        (format!("{LINE}prot = \"x\""), (5, 1), "unknown key \"prot\"; did you mean \"port\"?"),
        (
            format!("{LINE}[line.modem.limits]\nline_octet_max = 1"),
            (6, 1),
            "did you mean \"line_octets_max\"?",
        ),
        (format!("{LINE}[loging]\n"), (5, 2), "did you mean \"logging\"?"),
        (LINE.replace("direct", "sandbx"), (4, 12), "did you mean \"sandbox\"?"),
        (LINE.replace("stdio", "usb:1"), (3, 8), "tcp:ADDRESS:PORT"),
        (LINE.replace("upstream = \"direct\"", ""), (1, 1), "upstream"),
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
