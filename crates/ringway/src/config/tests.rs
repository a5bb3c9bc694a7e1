//! Each kind of mistake with its exact text, who wins over whom, and that what is written about the settings is true.

mod api;
mod bridge;
mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::value::Value;
use super::*;

const SECRET: &str = "0123456789abcdef";

struct Given<'a> {
    file: &'a str,
    environment: &'a [(&'a str, &'a str)],
    flags: &'a [Flag<'a>],
    role: Role,
}

const NOTHING: Given<'_> = Given { file: "", environment: &[], flags: &[], role: Role::Any };

/// Loads; in messages the file is called `ringway.toml`.
fn load(given: &Given<'_>) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ringway.toml");
    fs::write(&path, given.file).unwrap();
    let environment = given.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let flag = |(flag, key, text): &(&str, &str, &str)| FlagSetting {
        flag: (*flag).to_owned(),
        key: (*key).to_owned(),
        text: (*text).to_owned(),
    };
    let flags = given.flags.iter().map(flag).collect();
    let loaded = Config::load(Sources { file: Some(path), environment, flags }, given.role);
    loaded.map_err(|mistakes| mistakes.to_string().replace(&format!("{}/", directory.path().display()), ""))
}

fn mistakes(given: &Given<'_>) -> Vec<String> {
    let text = load(given).expect_err("there is a mistake");
    text.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

fn check_file(file: &str, expected: &[&str]) {
    assert_eq!(mistakes(&Given { file, ..NOTHING }), expected, "{file}");
}

#[test]
fn an_empty_file_is_the_defaults() {
    let settings = load(&NOTHING).unwrap().settings;
    assert_eq!(settings.gateway.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.gateway.ping_interval, Duration::from_secs(25));
    assert_eq!(settings.sessions.per_user_max, None);
    assert_eq!(settings.limits.message_bytes_max.0, 1 << 20);
}

#[test]
fn a_key_that_is_none_is_refused_with_the_one_that_was_meant() {
    check_file(
        "[gateway]\nlsiten = '127.0.0.1:1'",
        &["ringway.toml:2: there is no key gateway.lsiten: did you mean gateway.listen?"],
    );
    check_file("[gatway]\nlisten = 1", &["ringway.toml:1: there is no key gatway: did you mean gateway?"]);
    check_file(
        "[sessions]\nmessage_bytes_max = 1",
        &[
            "ringway.toml:2: there is no key sessions.message_bytes_max: did you mean limits.message_bytes_max?",
        ],
    );
    check_file(
        "colour = 'red'",
        &["ringway.toml:1: there is no key colour: docs/configuration.md lists those that there are"],
    );
}

/// Files, each with what is wrong with its last line.
const WRONG_TYPES: [(&str, &str); 18] = [
    (
        "[client]\njoin = 'room-*'",
        "client.join = \"room-*\": expected a list of names and patterns, such as [\"room-*\"]",
    ),
    (
        "[client]\nwatch = [7]",
        "client.watch = [7]: expected a list of names and patterns, such as [\"room-*\"]",
    ),
    (
        "[client]\nsend_users = ['*-room']",
        "client.send_users = [\"*-room\"]: expected a list of names and patterns, such as [\"room-*\"] (a pattern has a `*` before its end; the only `*` stands last, as in `room-*`)",
    ),
    (
        "[gateway]\nlisten = 'localhost'",
        "gateway.listen = \"localhost\": expected an IP address with a port, such as \"127.0.0.1:8080\"",
    ),
    (
        "[gateway]\nlisten = 8080",
        "gateway.listen = 8080: expected an IP address with a port, such as \"127.0.0.1:8080\"",
    ),
    (
        "[gateway]\nopen_deadline = 5",
        "gateway.open_deadline = 5: expected a duration with its unit, such as \"250ms\", \"10s\" or \"5m\"",
    ),
    (
        "[gateway]\nopen_deadline = 'soon'",
        "gateway.open_deadline = \"soon\": expected a duration with its unit, such as \"250ms\", \"10s\" or \"5m\"",
    ),
    (
        "[gateway]\nlinks_per_worker = '2'",
        "gateway.links_per_worker = \"2\": expected a whole number, such as 16",
    ),
    (
        "[gateway]\nlinks_per_worker = -1",
        "gateway.links_per_worker = -1: expected a whole number, such as 16",
    ),
    (
        "[gateway]\nlinks_per_worker = 2.5",
        "gateway.links_per_worker = 2.5: expected a whole number, such as 16",
    ),
    ("[worker]\necho = 'yes'", "worker.echo = \"yes\": expected true or false, such as true"),
    (
        "[limits]\nmessage_bytes_max = '1MB'",
        "limits.message_bytes_max = \"1MB\": expected a number of bytes, such as \"64KiB\"",
    ),
    (
        "[sessions]\non_slow_consumer = 'wait'",
        "sessions.on_slow_consumer = \"wait\": expected \"close\" or \"drop_oldest\", such as \"close\"",
    ),
    (
        "[cluster]\nstrategy = 'maglev'",
        "cluster.strategy = \"maglev\": expected \"slots\" or \"hashring\", such as \"slots\"",
    ),
    ("[auth]\nsources = 'bearer'", "auth.sources = \"bearer\": expected a list, such as [\"query:token\"]"),
    (
        "[auth]\nsources = [\n'bearer', 'header:x']",
        "auth.sources[1] = \"header:x\": expected \"bearer\", \"query:NAME\", \"subprotocol:PREFIX\" or \"cookie:NAME\", such as \"query:token\"",
    ),
    (
        "[gateway]\npaths = ['ws']",
        "gateway.paths[0] = \"ws\": expected a path that begins with \"/\" (exactly this one) or with \"*/\" (its end), such as \"*/ws\"",
    ),
    (
        "[node]\nrpc_listen = 1979-05-27",
        "node.rpc_listen = 1979-05-27: expected an IP address with a port, such as \"127.0.0.1:8080\"",
    ),
];

#[test]
fn a_value_of_another_type_is_refused() {
    for (file, expected) in WRONG_TYPES {
        let line = if file.contains("[\n") { 3 } else { 2 };
        check_file(file, &[&format!("ringway.toml:{line}: {expected}")]);
    }
    check_file("gateway = 3", &["ringway.toml:1: gateway = 3: expected a table, such as [gateway]"]);
}

#[test]
fn a_value_out_of_bounds_is_refused() {
    check_file(
        "[gateway]\nopen_deadline = '1ms'\nlinks_per_worker = 65",
        &[
            "ringway.toml:2: gateway.open_deadline = \"1ms\": expected a duration with its unit from 100ms to 5m",
            "ringway.toml:3: gateway.links_per_worker = 65: expected a whole number from 1 to 64",
        ],
    );
    check_file(
        "[sessions]\nper_user_max = 0\non_conflict = 'refuse'",
        &["ringway.toml:2: sessions.per_user_max = 0: expected a whole number from 1 to 100000"],
    );
}

#[test]
fn a_wait_that_outlasts_the_patience_of_gateways_is_refused() {
    let cases = [
        (
            "[handover]\nwait = '30s'",
            "ringway.toml:2: handover.wait = \"30s\": expected less than gateway.reopen_deadline, which is 30s",
        ),
        (
            "[gateway]\nreopen_deadline = '1s'",
            "handover.wait = \"3s\": expected less than gateway.reopen_deadline, which is 1s",
        ),
    ];
    cases.into_iter().for_each(|(file, expected)| check_file(file, &[expected]));
}

#[test]
fn who_is_online_is_written_nowhere_without_a_redis() {
    let missing = "ringway.toml:2: presence.export = \"redis\": without redis.url there is nowhere to write: set it, such as \"redis://10.0.0.6:6379\"";
    check_file("[presence]\nexport = 'redis'", &[missing]);
    let redis = mistakes(&Given { file: "[redis]\nurl = 'http://secret@x'", ..NOTHING });
    assert!(
        redis[0].contains("redis.url") && redis[0].contains("expected a redis:// or unix:// URL"),
        "{redis:?}"
    );
    assert!(!redis[0].contains("secret"), "{redis:?}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let cases = [
        (
            "[sessions]\nper_user_max = 1\non_conflict = 'allow'",
            "ringway.toml:3: sessions.on_conflict = \"allow\": it contradicts sessions.per_user_max = 1: expected \"replace_oldest\" or \"refuse\", or no per_user_max",
        ),
        (
            "[sessions]\nper_user_max = 1",
            "sessions.on_conflict = \"allow\": it contradicts sessions.per_user_max = 1: expected \"replace_oldest\" or \"refuse\", or no per_user_max",
        ),
        (
            "[sessions]\nqueue_bytes_max = '1MiB'",
            "ringway.toml:2: sessions.queue_bytes_max = 1048576: expected at least limits.message_bytes_max and 64 bytes, which is 1048640",
        ),
        (
            "[sessions]\nwindow_bytes = '5MiB'",
            "ringway.toml:2: sessions.window_bytes = 5242880: expected at most sessions.queue_bytes_max, which is 4194304",
        ),
        (
            "[gateway]\nping_interval = '2m'",
            "ringway.toml:2: gateway.ping_interval = \"2m\": expected less than gateway.idle_timeout, which is 1m",
        ),
        (
            "[log]\nfilter = 'a=b=c'",
            "ringway.toml:2: log.filter = \"a=b=c\": expected a level (off, error, warn, info, debug, trace), or levels for single parts such as \"info,ringway_gateway=debug\"",
        ),
        (
            "[gateway]\npaths = []",
            "ringway.toml:2: gateway.paths = []: expected at least one path, such as \"*/ws\"",
        ),
        (
            "[auth]\nsources = ['cookie:sid']",
            "ringway.toml:2: auth.sources = [\"cookie:sid\"]: with a cookie, every page could open a socket in its visitor's name: expected auth.origins to list the pages that may",
        ),
        (
            "[auth]\nmode = 'jwt'",
            "ringway.toml:2: auth.mode = \"jwt\": it needs a key: set one of auth.jwt.secret, auth.jwt.secret_file, auth.jwt.public_key_file, auth.jwt.jwks_file",
        ),
        (
            "[auth.jwt]\nsecret = 'x'",
            "ringway.toml:2: auth.jwt.secret = \"(hidden)\": auth.mode is \"plain\", which verifies nothing: set auth.mode = \"jwt\"",
        ),
        (
            "[cluster]\nsecret = 'short'",
            "ringway.toml:2: cluster.secret = \"(hidden)\": the cluster secret has 5 bytes; it must have 16 to 1024",
        ),
        (
            "[cluster]\nsecret_file = '/nonexistent'",
            "ringway.toml:2: cluster.secret_file = \"/nonexistent\": the file cannot be read: No such file or directory (os error 2)",
        ),
        (
            "[cluster]\nsecret = '0123456789abcdef'\nsecret_file = '/x'",
            "ringway.toml:3: cluster.secret_file = \"/x\": cluster.secret is set too: leave one of them out",
        ),
    ];
    for (file, expected) in cases {
        check_file(file, &[expected]);
    }
}

#[test]
fn files_and_keys_are_looked_into() {
    check_file(
        "[gateway.tls]\ncert_file = '/nonexistent.pem'",
        &[
            "ringway.toml:2: gateway.tls.cert_file = \"/nonexistent.pem\": gateway.tls.key_file is missing: set both or neither",
        ],
    );
    let told = mistakes(&Given {
        file: "[gateway.tls]\ncert_file = '/none.pem'\nkey_file = '/none.key'",
        ..NOTHING
    });
    assert!(
        told[0].starts_with("ringway.toml:2: gateway.tls.cert_file = \"/none.pem\": /none.pem: no cert"),
        "{told:?}"
    );
    let told = mistakes(&Given { file: "[auth]\nmode = 'jwt'\n[auth.jwt]\nsecret = 'tooshort'", ..NOTHING });
    assert!(told[0].starts_with("ringway.toml:4: auth.jwt.secret = \"(hidden)\": "), "{told:?}");
    assert!(!told[0].contains("tooshort"), "{told:?}");
    let told = mistakes(&Given { file: "[auth]\norigins = ['app.example.com']", ..NOTHING });
    assert!(told[0].starts_with("ringway.toml:2: auth.origins = [\"app.example.com\"]: "), "{told:?}");
}

#[test]
fn the_mistakes_of_members_name_the_member_and_the_field() {
    let file = "\
[[cluster.members]]
id = 'w1'
rpc_url = 'w1:7071'

[[cluster.members]]
id = 'w2'
rpcurl = 'http://w2:7071'
weight = 101

[[cluster.members]]
id = ''
rpc_url = 'https://w3:7071'
";
    check_file(
        file,
        &[
            "ringway.toml:3: cluster.members[0].rpc_url = \"w1:7071\": expected the URL of a node's gRPC server, such as \"http://10.0.0.1:7071\" (it does not begin with http://)",
            "ringway.toml:5: cluster.members[1].rpc_url is missing: expected the URL of a node's gRPC server, such as \"http://10.0.0.1:7071\"",
            "ringway.toml:7: cluster.members[1].rpcurl = \"http://w2:7071\": expected rpc_url (there is no key rpcurl)",
            "ringway.toml:8: cluster.members[1].weight = 101: expected a whole number from 0 to 100, such as 1",
            "ringway.toml:11: cluster.members[2].id = \"\": expected a node's name of 1 to 255 bytes without control characters, such as \"w1\"",
            "ringway.toml:12: cluster.members[2].rpc_url = \"https://w3:7071\": expected the URL of a node's gRPC server, such as \"http://10.0.0.1:7071\" (TLS between nodes is not supported yet)",
        ],
    );
    let twice =
        "[cluster]\nmembers = [{ id = 'a', rpc_url = 'http://a:1' }, { id = 'a', rpc_url = 'http://b:1' }]";
    let told = mistakes(&Given { file: twice, ..NOTHING });
    assert!(told[0].ends_with(": two workers have the id \"a\""), "{told:?}");
}

#[test]
fn every_syntax_error_is_told() {
    let told = mistakes(&Given { file: "[gateway]\nlisten = \npaths = ]\n", ..NOTHING });
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("ringway.toml:2: not TOML: "), "{told:?}");
    assert!(told[1].starts_with("ringway.toml:3: not TOML: "), "{told:?}");
}

#[test]
fn a_file_that_is_not_there_is_one_mistake() {
    let sources = Sources { file: Some(PathBuf::from("/nonexistent.toml")), ..Sources::default() };
    let text = Config::load(sources, Role::Any).unwrap_err().to_string();
    assert_eq!(
        text,
        "the configuration has a mistake:\n  /nonexistent.toml: No such file or directory (os error 2)"
    );
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "[sessions]\nmax = 1\n";
    let max = |environment, flags| {
        load(&Given { file, environment, flags, ..NOTHING }).unwrap().settings.sessions.max
    };
    assert_eq!(max(&[], &[]), 1);
    assert_eq!(max(&[("RINGWAY_SESSIONS_MAX", "2")], &[]), 2);
    assert_eq!(max(&[("RINGWAY_SESSIONS_MAX", "2")], &[("--set", "sessions.max", "3")]), 3);
    assert_eq!(max(&[("RINGWAY_SESSIONS_MAX", "")], &[]), 1, "an empty variable is none");
}

#[test]
fn it_wins_also_where_it_says_the_same_by_another_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, "of-the-file-0123456789").unwrap();
    let path = path.to_str().unwrap();
    let flag = [("--secret-file", "cluster.secret_file", path)];
    let variable = [("RINGWAY_CLUSTER_SECRET", SECRET)];
    let secret = |file, environment, flags| {
        let config = load(&Given { file, environment, flags, ..NOTHING }).unwrap();
        config.checked.secret.unwrap().expose().to_owned()
    };
    assert_eq!(secret("", &variable, &flag), "of-the-file-0123456789");
    assert_eq!(secret("[cluster]\nsecret_file = '/nonexistent'", &variable, &[]), SECRET);
    assert_eq!(secret("[cluster]\nsecret = 'of-the-config-0123'", &[], &flag), "of-the-file-0123456789");
    // Two of one source are a contradiction, and both are named.
    let environment = &[variable[0], ("RINGWAY_CLUSTER_SECRET_FILE", "/x")];
    assert_eq!(
        mistakes(&Given { environment, ..NOTHING }),
        [
            "environment variable RINGWAY_CLUSTER_SECRET_FILE: cluster.secret_file = \"/x\": cluster.secret is set too \
             (environment variable RINGWAY_CLUSTER_SECRET): leave one of them out"
        ]
    );
}

#[test]
fn what_could_not_be_read_contradicts_nothing() {
    let duration = "expected a duration with its unit, such as \"250ms\", \"10s\" or \"5m\"";
    for (file, expected) in [
        ("[gateway]\nping_interval = 5", format!("2: gateway.ping_interval = 5: {duration}")),
        (
            "[gateway]\nidle_timeout = 5\nping_interval = '2m'",
            format!("2: gateway.idle_timeout = 5: {duration}"),
        ),
        (
            "[sessions]\non_conflict = 'maybe'\nper_user_max = 1",
            "2: sessions.on_conflict = \"maybe\": expected \"allow\", \"replace_oldest\" or \"refuse\", such as \
             \"allow\""
                .to_owned(),
        ),
        (
            "[sessions]\non_conflict = 'refuse'\nper_user_max = 'one'",
            "3: sessions.per_user_max = \"one\": expected a whole number, such as 16".to_owned(),
        ),
        (
            "[limits]\nmessage_bytes_max = '1GiB'\n[sessions]\nqueue_bytes_max = '512KiB'",
            "2: limits.message_bytes_max = \"1GiB\": expected a number of bytes from 1 to 64MiB".to_owned(),
        ),
        (
            "[cluster]\nregistry = 'zookeeper'\n[gossip]\nseeds = ['10.0.0.1:7071']",
            "2: cluster.registry = \"zookeeper\": expected \"static\", \"gossip\", \"dns\", \"etcd\" or \"nacos\", \
             such as \"static\""
                .to_owned(),
        ),
        (
            "[auth]\nmode = 'oauth'\n[auth.jwt]\nsecret = 'x'",
            "2: auth.mode = \"oauth\": expected \"plain\" or \"jwt\", such as \"plain\"".to_owned(),
        ),
    ] {
        check_file(file, &[&format!("ringway.toml:{expected}")]);
    }
    let worker = Given { file: "[node]\nid = 5\n[cluster]\nsecret_file = 5", role: Role::Worker, ..NOTHING };
    let told = mistakes(&worker);
    assert!(!told.iter().any(|mistake| mistake.contains("node.id is missing")), "{told:?}");
    assert!(!told.iter().any(|mistake| mistake.contains("cluster.secret is missing")), "{told:?}");
}

#[test]
fn text_from_outside_a_file_may_stand_for_any_type() {
    let environment = &[
        ("RINGWAY_WORKER_ECHO", "true"),
        ("RINGWAY_AUTH_SOURCES", "bearer, query:t"),
        ("RINGWAY_LOG", "debug"),
        ("RINGWAY_CLUSTER_SECRET", SECRET),
        ("RINGWAY_CLUSTER_MEMBERS", "w1=http://a:1,weight=2,client=wss://a w2=http://b:1"),
    ];
    let settings = load(&Given { environment, ..NOTHING }).unwrap().settings;
    assert!(settings.worker.echo);
    assert_eq!(settings.auth.sources.len(), 2);
    assert_eq!(settings.log.filter, "debug");
    let members = settings.cluster.members.0;
    assert_eq!((members[0].weight.get(), members[0].client_url.as_deref()), (2, Some("wss://a")));
    assert_eq!((members[1].id.as_str(), members[1].weight.get()), ("w2", 1));
}

#[test]
fn mistakes_outside_files_name_the_variable_or_the_flag() {
    let given = Given {
        file: "[gateway]\nlisten = 'x'",
        environment: &[
            ("RINGWAY_SESSIONS_MAX", "many"),
            ("RINGWAY_GATEWAY_LISTN", "127.0.0.1:1"),
            ("RINGWAY_GATEWAY_SERVICE_HOST", "10.0.0.1"),
            ("RINGWAY_GATEWAY_PORT", "tcp://10.0.0.1:7070"),
            ("RINGWAY_GATEWAY_PORT_7070_TCP_ADDR", "10.0.0.1"),
            ("RINGWAY_NODE", "http://127.0.0.1:7070"),
        ],
        flags: &[("--member", "cluster.members", "w1"), ("--set", "no.such", "1")],
        role: Role::Any,
    };
    assert_eq!(
        mistakes(&given),
        [
            "ringway.toml:2: gateway.listen = \"x\": expected an IP address with a port, such as \"127.0.0.1:8080\"",
            "environment variable RINGWAY_GATEWAY_LISTN: it sets nothing: did you mean RINGWAY_GATEWAY_LISTEN?",
            "environment variable RINGWAY_SESSIONS_MAX: sessions.max = \"many\": expected a whole number, such as 16",
            "flag --member: cluster.members[0] = \"w1\": expected a worker, such as { id = \"w1\", rpc_url = \"http://10.0.0.1:7071\" } or w1=http://10.0.0.1:7071,weight=2",
            "flag --set: there is no key no.such: docs/configuration.md lists those that there are",
        ]
    );
}

type Flag<'a> = (&'a str, &'a str, &'a str);

fn needs(role: Role, environment: &[(&str, &str)], flags: &[Flag<'_>]) -> Vec<String> {
    mistakes(&Given { environment, flags, role, ..NOTHING })
}

#[test]
fn each_role_says_what_it_needs() {
    let members = ("--member", "cluster.members", "w1=http://a:1");
    let secret = ("RINGWAY_CLUSTER_SECRET", SECRET);

    let gateway = needs(Role::Gateway, &[], &[]);
    assert!(gateway[0].starts_with("cluster.members is missing: a gateway needs the workers"), "{gateway:?}");
    assert!(
        gateway[1].starts_with("cluster.secret is missing: set it (RINGWAY_CLUSTER_SECRET)"),
        "{gateway:?}"
    );
    let worker = needs(Role::Worker, &[secret], &[members]);
    assert_eq!(worker, ["node.id is missing: a worker needs its stable name (--id NAME)"]);
    let stranger = needs(Role::Worker, &[secret], &[members, ("--id", "node.id", "w9")]);
    assert_eq!(stranger, ["flag --id: node.id = \"w9\": expected one of the workers in cluster.members: w1"]);
    let up = needs(Role::Up, &[], &[members]);
    assert!(up[0].ends_with("`ringway up` makes its own workers: leave it out"), "{up:?}");

    let worker = (Role::Worker, [members, ("--id", "node.id", "w1")]);
    let gateway = (Role::Gateway, [("--node-url", "cluster.nodes", "http://a:1"), ("--id", "node.id", "g1")]);
    for (role, flags) in [worker, gateway] {
        let config = load(&Given { environment: &[secret], flags: &flags, role, ..NOTHING }).unwrap();
        assert!(config.checked.secret.is_some());
    }
}

#[test]
fn what_only_one_worker_sees_is_no_store_for_several() {
    let secret = ("RINGWAY_CLUSTER_SECRET", SECRET);
    let id = ("--id", "node.id", "w1");
    let memory = ("--set", "mailbox.store", "memory");
    let alone = ("--member", "cluster.members", "w1=http://a:1");
    let [gossip, seeds] =
        [("--set", "cluster.registry", "gossip"), ("--join", "gossip.seeds", "w1.example:7071")];
    let listen = ("--rpc-listen", "node.rpc_listen", "127.0.0.1:7071");
    let told = needs(Role::Worker, &[secret], &[id, gossip, seeds, listen, memory]);
    assert!(told[0].contains("no other worker sees what is stored there"), "{told:?}");
    assert!(told[0].contains("expected \"redis\""), "{told:?}");
    let file = needs(Role::Worker, &[secret], &[id, alone, ("--set", "mailbox.store", "file")]);
    assert!(file[0].contains("mailbox.directory"), "{file:?}");
    let redis = needs(Role::Worker, &[secret], &[id, alone, ("--set", "mailbox.store", "redis")]);
    assert!(redis[0].contains("redis.url"), "{redis:?}");
    let early = needs(Role::Worker, &[secret], &[id, alone, ("--set", "mailbox.forget_after", "1day")]);
    assert!(early[0].contains("mailbox.time_to_live"), "{early:?}");

    let told_so = ("--set", "mailbox.allow_unshared", "true");
    for flags in [vec![id, alone, memory], vec![id, gossip, seeds, listen, memory, told_so]] {
        load(&Given { environment: &[secret], flags: &flags, role: Role::Worker, ..NOTHING }).unwrap();
    }
    load(&Given { flags: &[memory], role: Role::Up, ..NOTHING }).unwrap();
}

#[test]
fn whoever_gossips_needs_seeds_and_an_address_but_no_list() {
    let secret = ("RINGWAY_CLUSTER_SECRET", SECRET);
    let gossip = ("--join", "cluster.registry", "gossip");
    let seeds = ("--join", "gossip.seeds", "w1.example:7071, [::1]:7071");
    let named = ("--id", "node.id", "w1");
    let needs = |role, flags: &[Flag<'_>]| needs(role, &[secret], flags);
    assert_eq!(
        needs(Role::Worker, &[gossip]),
        [
            "gossip.seeds is missing: name some nodes of the cluster (--join HOST:PORT); the first node names itself",
            "node.id is missing: a worker needs its stable name (--id NAME)",
            "node.rpc_listen is missing: a worker needs an address where the others reach it (--rpc-listen ADDR)",
        ]
    );
    let everywhere = ("--rpc-listen", "node.rpc_listen", "0.0.0.0:7071");
    assert_eq!(
        needs(Role::Worker, &[gossip, seeds, named, everywhere]),
        [
            "flag --rpc-listen: node.rpc_listen = \"0.0.0.0:7071\": it does not tell the others where to reach this worker: set node.rpc_url too (--rpc-url URL)"
        ]
    );
    let listed = needs(Role::Gateway, &[gossip, seeds, ("--set", "cluster.members", "w1=http://a:1")]);
    assert!(
        listed[0].ends_with("cluster.registry is \"gossip\", which shows the workers: leave one of them out")
    );
    let url = ("--rpc-url", "node.rpc_url", "http://w1.example:7071");
    for (role, flags) in
        [(Role::Worker, vec![gossip, seeds, named, everywhere, url]), (Role::Gateway, vec![gossip, seeds])]
    {
        let config = load(&Given { environment: &[secret], flags: &flags, role, ..NOTHING }).unwrap();
        assert_eq!(config.settings.gossip.seeds.len(), 2);
    }
}

#[test]
fn what_is_wrong_with_gossip_is_told() {
    check_file(
        "[cluster]\nregistry = 'gosip'\n[gossip]\nseeds = ['w1', 'w1:0', '::1:7071']",
        &[
            "ringway.toml:2: cluster.registry = \"gosip\": expected \"static\", \"gossip\", \"dns\", \"etcd\" or \"nacos\", such as \"static\"",
            "ringway.toml:4: gossip.seeds[0] = \"w1\": expected a host with a port, such as \"10.0.0.1:7071\"",
            "ringway.toml:4: gossip.seeds[1] = \"w1:0\": expected a host with a port, such as \"10.0.0.1:7071\"",
            "ringway.toml:4: gossip.seeds[2] = \"::1:7071\": expected a host with a port, such as \"10.0.0.1:7071\"",
        ],
    );
    check_file(
        "[cluster]\nregistry = 'gossip'\n[gossip]\ninterval = '1s'\nalone_after = '3s'",
        &[
            "gossip.failure_timeout = \"5s\": expected at least 8 times gossip.interval, which is 8s",
            "ringway.toml:5: gossip.alone_after = \"3s\": expected at least 2 times gossip.failure_timeout, which is 10s",
        ],
    );
    check_file(
        "[gossip]\nseeds = ['w1:7071']\n[node]\nzone = 'a'",
        &[
            "ringway.toml:2: gossip.seeds = [\"w1:7071\"]: cluster.registry is \"static\": set it to \"gossip\" (--join does), or leave this out",
            "ringway.toml:4: node.zone = \"a\": with a static list it is told there (cluster.members): leave it out",
        ],
    );
}

#[test]
fn what_is_wrong_with_dns_is_told() {
    let cases = [
        (
            "[cluster]\nregistry = 'dns'\n[dns]\nname = 'workers.example'",
            "ringway.toml:4: dns.name = \"workers.example\": a name of addresses does not tell their port: set dns.port too",
        ),
        (
            "[cluster]\nregistry = 'dns'\n[dns]\nname = '_rpc._tcp.workers.example'\nport = 7071",
            "ringway.toml:5: dns.port = 7071: the SRV records of dns.name have ports of their own: leave it out",
        ),
        (
            "[cluster]\nregistry = 'dns'\n[dns]\ninterval_min = '1m'",
            "ringway.toml:4: dns.interval_min = \"1m\": expected at most dns.interval_max, which is 30s",
        ),
        (
            "[dns]\nname = '_rpc._tcp.workers.example'",
            "ringway.toml:2: dns.name = \"_rpc._tcp.workers.example\": cluster.registry is \"static\": set it to \"dns\", or leave this out",
        ),
    ];
    for (file, expected) in cases {
        check_file(file, &[expected]);
    }
    let gateway =
        needs(Role::Gateway, &[("RINGWAY_CLUSTER_SECRET", SECRET)], &[("--set", "cluster.registry", "dns")]);
    assert_eq!(
        gateway,
        ["dns.name is missing: cluster.registry \"dns\" needs the name that the workers have"]
    );
}

#[test]
fn whoever_is_in_etcd_or_nacos_needs_a_server_and_an_address() {
    let secret = ("RINGWAY_CLUSTER_SECRET", SECRET);
    for (kind, servers, example) in [
        ("etcd", "etcd.endpoints", "name the etcd servers, such as [\"http://10.0.0.5:2379\"]"),
        ("nacos", "nacos.servers", "name the Nacos servers, such as [\"10.0.0.5:8848\"]"),
    ] {
        let flags = [("--set", "cluster.registry", kind)];
        let missing = format!("{servers} is missing: {example}");
        assert_eq!(needs(Role::Gateway, &[secret], &flags), [missing.as_str()]);
        assert_eq!(
            needs(Role::Worker, &[secret], &flags),
            [
                missing.as_str(),
                "node.id is missing: a worker needs its stable name (--id NAME)",
                "node.rpc_listen is missing: a worker needs an address where the others reach it (--rpc-listen ADDR)",
            ]
        );
    }
}

#[test]
fn what_is_wrong_with_etcd_and_nacos_is_told() {
    check_file(
        "[cluster]\nregistry = 'etcd'\n[etcd]\nendpoints = ['10.0.0.5:2379']\nuser = 'u'\ncert_file = 'none'\n\
         [nacos]\nservers = ['n:8848']",
        &[
            "ringway.toml:4: etcd.endpoints[0] = \"10.0.0.5:2379\": expected an http or https URL of a host with a port, such as \"http://10.0.0.5:2379\"",
            "ringway.toml:5: etcd.user = \"u\": etcd.password or etcd.password_file is missing",
            "ringway.toml:6: etcd.cert_file = \"none\": etcd.key_file is missing: set both or neither",
            "ringway.toml:6: etcd.cert_file = \"none\": the file cannot be read: No such file or directory (os error 2)",
            "ringway.toml:8: nacos.servers = [\"n:8848\"]: cluster.registry is \"etcd\": set it to \"nacos\", or leave this out",
        ],
    );
    check_file(
        "[cluster]\nregistry = 'nacos'\n[nacos]\nservers = ['n:8848']\npassword = 'p'\n[etcd]\nlease_ttl = '1s'",
        &[
            "ringway.toml:5: nacos.password = \"(hidden)\": nacos.user is missing",
            "ringway.toml:7: etcd.lease_ttl = \"1s\": expected a duration with its unit from 2s to 5m",
        ],
    );
}

#[test]
fn what_is_shown_can_be_read_again_and_holds_no_secret() {
    let file =
        "[sessions]\nper_user_max = 2\non_conflict = 'refuse'\n[auth]\norigins = ['https://a.example']\n";
    let config = load(&Given { file, ..NOTHING }).unwrap();
    let shown = show(&config.effective);
    assert!(shown.contains("per_user_max = 2  # "), "{shown}");
    let again = load(&Given { file: &shown, ..NOTHING }).unwrap();
    let values =
        |config: &Config| config.effective.iter().map(|setting| setting.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&config), values(&again));

    let secret = "very-secret-text-of-32-characters";
    let environment = &[("RINGWAY_CLUSTER_SECRET", secret)];
    let config = load(&Given { environment, ..NOTHING }).unwrap();
    let shown = show(&config.effective);
    assert!(
        shown.contains("secret = \"(hidden)\"  # environment variable RINGWAY_CLUSTER_SECRET"),
        "{shown}"
    );
    assert!(!shown.contains(secret) && !format!("{config:?}").contains(secret));
}

#[test]
fn the_template_without_its_comment_marks_is_the_defaults() {
    let defaults = load(&NOTHING).unwrap();
    let template = template(&defaults.effective);
    load(&Given { file: &template, ..NOTHING }).unwrap();
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let count = template.lines().filter(is_setting).count();
    assert!(count > 50, "{template}");
    let uncommented: Vec<_> =
        template.lines().map(|line| if is_setting(&line) { &line[1..] } else { line }).collect();
    let again = load(&Given { file: &uncommented.join("\n"), ..NOTHING }).unwrap();
    let values =
        |config: &Config| config.effective.iter().map(|setting| setting.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&defaults), values(&again));
}

#[test]
fn up_has_defaults_of_its_own() {
    let up = load(&Given { role: Role::Up, ..NOTHING }).unwrap();
    assert_eq!(up.settings.gateway.drain_window, Duration::ZERO);
    let set = load(&Given { role: Role::Up, file: "[gateway]\ndrain_window = '1s'", ..NOTHING }).unwrap();
    assert_eq!(set.settings.gateway.drain_window, Duration::from_secs(1));
    assert!(show(&up.effective).contains("drain_window = \"0s\"  # default of ringway up"));
}

#[test]
fn no_two_keys_have_one_variable_and_bounds_go_around_defaults() {
    let variables: BTreeSet<_> = keys().iter().map(|key| key.variable()).collect();
    assert_eq!(variables.len(), keys().len());
    // Reading checks that every default is well-formed; given as flags, it must lie within its bounds as well.
    let flags: Vec<_> = keys().iter().map(|key| ("--set", key.name, key.default)).collect();
    load(&Given { flags: &flags, ..NOTHING }).unwrap();
    assert!(Value::loose("").is_blank());
}

#[test]
fn the_page_about_the_configuration_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let mark = "<!-- From here on the page is generated: UPDATE_DOCS=1 cargo test -p ringway -->\n";
    let (written, _) = page.split_once(mark).expect("the page says where its generated part begins");
    let expected = format!("{written}{mark}\n{}", reference::reference());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            page == expected,
            "docs/configuration.md is not up to date: UPDATE_DOCS=1 cargo test -p ringway"
        );
    }
}
