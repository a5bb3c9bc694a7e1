//! The goals, and what was measured of them. Ratios are taken within each round.

use crate::figures::{Book, Key, Spread};
use crate::options::Part;

/// A goal.
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) goal: &'static str,
    /// The value that is judged; nothing if it was not measured.
    pub(crate) measured: Option<Spread>,
    /// Nothing for what is only shown.
    pub(crate) is_met: Option<fn(f64) -> bool>,
}

const OURS: &str = "ringway";
const OURS_JWT: &str = "ringway gateway + worker (JWT)";
const NGINX: &str = "nginx + upstream";

/// All of them, in the order of the plan.
pub(crate) fn all(book: &Book) -> Vec<Goal> {
    [against_peers(book), processor_time(book), growing(book), promises(book)].into_iter().flatten().collect()
}

fn against_peers(book: &Book) -> Vec<Goal> {
    use Part::{Delivery, Gateways};
    let delivery = |key: Key, peer: &'static str| book.ratio((Delivery, OURS, key), (Delivery, peer, key));
    vec![
        goal(
            "handshake through gateway and worker, authentication (JWT) included: CPU, by that of nginx + upstream",
            "at most 0.5",
            book.ratio((Gateways, OURS_JWT, "handshake_us"), (Gateways, NGINX, "handshake_us")),
            |ratio| ratio <= 0.5,
        ),
        goal(
            "fan-out through gateway and worker: CPU per delivery, by that of the bare write()",
            "at most 1.25",
            delivery("fan_out_us", "bare write()"),
            |ratio| ratio <= 1.25,
        ),
        goal(
            "messages to users through Publish, saturated: CPU, by that of nats-server",
            "at most 0.6",
            delivery("unicast_us", "nats-server"),
            |ratio| ratio <= 0.6,
        ),
        goal("the same, by that of nchan", "at most 0.5", delivery("unicast_us", "nchan"), |ratio| {
            ratio <= 0.5
        }),
        goal(
            "unary SendToUser at the rate: p99, by that of an echo through nginx",
            "below 1",
            book.ratio((Delivery, OURS, "paced_p99_ms"), (Gateways, NGINX, "echo_p99_ms")),
            |ratio| ratio < 1.0,
        ),
        goal(
            "the same messages through Publish: p99, by the same",
            "below 1",
            book.ratio((Delivery, OURS, "published_p99_ms"), (Gateways, NGINX, "echo_p99_ms")),
            |ratio| ratio < 1.0,
        ),
    ]
}

fn processor_time(book: &Book) -> Vec<Goal> {
    let ours = |key: Key| book.spread(Part::Delivery, OURS, key);
    vec![
        goal(
            "unary SendToUser at the rate: CPU of gateway, worker and sender, µs",
            "at most 60",
            ours("paced_all_us"),
            |us| us <= 60.0,
        ),
        goal(
            "the same messages through Publish: the same CPU, µs",
            "at most 60",
            ours("published_all_us"),
            |us| us <= 60.0,
        ),
    ]
}

/// With more and more workers.
fn growing(book: &Book) -> Vec<Goal> {
    vec![
        goal(
            "a user's message at 2, 8, 32 workers in one process, one after the other: CPU of the dearest by the cheapest",
            "at most 1.1",
            growth(book, "ringway up", "user_us"),
            |ratio| ratio <= 1.1,
        ),
        goal(
            "the same as fast as it goes",
            "at most 1.1",
            growth(book, "ringway up", "streamed_us"),
            |ratio| ratio <= 1.1,
        ),
        goal(
            "one after the other, each worker a process: CPU of gateway and workers",
            "at most 1.1",
            growth(book, OURS, "user_us"),
            |ratio| ratio <= 1.1,
        ),
        goal(
            "as fast as it goes, each worker a process",
            "at most 1.1",
            growth(book, OURS, "streamed_us"),
            |ratio| ratio <= 1.1,
        ),
        comparison("(one after the other, the Redis broadcast)", growth(book, "Redis broadcast", "user_us")),
    ]
}

fn promises(book: &Book) -> Vec<Goal> {
    use Part::{Article, Delivery, Ring};
    let ours = |key: Key| book.spread(Delivery, OURS, key);
    vec![
        goal(
            "idle client, gateway and worker, resident bytes",
            "at most 4096",
            ours("resident_bytes"),
            |bytes| bytes <= 4096.0,
        ),
        goal("idle client, gateway and worker, sockets", "1", ours("sockets"), |sockets| sockets < 1.01),
        goal(
            "5,000 sends to a group in one second: errors, %",
            "0",
            book.spread(Article, OURS, "article_errors_percent"),
            |percent| percent == 0.0,
        ),
        goal(
            "sends to a group, sustained, per second",
            "at least 40,710",
            book.spread(Article, OURS, "sustained_per_second"),
            |rate| rate >= 40_710.0,
        ),
        goal("look-up of a 16-byte key, ns", "at most 20", book.spread(Ring, "slots", "look_up_ns"), |ns| {
            ns <= 20.0
        }),
        goal("128 members built, ms", "at most 25", book.spread(Ring, "slots", "build_ms"), |ms| ms <= 25.0),
        goal("128 members changed, ms", "at most 1", book.spread(Ring, "slots", "next_change_ms"), |ms| {
            ms <= 1.0
        }),
        comparison("(the first change of a process, ms)", book.spread(Ring, "slots", "change_ms")),
    ]
}

/// The dearest number of workers by the cheapest, within each round.
fn growth(book: &Book, system: &str, key: Key) -> Option<Spread> {
    let rows = [2, 8, 32].map(|workers| format!("{system}, {workers} workers"));
    let values = rows.each_ref().map(|row| book.values(Part::Scaling, row, key));
    let ratios = values[0].iter().filter_map(|(round, _)| {
        let of_round =
            |values: &&[(u32, f64)]| values.iter().find(|(its, _)| its == round).map(|(_, value)| *value);
        let of_round = values.iter().map(of_round).collect::<Option<Vec<f64>>>()?;
        let spread = Spread::of(of_round.into_iter())?;
        Some(spread.max / spread.min)
    });
    Spread::of(ratios)
}

fn goal(what: &'static str, goal: &'static str, measured: Option<Spread>, is_met: fn(f64) -> bool) -> Goal {
    Goal { what, goal, measured, is_met: Some(is_met) }
}

/// What is only shown.
fn comparison(what: &'static str, measured: Option<Spread>) -> Goal {
    Goal { what, goal: "for comparison", measured, is_met: None }
}

impl Goal {
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.measured, self.is_met) {
            (None, _) => "not measured",
            (Some(_), None) => "",
            (Some(spread), Some(is_met)) if is_met(spread.median) => "met",
            (Some(_), Some(_)) => "missed",
        }
    }
}
