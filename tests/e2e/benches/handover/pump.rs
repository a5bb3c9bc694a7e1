//! Steady sends, whatever becomes of them: an open loop.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_sender::{Outcome, Payload, Receipt, SendError, Sender};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::crowd::{Answers, Crowd, Sent};
use crate::message::Note;
use crate::options::Options;
use crate::stage::Stage;

/// How often the next few messages are sent.
const TICK: Duration = Duration::from_millis(2);
/// How many users that move get messages often.
pub(crate) const OFTEN: usize = 40;

/// Sends at a rate while it runs.
pub(crate) struct Pump {
    sender: Sender,
    crowd: Arc<Crowd>,
    stage: Arc<Stage>,
    flows: [Flow; 3],
    /// How many messages each client was sent, ever.
    pub(crate) sent: Vec<u32>,
    /// How much later than planned a tick was, at the most.
    pub(crate) lag_max: Duration,
    answers: Arc<Mutex<Answers>>,
}

/// A running pump.
pub(crate) struct PumpHandle {
    stop: watch::Sender<bool>,
    task: JoinHandle<Pump>,
}

/// Clients that get messages one after the other.
struct Flow {
    /// The place of the first one.
    first: usize,
    count: usize,
    per_second: usize,
    next: usize,
    credit: usize,
}

impl Pump {
    pub(crate) fn new(sender: Sender, crowd: Arc<Crowd>, stage: Arc<Stage>, options: &Options) -> Self {
        let (movers, bystanders, rate) =
            (options.movers(), options.bystanders as usize, options.rate as usize);
        let flows = [
            Flow::new(0, OFTEN.min(movers), rate / 2),
            Flow::new(OFTEN.min(movers), movers - OFTEN.min(movers), rate / 5),
            Flow::new(movers, bystanders, rate - rate / 2 - rate / 5),
        ];
        let sent = vec![0; crowd.listeners.len()];
        Self { sender, crowd, stage, flows, sent, lag_max: Duration::ZERO, answers: Arc::default() }
    }

    /// Begins to send.
    pub(crate) fn start(mut self) -> PumpHandle {
        self.lag_max = Duration::ZERO;
        let (stop, stopped) = watch::channel(false);
        PumpHandle { stop, task: tokio::spawn(self.run(stopped)) }
    }

    /// The answers of interest since the last call.
    pub(crate) fn take_answers(&self) -> Answers {
        std::mem::take(&mut self.answers.lock())
    }

    async fn run(mut self, stopped: watch::Receiver<bool>) -> Self {
        let (mut ticks, mut tickets) = (tokio::time::interval(TICK), JoinSet::new());
        while !*stopped.borrow() {
            let due = ticks.tick().await;
            self.lag_max = self.lag_max.max(due.elapsed());
            let places: Vec<_> = self.flows.iter_mut().flat_map(Flow::due).collect();
            for place in places {
                self.send(place, &mut tickets).await;
            }
            while tickets.try_join_next().is_some() {}
        }
        tickets.join_all().await;
        self
    }

    async fn send(&mut self, place: usize, tickets: &mut JoinSet<()>) {
        let number = self.sent[place];
        self.sent[place] += 1;
        let note = Note { window: self.stage.window(), number, sent: self.stage.now() };
        let user = self.crowd.listeners[place].user.as_str();
        let call = self.sender.send_to_user(user, Payload::binary(note.payload()));
        let ticket = call.publish().await.expect("it breaks no rule");
        let answers = Arc::clone(&self.answers);
        tickets.spawn(async move {
            let answer = ticket.await;
            answers.lock().note((place, number), &answer);
        });
    }
}

impl PumpHandle {
    /// Ends sending, and waits until everything is answered.
    pub(crate) async fn stop(self) -> Pump {
        self.stop.send_replace(true);
        self.task.await.expect("sending")
    }
}

impl Flow {
    fn new(first: usize, count: usize, per_second: usize) -> Self {
        Self { first, count, per_second, next: 0, credit: 0 }
    }

    /// The places of the clients whose messages are due in this tick.
    fn due(&mut self) -> Vec<usize> {
        self.credit += self.per_second * TICK.as_millis() as usize;
        let due = self.credit / 1_000;
        self.credit %= 1_000;
        let places = (self.next..self.next + due).map(|next| self.first + next % self.count).collect();
        self.next = (self.next + due) % self.count;
        places
    }
}

impl Answers {
    fn note(&mut self, sent: Sent, answer: &Result<Receipt, SendError>) {
        let unusual = match answer {
            Ok(receipt) if receipt.outcome == Outcome::Delivered && receipt.sessions == 1 => return,
            Ok(_) => &mut self.short,
            Err(error) if error.maybe_delivered() => &mut self.doubtful,
            Err(_) => &mut self.refused,
        };
        unusual.insert(sent);
    }
}
