//! What the bridge needs, and what is wrong with it.

use ringway_bridge::Guarantee;

use super::*;

#[test]
fn a_bridge_needs_nodes_a_secret_and_something_to_do() {
    let told = needs(Role::Bridge, &[], &[]);
    assert!(
        told[0].starts_with("cluster.nodes is missing: a bridge needs nodes that know the workers"),
        "{told:?}"
    );
    assert!(told[1].starts_with("cluster.secret is missing"), "{told:?}");
    assert!(told[2].starts_with("there is nothing to do: set bridge.rabbitmq.in.queue"), "{told:?}");
    let environment =
        [("RINGWAY_CLUSTER_SECRET", SECRET), ("RINGWAY_BRIDGE_RABBITMQ_URL", "amqp://a:b@10.0.0.1/%2f")];
    let node = ("--node-url", "cluster.nodes", "http://a:1");
    let queue = ("--set", "bridge.rabbitmq.in.queue", "q");
    let config =
        load(&Given { environment: &environment, flags: &[node, queue], role: Role::Bridge, ..NOTHING })
            .unwrap();
    let doors = config.checked.doors;
    assert_eq!(doors.intake.map(|intake| intake.queue).as_deref(), Some("q"));
    assert!(doors.outlet.is_none() && doors.webhook.is_none());
}

#[test]
fn what_is_promised_of_messages_from_rabbitmq() {
    let cases = [
        (Role::Bridge, vec![], Guarantee::AtMostOnce),
        (Role::Bridge, vec!["mailbox.store=memory"], Guarantee::AtLeastOnce),
        (Role::Up, vec![], Guarantee::AtLeastOnce),
        (Role::Up, vec!["mailbox.store=none"], Guarantee::AtMostOnce),
        (Role::Up, vec!["bridge.rabbitmq.in.guarantee=at_most_once"], Guarantee::AtMostOnce),
        (Role::Bridge, vec!["bridge.rabbitmq.in.guarantee=at_least_once"], Guarantee::AtLeastOnce),
    ];
    for (role, settings, expected) in cases {
        let environment = [("RINGWAY_CLUSTER_SECRET", SECRET)];
        let always =
            ["cluster.nodes=http://a:1", "bridge.rabbitmq.url=amqp://a", "bridge.rabbitmq.in.queue=q"];
        let flags: Vec<_> = always
            .iter()
            .chain(&settings)
            .map(|setting| setting.split_once('=').unwrap())
            .map(|(key, value)| ("--set", key, value))
            .collect();
        let config = load(&Given { environment: &environment, flags: &flags, role, ..NOTHING }).unwrap();
        let intake = config.checked.doors.intake.unwrap();
        assert_eq!(intake.guarantee, expected, "{role:?} {settings:?}");
    }
}

#[test]
fn what_is_wrong_with_the_bridge_is_told() {
    let cases = [
        (
            "[bridge.rabbitmq]\nurl = 'http://a'",
            "ringway.toml:2: bridge.rabbitmq.url = \"(hidden)\": the URL of RabbitMQ is wrong",
        ),
        (
            "[bridge.rabbitmq.in]\nqueue = 'q'",
            "ringway.toml:2: bridge.rabbitmq.in.queue = \"q\": bridge.rabbitmq.url is missing",
        ),
        (
            "[bridge.rabbitmq.out]\nexchange = 'e'",
            "ringway.toml:2: bridge.rabbitmq.out.exchange = \"e\": bridge.rabbitmq.url is missing",
        ),
        (
            "[bridge.rabbitmq]\nurl = 'amqp://a'\nurl_file = 'f'",
            "ringway.toml:3: bridge.rabbitmq.url_file = \"f\": bridge.rabbitmq.url is set too: leave one of them out",
        ),
        (
            "[bridge.rabbitmq.in]\non_offline = 'keep'",
            "ringway.toml:2: bridge.rabbitmq.in.on_offline = \"keep\": expected \"drop\", \"retry\" or \"dead_letter\"",
        ),
        (
            "[bridge.webhook]\nurl = 'ftp://a/b'",
            "ringway.toml:2: bridge.webhook.url = \"ftp://a/b\": the webhook's URL ftp://a/b cannot be used: expected http://HOST[:PORT]/PATH",
        ),
        (
            "[bridge.webhook]\nevents = ['left']",
            "ringway.toml:2: bridge.webhook.events[0] = \"left\": expected \"connected\", \"disconnected\" or \"message\"",
        ),
        (
            "[bridge.rabbitmq.in]\nprefetch = 0",
            "ringway.toml:2: bridge.rabbitmq.in.prefetch = 0: expected a whole number from 1 to 65535",
        ),
        (
            "[bridge.rabbitmq]\nurl = 'amqps://a'\nca_file = '/dev/null'",
            "ringway.toml:3: bridge.rabbitmq.ca_file = \"/dev/null\": there is no certificate in it: expected PEM",
        ),
        (
            "[bridge.rabbitmq]\nurl = 'amqps://a'\nca_file = '/no/such'",
            "ringway.toml:3: bridge.rabbitmq.ca_file = \"/no/such\": the file cannot be read: No such file",
        ),
        (
            "[bridge.rabbitmq]\nurl = 'amqp://a'\nca_file = '/dev/null'",
            "ringway.toml:3: bridge.rabbitmq.ca_file = \"/dev/null\": the URL asks for no TLS: expected one that begins with amqps://",
        ),
        (
            "[bridge.webhook]\nurl = 'http://a/b'\nca_file = '/dev/null'",
            "ringway.toml:3: bridge.webhook.ca_file = \"/dev/null\": the URL asks for no TLS: expected one that begins with https://",
        ),
    ];
    for (file, expected) in cases {
        let told = mistakes(&Given { file, ..NOTHING });
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(expected), "{told:?}");
    }
}
