//! What the mailboxes in Redis do when Redis is not well: nothing is accepted and dropped, and nothing is stored twice.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringway_session::{Kind, Payload, UserId};
use ringway_store::{
    Advice, Clock, DeviceId, Limits, Mailbox, ManualClock, NewEntry, Offset, PageBounds, Place,
    RecoveryError, StoreError, UnixTime,
};
use ringway_store_redis::{RedisConfig, RedisMailbox};

use support::{PATIENCE, Redis, Wire, left_out};

const ALL: PageBounds = PageBounds { entries_max: usize::MAX, bytes_max: u64::MAX };

fn config(url: String) -> RedisConfig {
    RedisConfig {
        answer_timeout: Duration::from_millis(500),
        search_timeout: Duration::from_millis(1500),
        write_every: Duration::from_millis(20),
        ..RedisConfig::new(url)
    }
}

fn store(url: String) -> RedisMailbox {
    RedisMailbox::new(config(url), Clock::system()).expect("a good address")
}

fn alice() -> UserId {
    UserId::new("alice").expect("a good name")
}

#[expect(clippy::needless_pass_by_value, reason = "names are given as they come")]
fn message(name: impl ToString) -> NewEntry {
    let payload = Payload::new(Bytes::from("x".repeat(200)), Kind::Text).expect("a text");
    NewEntry {
        message_id: name.to_string(),
        topic: "topic".to_owned(),
        from: String::new(),
        payload,
        time_to_live: None,
        until_first_ack: false,
    }
}

async fn end(store: &RedisMailbox) -> Place {
    store.open(&alice()).await.expect("redis answers").end()
}

/// The name of alice's stream.
async fn log(redis: &Redis) -> String {
    let [log] = redis.ask::<[String; 1]>(&["KEYS", "ringway:mailbox:{alice}:*"]).await;
    log
}

/// Five messages, all at once. Gives back the place of the first.
async fn store_five(store: &RedisMailbox) -> Place {
    let at = end(store).await;
    store.append(&alice(), at, (1..=5).map(message).collect()).await.expect("redis answers");
    at
}

async fn ids(store: &RedisMailbox) -> Vec<String> {
    let after = Place { offset: Offset(0), ..end(store).await };
    let page = store.range(&alice(), after, ALL).await.expect("redis answers");
    assert!((1..).zip(&page.entries).all(|(offset, entry)| entry.offset == Offset(offset)), "a hole");
    page.entries.into_iter().map(|entry| entry.message_id).collect()
}

fn is_unavailable(answer: &Result<impl Sized, StoreError>) -> bool {
    matches!(answer, Err(error @ StoreError::Unavailable { .. }) if error.advice() == Advice::Later)
}

/// Asks again and again for what must work at last.
async fn until_ok<T>(mut ask: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "not within {PATIENCE:?}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_redis_that_is_not_there_at_first_is_used_when_it_is() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    redis.stop();
    let store = store(redis.url());
    assert!(is_unavailable(&store.open(&alice()).await));
    let anywhere = Place { epoch: ringway_store::Epoch::random(), offset: Offset(1) };
    assert!(is_unavailable(&store.append(&alice(), anywhere, vec![message(1)]).await));
    redis.start_again().await;
    let state = until_ok(async || store.open(&alice()).await).await;
    store.append(&alice(), state.end(), vec![message(1)]).await.expect("redis answers");
}

/// Appends under way while Redis is killed and started again: each is confirmed and there, or refused; none is there twice.
#[tokio::test]
async fn nothing_confirmed_is_lost_when_redis_is_killed() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let store = store(redis.url());
    let epoch = end(&store).await.epoch;
    let mut confirmed = Vec::new();
    let stopping = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            redis.stop();
            redis.start_again().await;
        }
    };
    tokio::pin!(stopping);
    let mut is_over = false;
    for number in 0.. {
        if is_over && number % 2 == 0 {
            break;
        }
        let at = until_ok(async || store.open(&alice()).await).await.end();
        let alice = alice();
        let append = store.append(&alice, at, vec![message(number)]);
        tokio::pin!(append);
        let answer = loop {
            tokio::select! {
                answer = &mut append => break answer,
                () = &mut stopping, if !is_over => is_over = true,
            }
        };
        match answer {
            Ok(_) => confirmed.push(number.to_string()),
            Err(error) => assert_ne!(error.advice(), Advice::GiveUp, "{error}"),
        }
    }
    let stored = ids(&store).await;
    assert_eq!(end(&store).await.epoch, epoch, "its history is whole");
    assert!(confirmed.len() > 20, "{}", confirmed.len());
    let mut rest = stored.iter();
    assert!(confirmed.iter().all(|id| rest.any(|stored| stored == id)), "lost, or out of order");
    let once: std::collections::HashSet<_> = stored.iter().collect();
    assert_eq!(once.len(), stored.len(), "stored twice");
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_found_and_not_stored_again() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let wire = Wire::to(redis.socket()).await;
    let store = Arc::new(store(wire.url()));
    // Redis learns the script for several.
    store.append(&alice(), end(&store).await, vec![message("a"), message("b")]).await.expect("redis answers");
    for count in [1, 3] {
        let (at, before) = (end(&store).await, ids(&store).await.len());
        wire.lose_answers();
        let appending = {
            let (store, entries) = (Arc::clone(&store), (0..count).map(message).collect());
            tokio::spawn(async move { store.append(&alice(), at, entries).await })
        };
        // It is there before anybody knows.
        let other = self::store(redis.url());
        until_ok(async || {
            let next = end(&other).await.offset;
            if next == at.offset.plus(count) { Ok(()) } else { Err(StoreError::Conflict) }
        })
        .await;
        wire.mend();
        let appended = appending.await.expect("no panic").expect("it is found");
        assert_eq!(appended.next.offset, at.offset.plus(count));
        assert_eq!(ids(&store).await.len(), before + usize::try_from(count).expect("a small number"));
        store.append(&alice(), appended.next, vec![message("next")]).await.expect("it goes on");
    }
}

#[tokio::test]
async fn an_append_that_did_not_get_there_is_sent_again() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let wire = Wire::to(redis.socket()).await;
    let store = Arc::new(store(wire.url()));
    let at = end(&store).await;
    wire.cut();
    let appending = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.append(&alice(), at, vec![message(1)]).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    wire.mend();
    appending.await.expect("no panic").expect("it is sent again");
    assert_eq!(ids(&store).await, ["1"]);
    let at = end(&store).await;
    wire.cut();
    let refused = store.append(&alice(), at, vec![message(2)]).await;
    assert!(is_unavailable(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_redis_that_is_slow_stores_once() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let store = store(redis.url());
    let at = end(&store).await;
    let _: String = redis.ask(&["CLIENT", "PAUSE", "900", "WRITE"]).await;
    store.append(&alice(), at, vec![message(1), message(2)]).await.expect("it is found, or sent again");
    assert_eq!(ids(&store).await, ["1", "2"]);
    let _: String = redis.ask(&["CLIENT", "PAUSE", "4000", "WRITE"]).await;
    let late = store.append(&alice(), end(&store).await, vec![message(3)]).await;
    assert!(is_unavailable(&late), "{late:?}");
    let _: String = redis.ask(&["CLIENT", "UNPAUSE"]).await;
    // It may have been stored all the same: its id tells.
    let state = until_ok(async || store.open(&alice()).await).await;
    let known = state.recent.iter().any(|stored| stored.message_id == "3");
    assert_eq!(known, state.next == Offset(4));
}

#[tokio::test]
async fn a_redis_that_takes_nothing_refuses_clearly() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let store = store(redis.url());
    let at = end(&store).await;
    type Words = &'static [&'static str];
    let cases: [(Words, Words, bool); 2] = [
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"], true),
        (&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"], false),
    ];
    for (worse, better, is_full) in cases {
        let before = ids(&store).await;
        let at = end(&store).await;
        let _: String = redis.ask(worse).await;
        for entries in [vec![message("x")], vec![message("y"), message("z")]] {
            let refused = store.append(&alice(), at, entries).await;
            let right = if is_full {
                matches!(refused, Err(StoreError::Full { .. }))
            } else {
                is_unavailable(&refused)
            };
            assert!(right, "{worse:?}: {refused:?}");
        }
        assert_eq!(ids(&store).await, before, "reading goes on");
        let _: String = redis.ask(better).await;
        until_ok(async || store.append(&alice(), at, vec![message("w")]).await).await;
    }
    assert_eq!(end(&store).await.offset, at.offset.plus(2));
}

#[tokio::test]
async fn a_history_that_was_deleted_is_told() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let (first, second) = (store(redis.url()), store(redis.url()));
    let [head, streams] = ["ringway:mailbox:{alice}", "ringway:mailbox:{alice}:*"];
    for what in ["everything", "the stream", "the head"] {
        let at = end(&first).await;
        let before =
            first.append(&alice(), at, vec![message(1), message(2)]).await.expect("redis answers").next;
        match what {
            "everything" => _ = redis.ask::<String>(&["FLUSHALL"]).await,
            "the head" => _ = redis.ask::<u64>(&["DEL", head]).await,
            _ => {
                for key in redis.ask::<Vec<String>>(&["KEYS", streams]).await {
                    _ = redis.ask::<u64>(&["DEL", &key]).await;
                }
            }
        }
        if what != "the head" {
            let refused = first.append(&alice(), before, vec![message(3)]).await;
            assert_eq!(refused, Err(StoreError::Conflict), "{what}");
        }
        let state = second.open(&alice()).await.expect("redis answers");
        assert_ne!(state.epoch, before.epoch, "{what}");
        let refused = first.append(&alice(), Place { epoch: state.epoch, ..before }, vec![message(3)]).await;
        assert_eq!(refused, Err(StoreError::Conflict), "{what}: only its numbers were right");
        assert_eq!(state.recovery(None, Some(before)).missed, Err(RecoveryError::OtherEpoch));
        assert_eq!(first.open(&alice()).await.map(|state| state.epoch), Ok(state.epoch));
    }
}

#[tokio::test]
async fn a_history_that_is_older_than_what_was_confirmed_is_told() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let store = store(redis.url());
    let at = end(&store).await;
    let next = store.append(&alice(), at, (1..=5).map(message).collect()).await.expect("redis answers").next;
    let log = log(&redis).await;
    // As after a failover to a replica that had only three of five.
    let _: u64 = redis.ask(&["DEL", &log]).await;
    for offset in ["1-0", "2-0", "3-0"] {
        let line =
            ["XADD", &log, offset, "id", offset, "topic", "", "from", "", "kind", "text", "payload", "x"];
        let line = [&line[..], &["stored", "1", "expires", "99999999999999"]].concat();
        let _: String = redis.ask(&line).await;
    }
    let _: u64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    // Somebody else's call makes the new connection.
    let bob = UserId::new("bob").expect("a good name");
    until_ok(async || store.open(&bob).await).await;
    let appended = store.append(&alice(), next, vec![message(6)]).await;
    assert_eq!(appended, Err(StoreError::Conflict));
    let state = store.open(&alice()).await.expect("redis answers");
    assert_ne!(state.epoch, at.epoch, "clients must be told");
    assert_eq!(state.next, Offset(4));
    assert_eq!(ids(&store).await.len(), 3, "what is there stays");
}

/// A worker that was stopped, or is cut off, goes on by what it knew when another one has taken the mailbox over.
#[tokio::test]
async fn a_former_owner_does_no_harm() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let clock = ManualClock::at(UnixTime(1_700_000_000_000));
    let store = || {
        let config = RedisConfig { write_every: Duration::from_secs(3600), ..config(redis.url()) };
        RedisMailbox::new(config, clock.clock()).expect("a good address")
    };
    let (former, present) = (store(), store());
    let [phone, laptop] = ["phone", "laptop"].map(|name| DeviceId::new(name).expect("a good name"));
    let at = end(&former).await;
    former.append(&alice(), at, (1..=6).map(message).collect()).await.expect("redis answers");
    former.acknowledge(&alice(), &phone, Place { offset: Offset(3), ..at }).await.expect("redis answers");
    former.flush().await.expect("redis answers");
    // The present owner knows more of the phone, and of a laptop that has nothing yet.
    end(&present).await;
    present.acknowledge(&alice(), &phone, Place { offset: Offset(5), ..at }).await.expect("redis answers");
    present.acknowledge(&alice(), &laptop, Place { offset: Offset(0), ..at }).await.expect("redis answers");
    present.flush().await.expect("redis answers");
    // The former one hears of the phone's next word, and takes what is before it for done.
    former.acknowledge(&alice(), &phone, Place { offset: Offset(4), ..at }).await.expect("redis answers");
    clock.advance(Limits::default().idempotency_window + Duration::from_secs(1));
    former.flush().await.expect("redis answers");
    let state = store().open(&alice()).await.expect("redis answers");
    assert_eq!((state.position(&phone), state.position(&laptop)), (Some(Offset(5)), Some(Offset(0))));
    assert_eq!((state.first, state.recovery(Some(&laptop), None).missed), (Offset(1), Ok(())));
    // It learns the mailbox anew before it appends, and removes nothing by that.
    let next = Place { offset: Offset(7), ..at };
    former.append(&alice(), next, vec![message(7)]).await.expect("redis answers");
    assert_eq!(ids(&present).await.len(), 7);
    let devices: Vec<String> = redis.ask(&["HKEYS", "ringway:mailbox:{alice}"]).await;
    assert!(devices.iter().any(|field| field.ends_with(":laptop")), "{devices:?}");
}

/// When the ring changes, several workers may open a mailbox at once.
#[tokio::test]
async fn those_who_open_a_mailbox_at_once_lose_nothing_of_it() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let first = store(redis.url());
    let at = end(&first).await;
    first.append(&alice(), at, (1..=50).map(message).collect()).await.expect("redis answers");
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store(redis.url());
        opening.spawn(async move {
            for _ in 0..50 {
                match store.open(&alice()).await {
                    Ok(state) => {
                        let found = (state.epoch, state.first, state.next);
                        assert_eq!(found, (at.epoch, Offset(1), Offset(51)));
                    }
                    // Too many at once: it is asked for again.
                    busy => assert!(is_unavailable(&busy), "{busy:?}"),
                }
            }
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened.expect("it finds what is there");
    }
}

#[tokio::test]
async fn what_somebody_takes_out_of_the_middle_is_told() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let (store, phone) = (store(redis.url()), DeviceId::new("phone").expect("a good name"));
    let at = store_five(&store).await;
    store.acknowledge(&alice(), &phone, at).await.expect("redis answers");
    let log = log(&redis).await;
    assert_eq!(redis.ask::<u64>(&["XDEL", &log, "3-0"]).await, 1);
    let page = store.range(&alice(), at, ALL).await.expect("redis answers");
    assert_eq!(page.entries.iter().map(|entry| entry.offset.0).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!((page.gone_to, page.left_out.removed), (Offset(3), 1));
    let state = store.open(&alice()).await.expect("redis answers");
    for (device, has, is_told) in
        [(Some(&phone), 1, true), (Some(&phone), 3, false), (None, 2, true), (None, 3, false)]
    {
        let last = Place { offset: Offset(has), ..at };
        assert_eq!(state.recovery(device, Some(last)).missed.is_err(), is_told, "{device:?} {has}");
    }
}

#[tokio::test]
async fn positions_are_written_when_redis_is_back() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let (store, phone) = (store(redis.url()), DeviceId::new("phone").expect("a good name"));
    let at = store_five(&store).await;
    store.flush().await.expect("redis answers");
    redis.stop();
    let said = store.acknowledge(&alice(), &phone, Place { offset: Offset(4), ..at }).await;
    assert!(store.flush().await.is_err() || said.is_err());
    redis.start_again().await;
    if said.is_err() {
        until_ok(async || store.acknowledge(&alice(), &phone, Place { offset: Offset(4), ..at }).await).await;
    }
    until_ok(async || store.flush().await).await;
    let state = self::store(redis.url()).open(&alice()).await.expect("redis answers");
    assert_eq!(state.position(&phone), Some(Offset(4)));
}

/// A user of whom a message comes now and then, one at a time: the worst case for what is batched.
#[tokio::test]
async fn a_message_costs_at_most_three_commands_over_its_life() {
    if left_out() {
        return;
    }
    const USERS: u64 = 10;
    const ROUNDS: u64 = 20;
    let redis = Redis::start().await;
    let clock = ManualClock::at(UnixTime(1_700_000_000_000));
    let config = RedisConfig {
        limits: Limits { idempotency_window: Duration::from_secs(5), ..Limits::default() },
        write_every: Duration::from_secs(3600),
        ..config(redis.url())
    };
    let store = RedisMailbox::new(config, clock.clock()).expect("a good address");
    let phone = DeviceId::new("phone").expect("a good name");
    let users: Vec<_> =
        (0..USERS).map(|number| UserId::new(&format!("u{number}")).expect("a name")).collect();
    let mut ends = Vec::new();
    for user in &users {
        ends.push(store.open(user).await.expect("redis answers").end());
    }
    store.flush().await.expect("redis answers");
    let _: String = redis.ask(&["CONFIG", "RESETSTAT"]).await;
    for round in 0..ROUNDS {
        for (user, end) in users.iter().zip(&mut ends) {
            let at = *end;
            *end = store.append(user, at, vec![message(round)]).await.expect("redis answers").next;
            store.acknowledge(user, &phone, at).await.expect("it was appended");
        }
        clock.advance(Duration::from_secs(6));
        store.flush().await.expect("redis answers");
    }
    let stats: String = redis.ask(&["INFO", "commandstats"]).await;
    let calls = stats.split("calls=").skip(1).filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok());
    let commands = calls.sum::<u64>();
    let streams: Vec<String> = redis.ask(&["KEYS", "ringway:mailbox:{u0}:*"]).await;
    assert_eq!(redis.ask::<u64>(&["XLEN", &streams[0]]).await, 0, "everything has gone that everybody has");
    let (messages, spare) = (USERS * ROUNDS, 10);
    assert!(commands <= 3 * messages + spare, "{commands} commands for {messages} messages: {stats}");
}

#[tokio::test]
async fn keys_are_as_documented_and_expire() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let config = RedisConfig { prefix: "mine".to_owned(), ..config(redis.url()) };
    let store = RedisMailbox::new(config, Clock::system()).expect("a good address");
    let at = end(&store).await;
    store.append(&alice(), at, vec![message(1)]).await.expect("redis answers");
    let phone = DeviceId::new("phone").expect("a good name");
    store.acknowledge(&alice(), &phone, at).await.expect("it was appended");
    store.flush().await.expect("redis answers");
    let mut keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
    keys.sort();
    assert_eq!(keys, ["mine:mailbox:{alice}".to_owned(), format!("mine:mailbox:{{alice}}:{}:2", at.epoch)]);
    for key in &keys {
        let days = redis.ask::<u64>(&["TTL", key]).await / (24 * 60 * 60);
        assert!((29..=30).contains(&days), "{key}: {days}");
    }
    let field: String = redis.ask(&["HGET", &keys[0], "device@2:phone"]).await;
    assert!(field.starts_with(&format!("{} 1 ", at.epoch)), "{field}");
}

#[tokio::test]
async fn a_password_is_needed_and_never_shown() {
    if left_out() {
        return;
    }
    let redis = Redis::start().await;
    let wire = Wire::to(redis.socket()).await;
    let _: String = redis.ask(&["CONFIG", "SET", "requirepass", "right"]).await;
    let with = |password: &str| wire.url().replace("redis://", &format!("redis://:{password}@"));
    for url in [wire.url(), with("wrong-secret")] {
        let refused = store(url).open(&alice()).await.expect_err("it is refused");
        assert_eq!(refused.advice(), Advice::GiveUp, "{refused}");
        assert!(!refused.to_string().contains("wrong-secret"), "{refused}");
    }
    store(with("right")).open(&alice()).await.expect("it is let in");
    let error = RedisMailbox::new(RedisConfig::new("http://:wrong-secret@x"), Clock::system()).err();
    assert!(error.is_some_and(|error| !error.to_string().contains("wrong-secret")));
}
