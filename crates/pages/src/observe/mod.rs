//! The observer: gathers the numbers of all workers once a second, for as long as somebody says that he watches, and sends them
//! to the dashboards, wherever these are connected, as a message to their group.

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
use self::numbers::Numbers;
use crate::pass::DASHBOARDS;

/// How often the numbers are gathered.
const INTERVAL: Duration = Duration::from_secs(1);
/// For how long somebody who says that he watches does so. Pages say it again well before.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the message to the dashboards may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// What the messages are about.
const TOPIC: &str = "status";

/// The observer of one gateway. A cheap handle.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Shared>);

struct Shared {
    /// The gateway's name: with several gateways a dashboard listens to one observer.
    name: String,
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
    pub(crate) fn new(name: String, dispatcher: Dispatcher, end: CancellationToken) -> Self {
        Self(Arc::new(Shared { name, dispatcher, end, state: Mutex::default() }))
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
            let mut told = numbers.tell(&view, &gathered, Instant::now());
            log.note(&view, &gathered, &told);
            told["observer"] = json!(self.0.name);
            told["log"] = log.tell();
            self.0.state.lock().last = Some(told.clone());
            self.send(&told).await;
        }
    }

    /// Whether nobody watches any more; then the next one who does begins anew.
    fn is_over(&self) -> bool {
        let mut state = self.0.state.lock();
        let is_over = state.until.is_none_or(|until| until < Instant::now());
        state.running = !is_over;
        is_over
    }

    async fn send(&self, told: &Value) {
        let message = Message {
            payload: told.to_string().into(),
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
