//! What every store of mailboxes must do, as functions over a [`Fixture`](fixture::Fixture) that makes handles of it.
//!
//! A store is tested by writing a fixture and calling [`mailbox_suite!`] with what makes one. What a store cannot do by its
//! nature, it says by its durability; the suite then holds it to what it does instead. Nothing in here knows a particular
//! store, so that adapters in other crates can include this module by its path.

pub(crate) mod bounds;
pub(crate) mod cases;
pub(crate) mod devices;
pub(crate) mod fixture;

/// Runs the whole suite for the store that `$make` (an async expression giving a fixture) makes, anew for each test.
/// `unless` is for those whose server may be left out by name: `true` if it is.
#[macro_export]
macro_rules! mailbox_suite {
    ($make:expr) => {
        $crate::mailbox_suite!($make, unless false);
    };
    ($make:expr, unless $left_out:expr) => {
        $crate::mailbox_suite!(@each $make, $left_out,
            cases: a_new_mailbox_is_empty_and_stays_the_same,
            cases: what_was_appended_is_read,
            cases: an_append_elsewhere_than_at_the_end_is_refused,
            cases: a_stale_writer_appends_nothing,
            cases: appends_in_flight_keep_their_order,
            cases: appends_behind_a_refused_one_are_refused,
            cases: pages_follow_each_other,
            cases: what_is_confirmed_is_as_durable_as_promised,
            cases: dropped_calls_leave_the_mailbox_whole,
            cases: users_do_not_see_each_other,
            devices: each_device_has_its_position,
            devices: a_position_is_never_beyond_the_end_and_never_goes_back,
            devices: acknowledged_messages_are_known_by_their_ids_for_a_while,
            devices: withdrawn_messages_are_left_out_and_no_gap,
            devices: silent_devices_are_forgotten,
            devices: a_new_device_does_not_miss_what_has_gone_before_it,
            bounds: expired_messages_are_left_out_and_seen_to_be,
            bounds: of_too_many_the_oldest_go_and_that_is_told,
            bounds: of_too_much_the_oldest_goes,
            bounds: what_fits_no_mailbox_is_refused,
            bounds: an_unused_mailbox_is_forgotten,
        );
    };
    (@each $make:expr, $left_out:expr, $($module:ident: $case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                if $left_out {
                    return;
                }
                let fixture = $make.await;
                $crate::mailbox_suite::$module::$case(&fixture).await;
            }
        )*
    };
}
