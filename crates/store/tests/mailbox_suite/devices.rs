//! The laws of `ringway_store::Mailbox`: devices, acknowledgements, withdrawing.

use std::time::Duration;

use ringway_store::{Epoch, Mailbox, MailboxState, Offset, Place, RecoveryError, StoreError};

use super::fixture::{
    Fixture, LIMITS, acknowledge, append, device, filled, message, names, open, pass_window, read,
};

pub(crate) async fn each_device_has_its_position(fixture: &dyn Fixture) {
    let (handle, alice, _) = filled(fixture, 5).await;
    acknowledge(&*handle, &alice, "phone", 4).await;
    acknowledge(&*handle, &alice, "laptop", 2).await;
    pass_window(fixture);
    handle.flush().await.expect("the store writes");
    let state = open(&*fixture.handle().await, &alice).await;
    assert_eq!((at(&state, "phone"), at(&state, "laptop"), at(&state, "other")), (Some(4), Some(2), None));
    assert_eq!((state.first, state.intact_from), (Offset(3), Offset(1)), "what both have has gone");
    assert_eq!(names(&read(&*handle, &alice, 4).await), [(5, "5")]);
    acknowledge(&*handle, &alice, "laptop", 5).await;
    acknowledge(&*handle, &alice, "phone", 5).await;
    let state = open(&*handle, &alice).await;
    assert_eq!((state.first, state.next), (Offset(6), Offset(6)));
    for name in ["phone", "laptop"] {
        assert_eq!(state.recovery(Some(&device(name)), None).missed, Ok(()));
    }
    assert_eq!(append(&*handle, &alice, state.end(), [message("6")]).await.offset, Offset(7));
}

pub(crate) async fn a_position_is_never_beyond_the_end_and_never_goes_back(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 3).await;
    let place = |offset| Place { epoch: state.epoch, offset: Offset(offset) };
    let phone = device("phone");
    let refused = handle.acknowledge(&alice, &phone, place(4)).await;
    assert_eq!(refused, Err(StoreError::NeverAppended { offset: Offset(4), next: Offset(4) }));
    assert_eq!(at(&open(&*handle, &alice).await, "phone"), None);
    for (offset, expected) in [(2, 2), (1, 2), (0, 2), (3, 3)] {
        handle.acknowledge(&alice, &phone, place(offset)).await.expect("it was appended");
        assert_eq!(at(&open(&*handle, &alice).await, "phone"), Some(expected));
    }
    let other = Place { epoch: Epoch::random(), offset: Offset(1) };
    assert_eq!(handle.acknowledge(&alice, &phone, other).await, Err(StoreError::Conflict));
}

pub(crate) async fn acknowledged_messages_are_known_by_their_ids_for_a_while(fixture: &dyn Fixture) {
    let (handle, alice, _) = filled(fixture, 3).await;
    fixture.clock().advance(LIMITS.idempotency_window / 2);
    let end = open(&*handle, &alice).await.end();
    append(&*handle, &alice, end, [message("later")]).await;
    acknowledge(&*handle, &alice, "phone", 4).await;
    handle.flush().await.expect("the store writes");
    let other = fixture.handle().await;
    assert_eq!(recent(&*other, &alice).await, [(1, "1"), (2, "2"), (3, "3"), (4, "later")].map(owned));
    fixture.clock().advance(LIMITS.idempotency_window / 2);
    assert_eq!(recent(&*handle, &alice).await, [(4, "later")].map(owned));
    pass_window(fixture);
    assert_eq!(recent(&*handle, &alice).await, []);
}

pub(crate) async fn withdrawn_messages_are_left_out_and_no_gap(fixture: &dyn Fixture) {
    let (handle, alice, state) = filled(fixture, 4).await;
    acknowledge(&*handle, &alice, "phone", 0).await;
    let withdrawn = [Offset(1), Offset(3), Offset(9)];
    handle.withdraw(&alice, state.epoch, &withdrawn).await.expect("the store takes it");
    let refused = handle.withdraw(&alice, Epoch::random(), &withdrawn).await;
    assert_eq!(refused, Err(StoreError::Conflict));
    handle.flush().await.expect("the store writes");
    for handle in [&*handle, &*fixture.handle().await] {
        let page = read(handle, &alice, 0).await;
        assert_eq!(names(&page), [(2, "2"), (4, "4")]);
        assert_eq!(page.left_out.withdrawn, 2);
        assert_eq!(recent(handle, &alice).await.len(), 4, "they are known by their ids");
    }
    pass_window(fixture);
    let state = open(&*handle, &alice).await;
    assert_eq!((state.first, state.intact_from), (Offset(2), Offset(1)));
    assert_eq!(state.recovery(Some(&device("phone")), None).missed, Ok(()));
}

pub(crate) async fn silent_devices_are_forgotten(fixture: &dyn Fixture) {
    let (handle, alice, _) = filled(fixture, 2).await;
    for name in ["a", "b", "c"] {
        acknowledge(&*handle, &alice, name, 1).await;
        fixture.clock().advance(Duration::from_secs(1));
    }
    acknowledge(&*handle, &alice, "d", 1).await;
    let known =
        |state: &MailboxState| state.positions.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>();
    assert_eq!(known(&open(&*handle, &alice).await), ["b", "c", "d"], "of too many the most silent one goes");
    fixture.clock().advance(LIMITS.device_forget_after - Duration::from_secs(2));
    acknowledge(&*handle, &alice, "c", 0).await;
    fixture.clock().advance(Duration::from_secs(3));
    handle.flush().await.expect("the store writes");
    for handle in [&*handle, &*fixture.handle().await] {
        assert_eq!(known(&open(handle, &alice).await), ["c"], "who says his position again is known");
    }
}

pub(crate) async fn a_new_device_does_not_miss_what_has_gone_before_it(fixture: &dyn Fixture) {
    let (handle, alice, _) = filled(fixture, 3).await;
    acknowledge(&*handle, &alice, "phone", 3).await;
    pass_window(fixture);
    let state = open(&*handle, &alice).await;
    assert_eq!(state.first, Offset(4));
    let last = Some(Place { epoch: state.epoch, offset: Offset(1) });
    let missed = state.recovery(Some(&device("new")), last).missed;
    assert_eq!(missed, Err(RecoveryError::Gone { intact_from: Offset(4) }), "nothing was kept for it");
    acknowledge(&*handle, &alice, "new", 1).await;
    let state = open(&*handle, &alice).await;
    assert_eq!(at(&state, "new"), Some(3));
    assert_eq!(state.recovery(Some(&device("new")), None).missed, Ok(()));
}

fn at(state: &MailboxState, name: &str) -> Option<u64> {
    state.position(&device(name)).map(|offset| offset.0)
}

async fn recent(handle: &dyn Mailbox, user: &ringway_session::UserId) -> Vec<(u64, String)> {
    let state = open(handle, user).await;
    state.recent.into_iter().map(|stored| (stored.offset.0, stored.message_id)).collect()
}

fn owned((offset, name): (u64, &str)) -> (u64, String) {
    (offset, name.to_owned())
}
