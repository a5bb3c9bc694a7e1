//! The laws of `ringway_store::Mailbox`: what there may be of it, and for how long.

use std::time::Duration;

use bytes::Bytes;
use ringway_session::{Kind, Payload};
use ringway_store::{NewEntry, Offset, RecoveryError, StoreError};

use super::fixture::{
    Fixture, LIMITS, acknowledge, append, device, filled, message, names, open, pass_window, read,
};

pub(crate) async fn expired_messages_are_left_out_and_seen_to_be(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let lives =
        |name: &str, secs| NewEntry { time_to_live: Some(Duration::from_secs(secs)), ..message(name) };
    append(&*handle, &alice, state.end(), [lives("a", 50), lives("b", 5), lives("c", 10_000), lives("d", 5)])
        .await;
    acknowledge(&*handle, &alice, "phone", 0).await;
    fixture.clock().advance(Duration::from_secs(5));
    let page = read(&*handle, &alice, 0).await;
    assert_eq!(names(&page), [(1, "a"), (3, "c")]);
    assert_eq!((page.left_out.expired, page.read_to, page.is_last), (2, Offset(4), true));
    assert_eq!(page.gone_to, Offset(4));
    let missed = open(&*handle, &alice).await.recovery(Some(&device("phone")), None).missed;
    assert_eq!(missed, Err(RecoveryError::Gone { intact_from: Offset(5) }), "also before they are removed");
    fixture.clock().advance(LIMITS.time_to_live - Duration::from_secs(6));
    assert_eq!(names(&read(&*handle, &alice, 0).await), [(3, "c")]);
    fixture.clock().advance(Duration::from_secs(1));
    let page = read(&*handle, &alice, 0).await;
    assert!(page.entries.is_empty(), "no message is kept for longer than the mailbox keeps anything");
    let state = open(&*handle, &alice).await;
    assert_eq!((state.first, state.next), (Offset(5), Offset(5)));
    let missed = state.recovery(Some(&device("phone")), None).missed;
    assert_eq!(missed, Err(RecoveryError::Gone { intact_from: Offset(5) }));
}

pub(crate) async fn of_too_many_the_oldest_go_and_that_is_told(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let end = append(&*handle, &alice, state.end(), (1..=5).map(message)).await;
    for (name, offset) in [("phone", 2), ("laptop", 5)] {
        acknowledge(&*handle, &alice, name, offset).await;
    }
    let end = append(&*handle, &alice, end, (6..=LIMITS.entries_max).map(message)).await;
    assert_eq!(open(&*handle, &alice).await.first, Offset(1), "as many as there may be");
    let appended =
        handle.append(&alice, end, (0..3).map(message).collect()).await.expect("the store takes it");
    assert_eq!(appended.first, Offset(4));
    handle.flush().await.expect("the store writes");
    for handle in [&*handle, &*fixture.handle().await] {
        let state = open(handle, &alice).await;
        assert_eq!((state.first, state.intact_from), (Offset(4), Offset(4)));
        let missed = |name| state.recovery(Some(&device(name)), None).missed;
        assert_eq!(missed("phone"), Err(RecoveryError::Gone { intact_from: Offset(4) }));
        assert_eq!(missed("laptop"), Ok(()));
        let page = read(handle, &alice, 2).await;
        assert_eq!((page.entries[0].offset, page.left_out.removed), (Offset(4), 1));
    }
}

pub(crate) async fn of_too_much_the_oldest_goes(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let large = |name: &str| {
        let payload = Payload::new(Bytes::from(vec![7; 30_000]), Kind::Binary).expect("any bytes");
        NewEntry { payload, ..message(name) }
    };
    append(&*handle, &alice, state.end(), ["a", "b", "c", "d", "e"].map(large)).await;
    let page = read(&*handle, &alice, 0).await;
    assert_eq!(names(&page), [(3, "c"), (4, "d"), (5, "e")]);
    assert_eq!(page.left_out.removed, 2);
}

pub(crate) async fn what_fits_no_mailbox_is_refused(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 0).await;
    let sized = |bytes: usize| {
        let payload = Payload::new(Bytes::from(vec![7; bytes]), Kind::Binary).expect("any bytes");
        NewEntry { payload, topic: String::new(), ..message("") }
    };
    let most = usize::try_from(LIMITS.bytes_max - sized(0).cost_bytes()).expect("a size");
    let refused = handle.append(&alice, state.end(), vec![message("a"), sized(most + 1)]).await;
    assert_eq!(
        refused,
        Err(StoreError::TooLarge { bytes: LIMITS.bytes_max + 1, bytes_max: LIMITS.bytes_max })
    );
    append(&*handle, &alice, state.end(), [sized(most)]).await;
    assert_eq!(read(&*handle, &alice, 0).await.entries.len(), 1);
}

pub(crate) async fn an_unused_mailbox_is_forgotten(fixture: &dyn Fixture) {
    if !fixture.forgets_by_clock() {
        return;
    }
    let (handle, alice, before) = filled(fixture, 2).await;
    acknowledge(&*handle, &alice, "phone", 2).await;
    pass_window(fixture);
    fixture.clock().advance(LIMITS.mailbox_forget_after - LIMITS.idempotency_window);
    let state = open(&*handle, &alice).await;
    assert_eq!(state.end(), before.end(), "it was in use up to now");
    fixture.clock().advance(LIMITS.mailbox_forget_after + Duration::from_secs(1));
    let other = super::fixture::user("bob");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        open(&*handle, &other).await;
        // Opening it would be using it.
        let place = ringway_store::Place { epoch: before.epoch, offset: Offset(0) };
        if handle.range(&alice, place, super::fixture::ALL).await == Err(StoreError::Conflict) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "it is not forgotten");
        tokio::task::yield_now().await;
    }
    let state = open(&*handle, &alice).await;
    assert_ne!(state.epoch, before.epoch);
    assert_eq!(state.next, Offset(1));
}
