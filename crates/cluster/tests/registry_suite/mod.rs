//! What every registry must do, as functions over a [`Fixture`] that makes handles of it.
//!
//! A registry is tested by writing a fixture and calling [`registry_suite!`] with what makes one. What a registry cannot
//! do by its nature, the fixture says in its [`Nature`]; the suite then holds it to what it does instead. Nothing in
//! here knows a particular registry, so that adapters in other crates can include this module by its path.
//!
//! Registries are eventually consistent: a test waits for a list that satisfies it, and fails when the registry's
//! `settles_within` is over.

pub(crate) mod cases;
pub(crate) mod fixture;
pub(crate) mod watcher;

/// Runs the whole suite for the registry that `$make` (an async expression giving a fixture) makes, anew for each test.
/// `unless` is for those whose server may be left out by name: `true` if it is.
#[macro_export]
macro_rules! registry_suite {
    ($make:expr) => {
        $crate::registry_suite!($make, unless false);
    };
    ($make:expr, unless $left_out:expr) => {
        $crate::registry_suite!(@each $make, $left_out,
            the_first_list_is_the_present_one,
            every_watcher_sees_a_join,
            a_member_arrives_whole,
            every_watcher_sees_an_update,
            every_watcher_sees_a_member_leave,
            lists_are_sorted_and_have_each_id_once,
            a_dropped_lease_is_no_longer_renewed,
            a_kept_lease_is_renewed,
            an_id_belongs_to_the_one_who_joined_last,
            a_superseded_lease_can_do_nothing,
            a_lease_is_for_one_member,
            strangers_are_taken_or_refused_by_nature,
        );
    };
    (@each $make:expr, $left_out:expr, $($case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                if $left_out {
                    return;
                }
                let fixture = $make.await;
                $crate::registry_suite::cases::$case(&fixture).await;
            }
        )*
    };
}
