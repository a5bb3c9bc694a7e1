//! What every export of presence must do, as functions over a [`Fixture`](fixture::Fixture).
//!
//! Nothing in here knows a particular one, so that adapters in other crates can include this module by its path.

pub(crate) mod cases;
pub(crate) mod fixture;

/// Runs the whole suite for what `$make` (an async expression giving a fixture) makes, anew for each test. `unless` is for
/// those whose server may be left out by name: `true` if it is.
#[macro_export]
macro_rules! presence_suite {
    ($make:expr) => {
        $crate::presence_suite!($make, unless false);
    };
    ($make:expr, unless $left_out:expr) => {
        $crate::presence_suite!(@each $make, $left_out,
            who_was_announced_is_online,
            who_has_no_session_is_offline,
            a_former_worker_takes_nobody_away,
            what_is_not_announced_again_expires,
            what_is_announced_again_stays,
            one_life_of_a_worker_can_be_removed,
            many_users_can_be_announced_at_once,
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
                $crate::presence_suite::cases::$case(&fixture).await;
            }
        )*
    };
}
