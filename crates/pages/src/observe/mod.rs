//! The observer: gathers the numbers of all workers once a second, for as long as somebody says that he watches, and sends them
//! to the dashboards, wherever these are connected, as a message to their group. However large the cluster is, the message is no
//! longer than messages may be: what does not fit is summed up.

mod gather;
mod log;
mod numbers;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_dispatch::{Dispatcher, Hops};
use ringway_proto::v1::{Message, PayloadKind, SendToGroupRequest};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use self::gather::gather;
use self::log::Log;
use self::numbers::{Numbers, Told};
use crate::pass::DASHBOARDS;

/// How often the numbers are gathered.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long somebody who says that he watches does so. Pages say it again well before.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the message to the dashboards may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// How many workers and gateways are told one by one, if the message may be so long.
const ROWS_MAX: usize = 100;
/// What the messages are about.
const TOPIC: &str = "status";

/// The observer of one gateway. A cheap handle.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Shared>);

struct Shared {
    /// The gateway's name: with several gateways a dashboard listens to one observer.
    name: String,
    /// How long a message may be.
    message_bytes_max: usize,
    dispatcher: Dispatcher,
    end: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Until when somebody watches.
    until: Option<Instant>,
    running: bool,
    /// What was told last.
    last: Option<Value>,
}

impl Observer {
    pub(crate) fn new(
        name: String,
        message_bytes_max: usize,
        dispatcher: Dispatcher,
        end: CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared { name, message_bytes_max, dispatcher, end, state: Mutex::default() }))
    }

    /// Somebody watches. Gives back what was told last, if somebody has watched until now.
    pub(crate) fn watch(&self) -> Option<Value> {
        let mut state = self.0.state.lock();
        state.until = Some(Instant::now() + PATIENCE);
        if !state.running {
            state.running = true;
            state.last = None;
            let observer = self.clone();
            tokio::spawn(async move {
                let shared = Arc::clone(&observer.0);
                shared.end.run_until_cancelled(observer.run()).await
            });
        }
        state.last.clone()
    }

    async fn run(self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut numbers, mut log) = (Numbers::default(), Log::default());
        loop {
            ticks.tick().await;
            if self.is_over() {
                return;
            }
            let view = self.0.dispatcher.views().current();
            let gathered = gather(&view, self.0.dispatcher.pool()).await;
            let told = numbers.tell(&view, &gathered, Instant::now());
            log.note(&view, &gathered, told.at_ms);
            let (status, text) = fitting(&told, &log, &self.0.name, self.0.message_bytes_max);
            self.0.state.lock().last = Some(status);
            self.send(text).await;
        }
    }

    /// Whether nobody watches any more; then the next one who does begins anew.
    fn is_over(&self) -> bool {
        let mut state = self.0.state.lock();
        let is_over = state.until.is_none_or(|until| until < Instant::now());
        state.running = !is_over;
        is_over
    }

    async fn send(&self, text: String) {
        let message = Message {
            payload: text.into(),
            kind: PayloadKind::Json.into(),
            topic: TOPIC.to_owned(),
            ..Message::default()
        };
        let request = SendToGroupRequest {
            group: DASHBOARDS.to_owned(),
            message: Some(message),
            ..SendToGroupRequest::default()
        };
        let deadline = Instant::now() + SEND_TIMEOUT;
        if let Err(refusal) = self.0.dispatcher.send_to_group(request, Hops::FromClient, deadline).await {
            debug!(%refusal, "the dashboards could not be told the numbers");
        }
    }
}

/// What dashboards are told, and as text: as much of it as a message can carry. If that is next to nothing they are told too much, and
/// the cluster refuses it.
fn fitting(told: &Told, log: &Log, observer: &str, bytes_max: usize) -> (Value, String) {
    let mut rows_max = ROWS_MAX;
    loop {
        let mut status = told.status(rows_max);
        status["observer"] = json!(observer);
        status["log"] = log.tell(rows_max);
        let text = status.to_string();
        if text.len() <= bytes_max || rows_max == 0 {
            return (status, text);
        }
        rows_max /= 2;
    }
}

#[cfg(test)]
mod tests {
    use ringway_cluster::{Member, MemberState, View};
    use ringway_proto::v1::{GatewayShare, NodeStatus, Session};
    use ringway_ring::{Strategy, Weight};

    use super::*;
    use crate::observe::gather::Gathered;

    const MEMBERS: usize = 1_000;

    /// Names as long as they may be.
    fn id(prefix: &str, number: usize) -> String {
        format!("{prefix}{number:0>254}")
    }

    /// Every fifth is on the ring, not the same ones in each turn: that is quicker to build, and everybody else is told all the same.
    fn view(turn: usize) -> View {
        let member = |number: usize| {
            let url = format!("http://{}.example:65535", "x".repeat(200));
            let member = Member::new(id("w", number).parse().expect("an id"), url.parse().expect("a url"));
            let weight = Weight::new(u32::from((number + turn).is_multiple_of(5))).expect("a weight");
            Member { state: MemberState::Active, zone: Some("z".repeat(100)), weight, ..member }
        };
        View::build(Strategy::Slots, (0..MEMBERS).map(member)).expect("a view")
    }

    /// Sessions move everywhere with each turn, each worker has its own gateway, and slow sessions in many groups.
    fn gathered(view: &View, turn: u64) -> Gathered {
        let status = |(number, member): (usize, &Member)| {
            let slow = Session {
                user: "u".repeat(255),
                groups: vec!["g".repeat(255); 200],
                queue_bytes: 1,
                ..Session::default()
            };
            let status = NodeStatus {
                incarnation: 1,
                sessions: 7,
                messages: 10 * turn,
                sessions_left: turn,
                sessions_arrived: turn,
                gateways: vec![GatewayShare { gateway: id("g", number), sessions: 3 }],
                slowest: if number < 20 { vec![slow] } else { Vec::new() },
                ..NodeStatus::default()
            };
            (member.id.clone(), Some(status))
        };
        view.workers().iter().enumerate().map(status).collect()
    }

    #[test]
    fn a_cluster_of_a_thousand_members_is_told_within_the_bound() {
        let (mut numbers, mut log, now) = (Numbers::default(), Log::default(), Instant::now());
        let views = [view(0), view(1)];
        let mut told = None;
        for turn in 0..25 {
            let view = &views[turn % 2];
            let gathered = gathered(view, turn as u64);
            let all = numbers.tell(view, &gathered, now + turn as u32 * INTERVAL);
            log.note(view, &gathered, turn as u64);
            told = Some(all);
        }
        let told = told.expect("turns");
        for (bytes_max, rows) in [(1 << 20, ROWS_MAX), (256 << 10, 12), (64 << 10, 3), (16 << 10, 0)] {
            let (status, text) = fitting(&told, &log, "g1", bytes_max);
            assert!(text.len() <= bytes_max, "{} of {bytes_max} bytes", text.len());
            let count = |of: &str| status[of].as_array().map(Vec::len);
            assert_eq!(
                (count("workers"), count("gateways")),
                (Some(rows), Some(rows)),
                "{bytes_max}: {}",
                text.len()
            );
            let (totals, others) = (&status["totals"], &status["others"]);
            assert_eq!((&totals["workers"], &others["workers"]), (&json!(MEMBERS), &json!(MEMBERS - rows)));
            assert_eq!(
                (&totals["has"]["sessions"], &others["has"]["sessions"]),
                (&json!(7_000), &json!(7 * (MEMBERS - rows)))
            );
            assert_eq!(totals["per_second"]["messages"], 10_000.0);
            assert_eq!(
                status["other_gateways"],
                json!({ "gateways": MEMBERS - rows, "sessions": 3 * (MEMBERS - rows) })
            );
        }
        // The least there is to tell: more than the shortest limit that can be set, and then nobody is told by a message.
        let (status, text) = fitting(&told, &log, "g1", 1);
        assert!(text.len() < 8 << 10, "{}", text.len());
        assert_eq!(status["others"]["workers"], MEMBERS);
    }
}
