use std::time::Duration;

use super::super::offer::Received;
use super::*;

fn hub(config: EventsConfig) -> EventHub {
    EventHub::new(&MemberId::new("w1").unwrap(), 7, config)
}

fn tell(hub: &EventHub, kind: EventKind, user: &str) {
    hub.tell(kind, || Event { user: user.into(), ..Event::default() });
}

fn wish(name: &str) -> Subscribe {
    Subscribe { name: name.into(), ..Subscribe::default() }
}

fn users(batch: &SubscribeResponse) -> Vec<&str> {
    batch.events.iter().map(|event| event.user.as_str()).collect()
}

#[tokio::test]
async fn a_subscriber_gets_what_it_wants_in_order_and_with_stable_ids() {
    let hub = hub(EventsConfig::default());
    tell(&hub, EventKind::Connected, "before");
    let kinds = vec![EventKind::Connected, EventKind::Message];
    let subscription = hub.subscribe(Subscribe { kinds, ..wish("a") }).unwrap();
    assert!(!hub.wants(EventKind::Disconnected));
    for (kind, user) in
        [(EventKind::Connected, "1"), (EventKind::Disconnected, "2"), (EventKind::Message, "3")]
    {
        tell(&hub, kind, user);
    }
    let batch = subscription.next().await.unwrap();
    assert_eq!(users(&batch), ["1", "3"]);
    assert_eq!(batch.events[0].id, "w1-0000000000000007-1");
    assert_eq!((batch.worker.as_str(), batch.incarnation, batch.missed), ("w1", 7, 0));
}

#[tokio::test]
async fn what_was_not_acknowledged_waits_for_a_subscriber_that_is_away() {
    let hub = hub(EventsConfig::default());
    let subscription = hub.subscribe(wish("a")).unwrap();
    tell(&hub, EventKind::Connected, "1");
    tell(&hub, EventKind::Connected, "2");
    let first = subscription.next().await.unwrap();
    subscription.acknowledge(first.events[0].sequence);
    drop(subscription);
    tell(&hub, EventKind::Connected, "3");
    let again = hub.subscribe(wish("a")).unwrap().next().await.unwrap();
    assert_eq!(users(&again), ["2", "3"]);
    assert_eq!(again.events[0].id, first.events[1].id);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_forgotten_when_its_subscriber_stays_away() {
    let hub = hub(EventsConfig { away_max: Duration::from_secs(60), ..EventsConfig::default() });
    drop(hub.subscribe(wish("a")).unwrap());
    tokio::time::advance(Duration::from_secs(60)).await;
    hub.expire();
    assert!(hub.wants(EventKind::Message));
    tokio::time::advance(Duration::from_secs(1)).await;
    hub.expire();
    assert!(!hub.wants(EventKind::Message));
}

#[tokio::test]
async fn a_subscription_without_a_name_goes_with_its_subscriber() {
    let hub = hub(EventsConfig::default());
    let subscription = hub.subscribe(wish("")).unwrap();
    assert!(hub.wants(EventKind::Message));
    drop(subscription);
    assert!(!hub.wants(EventKind::Message));
}

#[tokio::test]
async fn wishes_that_cannot_be_met_are_refused() {
    let hub = hub(EventsConfig { subscriptions_max: 1, ..EventsConfig::default() });
    let _held = hub.subscribe(wish("a")).unwrap();
    let cases = [
        (wish("a"), SubscribeError::Taken("a".into())),
        (wish("b"), SubscribeError::TooMany(1)),
        (wish(""), SubscribeError::TooMany(1)),
        (wish("with space"), SubscribeError::Name("with space".into())),
        (wish(&"x".repeat(65)), SubscribeError::Name("x".repeat(64))),
        (Subscribe { window: 10_001, ..wish("a") }, SubscribeError::Window(10_001)),
        (Subscribe { kinds: vec![EventKind::Unspecified], ..wish("a") }, SubscribeError::Kind),
    ];
    for (wish, expected) in cases {
        assert_eq!(hub.subscribe(wish).err(), Some(expected));
    }
    hub.close();
    assert_eq!(hub.subscribe(wish("a")).err(), Some(SubscribeError::Leaving));
}

#[tokio::test]
async fn an_offer_says_at_once_what_is_known_and_later_how_it_ended() {
    let event = |user: &str| {
        let user = user.to_owned();
        move || Event { user, ..Event::default() }
    };
    let hub = hub(EventsConfig { events_max: 1, ..EventsConfig::default() });
    assert!(matches!(hub.offer(event("1")), Offered::Nobody));
    let subscription = hub.subscribe(Subscribe { reliable: true, ..wish("a") }).unwrap();
    let Offered::Taken(first) = hub.offer(event("1")) else { panic!("there is room") };
    assert!(matches!(hub.offer(event("2")), Offered::Full));
    let batch = subscription.next().await.unwrap();
    subscription.acknowledge(batch.events[0].sequence);
    assert_eq!(first.await, Received::Acknowledged);
    let Offered::Taken(second) = hub.offer(event("2")) else { panic!("there is room again") };
    hub.close();
    assert_eq!(second.await, Received::Lost);
}

#[tokio::test(start_paused = true)]
async fn messages_wait_for_a_reliable_subscriber_that_is_here_and_not_for_ever() {
    let config = EventsConfig { events_max: 1, ..EventsConfig::default() };
    let wait_max = config.room_wait_max;
    let hub = hub(config);
    let subscription = hub.subscribe(Subscribe { reliable: true, ..wish("a") }).unwrap();
    tell(&hub, EventKind::Message, "1");
    let waits = async |hub: &EventHub| {
        let begun = Instant::now();
        hub.room().await;
        begun.elapsed()
    };
    assert_eq!(waits(&hub).await, wait_max, "until the bound");
    assert_eq!(waits(&hub).await, Duration::ZERO, "once");

    let batch = subscription.next().await.unwrap();
    subscription.acknowledge(batch.events[0].sequence);
    tell(&hub, EventKind::Message, "2");
    let batch = subscription.next().await.unwrap();
    let acknowledging = async {
        tokio::time::sleep(wait_max / 2).await;
        subscription.acknowledge(batch.events[0].sequence);
    };
    let (waited, ()) = tokio::join!(waits(&hub), acknowledging);
    assert_eq!(waited, wait_max / 2, "until there is room");

    tell(&hub, EventKind::Message, "3");
    drop(subscription);
    assert_eq!(waits(&hub).await, Duration::ZERO, "not for one that is away");
}

#[tokio::test]
async fn a_worker_leaves_when_everything_is_acknowledged() {
    let hub = hub(EventsConfig::default());
    let subscription = hub.subscribe(wish("a")).unwrap();
    tell(&hub, EventKind::Disconnected, "1");
    let flushed = tokio::spawn({
        let hub = hub.clone();
        async move { hub.flush().await }
    });
    let batch = subscription.next().await.unwrap();
    assert!(!flushed.is_finished());
    subscription.acknowledge(batch.events[0].sequence);
    tokio::time::timeout(Duration::from_secs(5), flushed).await.unwrap().unwrap();
    hub.close();
    assert!(subscription.next().await.is_none());
}
