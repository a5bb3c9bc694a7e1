use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("ringway").chain(line.split_whitespace()))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_right_is_understood() {
    let lines = [
        "up",
        "up --workers 5 --echo --listen 127.0.0.1:0 --rpc-listen 127.0.0.1:0 --workers-listen 127.0.0.1:0",
        "gateway --member w1=http://a:1 --member w2=http://b:1,weight=2 --secret-file s",
        "gateway --node-url http://a:1",
        "worker --id w1 --listen 0.0.0.0:8081 --echo --member w1=http://a:1",
        "gateway --join a:1,b:2 --rpc-listen 127.0.0.1:0",
        "worker --id w1 --join a:1 --join b:2 --rpc-url http://c:1",
        "connect --token t --header Origin:x --subprotocol a --subprotocol b --json --messages 2",
        "connect --protocol v1 --no-reconnect --subprotocol token.t",
        "connect --protocol ringway.v1.json",
        "send user alice hi",
        "send user alice -",
        "send user alice",
        "send group g -5 --json",
        "send user alice {} --topic t --kind json",
        "send all hi --exclude 0123456789abcdef0123456789abcdef --message-id m --node http://a:1",
        "send user alice --binary-file f",
        "sessions",
        "sessions alice --json",
        "sessions --group g --limit 10",
        "close 00",
        "close --user alice --code 4300 --reason x",
        "group join g --user alice",
        "group leave g --session 00",
        "ring show --member a --member b=2 --strategy hashring --json",
        "ring locate alice",
        "ring diff --add w4=2 --remove w1",
        "ring watch --node http://a:1 --changes 2 --json",
        "ring vectors",
        "ring vectors --json",
        "load ring",
        "load ring --nodes 1000 --weights 1,2 --keys 100000000 --strategy slots,hashring:7 --svg a --html b",
        "load ring --node a --node b=2 --keys-from - --json --require slots_max_mean<=1.1 --require a>=0",
        "members --node http://a:1 --json",
        "token --user a --groups b,c --secret s --ttl 5m --claim n=1",
        "check-config f --for worker --show",
        "check-config f --show --json",
        "check-config --template",
        "completions bash",
    ];
    for line in lines {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let lines = [
        "",
        "up --workers 0",
        "up --colour",
        "gateway --node-url http://a:1 --member w1=http://a:1",
        "gateway --join a:1 --member w1=http://a:1",
        "gateway --join a:1 --node-url http://a:1",
        "ring watch --changes 0",
        "ring watch --member w1",
        "connect --header nonsense",
        "connect --messages 0",
        "connect --protocol v2",
        "send",
        "send user",
        "send user alice hi --binary-file f",
        "send user alice --binary-file f --kind json",
        "send user alice hi --kind binary",
        "send user alice hi --node localhost",
        "send user alice hi --exclude 00",
        "send user alice hi --timeout soon",
        "sessions alice --group g",
        "sessions --limit 0",
        "close",
        "close 00 --user alice",
        "group join g",
        "group join g --user a --session 00",
        "ring diff",
        "ring show --strategy slots",
        "ring show --member w1=101",
        "ring show --member =1",
        "load",
        "load ring --nodes 1",
        "load ring --nodes 1001",
        "load ring --nodes 3 --node a",
        "load ring --weights 101",
        "load ring --keys 100000001",
        "load ring --keys 3 --keys-from -",
        "load ring --strategy fast",
        "load ring --require slots_max_mean",
        "token --user a --claim n",
        "check-config",
        "check-config f --for any",
        "check-config f --template",
        "check-config --template --json",
        "completions tcsh",
    ];
    for line in lines {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn flags_become_settings_and_a_flag_of_its_own_wins_over_set() {
    let Command::Worker(args) =
        parse("worker --id w1 --set node.id=w2 --echo --member a=http://a:1").unwrap().command
    else {
        panic!("not a worker")
    };
    let settings: Vec<_> = args.settings().into_iter().map(|set| (set.flag, set.key, set.text)).collect();
    let expected = [
        ("--set", "node.id", "w2"),
        ("--echo", "worker.echo", "true"),
        ("--id", "node.id", "w1"),
        ("--member", "cluster.members", "a=http://a:1"),
    ];
    assert_eq!(
        settings,
        expected.map(|(flag, key, text)| (flag.to_owned(), key.to_owned(), text.to_owned()))
    );
}

#[test]
fn joining_means_gossip_with_these_seeds() {
    let Command::Gateway(args) = parse("gateway --join a:1,b:2 --join c:3").unwrap().command else {
        panic!("not a gateway")
    };
    let settings: Vec<_> = args.settings().into_iter().map(|set| (set.key, set.text)).collect();
    let expected = [("cluster.registry", "gossip"), ("gossip.seeds", "a:1,b:2,c:3")];
    assert_eq!(settings, expected.map(|(key, text)| (key.to_owned(), text.to_owned())));
}
