//! The laws of `ringway_store::Mailbox`: appending, reading, lasting.

use bytes::Bytes;
use ringway_session::{Kind, Payload};
use ringway_store::{Durability, Epoch, NewEntry, Offset, PageBounds, Place, RecoveryError, StoreError};

use super::fixture::{Fixture, acknowledge, append, device, filled, message, names, open, read, user};

pub(crate) async fn a_new_mailbox_is_empty_and_stays_the_same(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    assert_eq!((state.first, state.next, state.intact_from), (Offset(1), Offset(1), Offset(1)));
    assert!(state.positions.is_empty() && state.recent.is_empty());
    assert_eq!(open(&*handle, &alice).await, state);
    assert_eq!(open(&*fixture.handle().await, &alice).await, state);
    let page = read(&*handle, &alice, 0).await;
    assert!(page.entries.is_empty() && page.is_last);
}

pub(crate) async fn what_was_appended_is_read(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let now = fixture.clock().clock().now();
    let entry = |kind, bytes: &'static [u8], topic: &str| NewEntry {
        message_id: format!("id of {topic:?}"),
        topic: topic.to_owned(),
        from: format!("who writes of {topic}"),
        payload: Payload::new(Bytes::from_static(bytes), kind).expect("it is that"),
        time_to_live: None,
        until_first_ack: kind == Kind::Json,
    };
    let sent = [
        entry(Kind::Text, "grüß\r\n\0".as_bytes(), "töpic/😀"),
        entry(Kind::Json, b"{\"a\":[1]}", ""),
        entry(Kind::Binary, b"\xff\x00*1\r\n", "x"),
        entry(Kind::Binary, b"", "empty"),
    ];
    let next = append(&*handle, &alice, state.end(), sent[..1].to_vec()).await;
    append(&*handle, &alice, next, sent[1..].to_vec()).await;
    let page = read(&*fixture.handle().await, &alice, 0).await;
    assert_eq!(page.entries.len(), sent.len());
    for (index, (entry, sent)) in page.entries.iter().zip(&sent).enumerate() {
        assert_eq!(entry.offset, Offset(index as u64 + 1));
        assert_eq!((&entry.message_id, &entry.topic), (&sent.message_id, &sent.topic));
        assert_eq!(entry.from, sent.from);
        assert_eq!((&entry.payload, entry.stored_at), (&sent.payload, now));
        assert_eq!(entry.until_first_ack, sent.until_first_ack);
    }
    assert_eq!((page.read_to, page.is_last), (Offset(4), true));
}

pub(crate) async fn an_append_elsewhere_than_at_the_end_is_refused(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 2).await;
    let place = |epoch, offset| Place { epoch, offset: Offset(offset) };
    for at in [place(state.epoch, 2), place(state.epoch, 4), place(state.epoch, 0), place(Epoch::random(), 3)]
    {
        for entries in [vec![message("x")], vec![message("x"), message("y"), message("z")]] {
            let refused = handle.append(&alice, at, entries).await;
            assert_eq!(refused, Err(StoreError::Conflict), "{at:?}");
        }
    }
    let page = read(&*handle, &alice, 0).await;
    assert_eq!(names(&page), [(1, "1"), (2, "2")]);
    append(&*handle, &alice, state.end(), [message("3")]).await;
}

pub(crate) async fn a_stale_writer_appends_nothing(fixture: &dyn Fixture) {
    let (present, alice, _) = filled(fixture, 1).await;
    let stale = fixture.handle().await;
    let known = open(&*stale, &alice).await;
    append(&*present, &alice, known.end(), [message("2"), message("3")]).await;
    for entries in [vec![message("x")], (0..4).map(|_| message("x")).collect()] {
        assert_eq!(stale.append(&alice, known.end(), entries).await, Err(StoreError::Conflict));
    }
    let known = open(&*stale, &alice).await;
    assert_eq!(known.next, Offset(4));
    append(&*stale, &alice, known.end(), [message("4")]).await;
    assert_eq!(present.append(&alice, known.end(), vec![message("x")]).await, Err(StoreError::Conflict));
    assert_eq!(names(&read(&*present, &alice, 0).await), [(1, "1"), (2, "2"), (3, "3"), (4, "4")]);
}

pub(crate) async fn appends_in_flight_keep_their_order(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let handle: std::sync::Arc<dyn ringway_store::Mailbox> = handle.into();
    let mut calls = tokio::task::JoinSet::new();
    // One thread runs these in the order in which they are spawned.
    for offset in 1..=200 {
        let (handle, alice) = (std::sync::Arc::clone(&handle), alice.clone());
        let at = Place { epoch: state.epoch, offset: Offset(offset) };
        calls.spawn(async move { handle.append(&alice, at, vec![message(offset)]).await });
    }
    while let Some(appended) = calls.join_next().await {
        appended.expect("no panic").expect("the store takes it");
    }
    let page = read(&*handle, &alice, 0).await;
    let found = page.entries.iter().map(|entry| (entry.offset.0, entry.message_id.clone()));
    assert!(found.eq((1..=200).map(|offset| (offset, offset.to_string()))));
}

pub(crate) async fn appends_behind_a_refused_one_are_refused(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let at = |offset| Place { epoch: state.epoch, offset: Offset(offset) };
    let call = |offset, name: &str| handle.append(&alice, at(offset), vec![message(name)]);
    let (first, second, third) = tokio::join!(call(1, "a"), call(3, "x"), call(4, "y"));
    assert!(first.is_ok());
    assert_eq!((second, third), (Err(StoreError::Conflict), Err(StoreError::Conflict)));
    assert_eq!(names(&read(&*handle, &alice, 0).await), [(1, "a")]);
}

pub(crate) async fn pages_follow_each_other(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 25).await;
    let cost = message(1).cost_bytes();
    for (entries_max, bytes_max, sizes) in [
        (10, u64::MAX, vec![10, 10, 5]),
        (25, u64::MAX, vec![25]),
        (usize::MAX, cost * 9, vec![9, 8, 8]),
        (usize::MAX, 1, vec![1; 25]),
    ] {
        let (mut after, mut found, mut names) = (Offset(0), Vec::new(), Vec::new());
        loop {
            let place = Place { epoch: state.epoch, offset: after };
            let page =
                handle.range(&alice, place, PageBounds { entries_max, bytes_max }).await.expect("it reads");
            found.push(page.entries.len());
            names.extend(page.entries.iter().map(|entry| entry.message_id.clone()));
            if page.is_last {
                break;
            }
            after = page.read_to;
        }
        assert_eq!(found, sizes, "{entries_max} {bytes_max}");
        assert!(names.into_iter().eq((1..=25).map(|name| name.to_string())));
    }
    let other = Place { epoch: Epoch::random(), offset: Offset(0) };
    let refused = handle.range(&alice, other, super::fixture::ALL).await;
    assert_eq!(refused, Err(StoreError::Conflict), "of another epoch there is nothing");
    assert!(read(&*handle, &alice, 99).await.entries.is_empty());
}

pub(crate) async fn what_is_confirmed_is_as_durable_as_promised(fixture: &dyn Fixture) {
    let (handle, alice, _) = filled(fixture, 5).await;
    let durability = handle.durability();
    acknowledge(&*handle, &alice, "phone", 2).await;
    let epoch = open(&*handle, &alice).await.epoch;
    handle.withdraw(&alice, epoch, &[Offset(4)]).await.expect("the store takes it");
    handle.flush().await.expect("the store writes");
    let before = open(&*handle, &alice).await;
    drop(handle);
    let handle = fixture.restart().await;
    let after = open(&*handle, &alice).await;
    if durability == Durability::Volatile {
        assert_eq!(after.next, Offset(1));
        let last = Place { epoch: before.epoch, offset: Offset(5) };
        let recovery = after.recovery(Some(&device("phone")), Some(last));
        assert_eq!(recovery.missed, Err(RecoveryError::OtherEpoch), "a lost history must be told");
        return;
    }
    assert_eq!(after, before);
    assert_eq!(after.recent.len(), 5, "the ids of messages are known after a crash");
    assert_eq!(names(&read(&*handle, &alice, 2).await), [(3, "3"), (5, "5")]);
    append(&*handle, &alice, after.end(), [message("6")]).await;
}

pub(crate) async fn dropped_calls_leave_the_mailbox_whole(fixture: &dyn Fixture) {
    let (handle, alice, _) = filled(fixture, 0).await;
    let handle: std::sync::Arc<dyn ringway_store::Mailbox> = handle.into();
    for round in 0..30 {
        let state = open(&*handle, &alice).await;
        let call = {
            let (handle, alice) = (std::sync::Arc::clone(&handle), alice.clone());
            tokio::spawn(async move { handle.append(&alice, state.end(), vec![message(round)]).await })
        };
        for _ in 0..round % 5 {
            tokio::task::yield_now().await;
        }
        call.abort();
    }
    // What was under way is done or not, one after the other.
    loop {
        let state = open(&*handle, &alice).await;
        match handle.append(&alice, state.end(), vec![message("last")]).await {
            Err(StoreError::Conflict) => tokio::task::yield_now().await,
            appended => {
                appended.expect("the store takes it");
                break;
            }
        }
    }
    let page = read(&*handle, &alice, 0).await;
    let offsets: Vec<_> = page.entries.iter().map(|entry| entry.offset.0).collect();
    assert!(offsets.iter().copied().eq(1..=offsets.len() as u64), "{offsets:?}");
}

pub(crate) async fn users_do_not_see_each_other(fixture: &dyn Fixture) {
    let handle = fixture.handle().await;
    let users = ["alice", "ALICE", "a{b}c", "}{", "ü 😀:*", "a%7Bb", "%", "alice:1"].map(user);
    for name in &users {
        let state = open(&*handle, name).await;
        append(&*handle, name, state.end(), [message(name)]).await;
    }
    for name in &users {
        assert_eq!(names(&read(&*handle, name, 0).await), [(1, name.as_str())]);
    }
}
