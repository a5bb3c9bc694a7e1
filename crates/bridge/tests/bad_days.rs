//! A broker that goes away, and one that takes nothing for lack of memory.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use lapin::BasicProperties;
use ringway_bridge::run_intake;
use tokio_util::sync::CancellationToken;

use support::broker::Broker;
use support::fake::{FakeCluster, soon};
use support::{BackEnd, intake, sender, until};

const MESSAGES: usize = 300;
/// How long one attempt to send may take, and everything after the broker's return.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything is there after a broker was killed in the middle, in order for each user; what was delivered twice is the same message.
#[tokio::test]
async fn a_broker_that_was_killed_loses_nothing() {
    let Some(mut broker) = Broker::start().await else { return };
    let cluster = FakeCluster::start(1).await;
    let stop = CancellationToken::new();
    let running =
        tokio::spawn(run_intake(intake(&broker, "kill"), sender(&cluster, PATIENCE).await, stop.clone()));
    let back_end = BackEnd::connect(&broker).await;
    until("the consumer", async || support::is_consumed(&broker, "kill.in").await).await;
    publish(&back_end, 0..MESSAGES / 2).await;
    drop(back_end);
    broker.kill();
    broker.start_again().await;
    let back_end = BackEnd::connect(&broker).await;
    // A quorum queue takes nothing before it has a leader again.
    until("the consumer", async || back_end.count("kill.in").await.1 == 1).await;
    publish(&back_end, MESSAGES / 2..MESSAGES).await;
    let script = &cluster.workers[0].script;
    let missing = || {
        let ids = script.ids();
        (0..MESSAGES).map(|number| number.to_string()).filter(|id| !ids.contains(id)).collect::<Vec<_>>()
    };
    let all = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !missing().is_empty() {
            look.tick().await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, all).await;
    assert!(
        came.is_ok(),
        "missing: {:?}, queue and consumers: {:?}",
        missing(),
        back_end.count("kill.in").await
    );
    until("every acknowledgement", async || back_end.count("kill.in").await.0 == 0).await;
    for user in 0..3 {
        let seen = script.seen().into_iter().filter(|seen| seen.key == format!("user{user}"));
        let mut firsts: Vec<usize> = Vec::new();
        for id in seen.map(|seen| seen.message_id.parse::<usize>().unwrap()) {
            if !firsts.contains(&id) {
                firsts.push(id);
            }
        }
        assert!(firsts.is_sorted(), "user{user}: {firsts:?}");
        assert_eq!(firsts.len(), MESSAGES / 3);
    }
    stop.cancel();
    soon("the end", running).await.unwrap();
}

/// While the broker has an alarm, dead letters and whoever publishes wait. What is there goes on, and nothing comes twice.
#[tokio::test]
async fn a_broker_without_memory_holds_up_what_is_published_and_nothing_else() {
    let Some(broker) = Broker::start().await else { return };
    let cluster = FakeCluster::start(1).await;
    // What is counted before somebody counts is not seen.
    support::counter("");
    let mut config = intake(&broker, "kill");
    // Much shorter than the alarm.
    config.rabbit.timeout = Duration::from_secs(1);
    let start = async || {
        let (stop, sender) = (CancellationToken::new(), sender(&cluster, PATIENCE).await);
        (stop.clone(), tokio::spawn(run_intake(config.clone(), sender, stop)))
    };
    let (stop, running) = start().await;
    until("the consumer", async || support::is_consumed(&broker, "kill.in").await).await;
    stop.cancel();
    soon("the end", running).await.unwrap();
    let back_end = BackEnd::connect(&broker).await;
    publish(&back_end, 0..MESSAGES / 2).await;
    back_end.publish("", "kill.in", "no target", BasicProperties::default()).await;
    publish(&back_end, MESSAGES / 2..MESSAGES).await;

    broker.control(&["set_vm_memory_high_watermark", "absolute", "1"]).await;
    let (stop, running) = start().await;
    let script = &cluster.workers[0].script;
    script.saw(MESSAGES).await;
    until("the metric", async || support::gauge("ringway_bridge_rabbitmq_blocked").contains(&1.0)).await;
    let late = BackEnd::connect(&broker).await;
    let late = tokio::spawn(async move { publish(&late, MESSAGES..MESSAGES + 1).await });
    // It is the passing of time that must not do anything.
    tokio::time::sleep(3 * config.rabbit.timeout).await;
    assert_eq!(script.ids().len(), MESSAGES, "nothing comes twice, and nobody can publish");
    assert!(!late.is_finished());
    stop.cancel();
    soon("the end", running).await.unwrap();
    until("what has no end yet", async || back_end.count("kill.in").await.0 == 1).await;

    let (stop, running) = start().await;
    broker.control(&["set_vm_memory_high_watermark", "0.6"]).await;
    let letter = back_end.consume("kill.dead").await.next().await;
    assert_eq!(letter.data, b"no target");
    soon("the confirm", late).await.unwrap();
    script.saw(MESSAGES + 1).await;
    stop.cancel();
    soon("the end", running).await.unwrap();
    let mut ids = script.ids();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), back_end.count("kill.in").await.0), (MESSAGES + 1, 0));
}

/// Numbered messages, the number being the id.
async fn publish(back_end: &BackEnd, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let properties = BasicProperties::default()
            .with_content_type("text/plain".into())
            .with_delivery_mode(2)
            .with_message_id(number.to_string().as_str().into());
        let key = format!("user.user{}", number % 3);
        back_end.publish("kill.exchange", &key, &number.to_string(), properties).await;
    }
}
