//! The keys of the HTTP API, and who is let in without one.

use ringway_api::Access;

use super::*;

const SHOP: &str = "the-key-of-the-shop";

fn names(given: &Given<'_>, key: &str) -> Option<String> {
    match load(given).unwrap().checked.api {
        Access::Keys(keys) => keys.current().name_of(key.as_bytes()).map(str::to_owned),
        Access::Loopback => None,
    }
}

#[test]
fn keys_are_taken_from_everywhere() {
    let file = "[api]\nkeys = { shop = 'the-key-of-the-shop', billing = 'the-key-of-billing' }";
    let table = "[api.keys]\nshop = 'the-key-of-the-shop'";
    let environment = [("RINGWAY_API_KEYS", "billing=the-key-of-billing=, shop = the-key-of-the-shop")];
    let flags = [("--set", "api.keys", "shop=the-key-of-the-shop")];
    let cases = [
        Given { file, ..NOTHING },
        Given { file: table, ..NOTHING },
        Given { environment: &environment, ..NOTHING },
        Given { file: "[api]\nkeys = { old = 'another-key-of-the-shop' }", flags: &flags, ..NOTHING },
    ];
    for given in cases {
        assert_eq!(names(&given, SHOP).as_deref(), Some("shop"), "{}", given.file);
        assert_eq!(names(&given, "another-key-of-the-shop"), None, "{}", given.file);
    }
    assert!(matches!(load(&NOTHING).unwrap().checked.api, Access::Loopback));
}

#[test]
fn a_file_of_keys_wins_over_keys_that_count_less() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    fs::write(&keys, "# of the shop\nshop = the-key-of-the-shop\n").unwrap();
    let flags = [("--set", "api.keys_file", keys.to_str().unwrap())];
    let given = Given { file: "[api]\nkeys = { old = 'another-key-of-the-shop' }", flags: &flags, ..NOTHING };
    assert_eq!(names(&given, SHOP).as_deref(), Some("shop"));
    assert_eq!(names(&given, "another-key-of-the-shop"), None);
    fs::write(&keys, "nonsense").unwrap();
    let told = mistakes(&given);
    assert!(told[0].contains("api.keys_file") && told[0].ends_with("line 1 is not NAME = KEY"), "{told:?}");
}

#[test]
fn what_cannot_be_is_told_without_the_keys() {
    let expected =
        "expected a table of keys by their names, such as { shop = \"the output of openssl rand -hex 32\" }";
    check_file("[api]\nkeys = 'shop'", &[&format!("ringway.toml:2: api.keys = (hidden): {expected}")]);
    check_file("[api]\nkeys = { shop = 7 }", &[&format!("ringway.toml:2: api.keys = (hidden): {expected}")]);
    check_file(
        "[api]\nkeys = { shop = 'too-short' }",
        &[
            "ringway.toml:2: api.keys = { shop = \"(hidden)\" }: the key \"shop\" must be 16 to 1024 visible ASCII characters",
        ],
    );
    check_file(
        "[api]\nkeys = { a = 'the-key-of-the-shop', b = 'the-key-of-the-shop' }",
        &[
            "ringway.toml:2: api.keys = { a = \"(hidden)\", b = \"(hidden)\" }: the key \"b\" is the same as another one",
        ],
    );
    check_file(
        "[api]\nkeys = { a = 'the-key-of-the-shop' }\nkeys_file = 'x'",
        &["ringway.toml:3: api.keys_file = \"x\": api.keys is set too: leave one of them out"],
    );
}

#[test]
fn strangers_need_a_key() {
    let problem = "without api.keys or api.keys_file everybody could send: set one of them, or listen at a loopback \
                   address such as 127.0.0.1:8090";
    for (listen, open) in [
        ("127.0.0.1:1", true),
        ("127.9.9.9:1", true),
        ("[::1]:1", true),
        ("0.0.0.0:1", false),
        ("10.0.0.1:1", false),
    ] {
        let file = format!("[api]\nlisten = '{listen}'");
        match open {
            true => assert!(load(&Given { file: &file, ..NOTHING }).is_ok(), "{listen}"),
            false => check_file(&file, &[&format!("ringway.toml:2: api.listen = \"{listen}\": {problem}")]),
        }
        let file = format!("{file}\nkeys = {{ shop = '{SHOP}' }}");
        assert!(load(&Given { file: &file, ..NOTHING }).is_ok(), "{listen}");
    }
}

#[test]
fn a_certificate_comes_with_its_key() {
    check_file(
        "[api.tls]\ncert_file = 'x'",
        &["ringway.toml:2: api.tls.cert_file = \"x\": api.tls.key_file is missing: set both or neither"],
    );
    check_file(
        "[api.tls]\nkey_file = 'x'",
        &["ringway.toml:2: api.tls.key_file = \"x\": api.tls.cert_file is missing: set both or neither"],
    );
    let told = mistakes(&Given {
        file: "[api.tls]\ncert_file = '/nonexistent'\nkey_file = '/nonexistent'",
        ..NOTHING
    });
    assert!(
        told[0].starts_with("ringway.toml:2: api.tls.cert_file = \"/nonexistent\": /nonexistent: "),
        "{told:?}"
    );
}
