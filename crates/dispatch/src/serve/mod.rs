//! A Publish stream at the node that serves it: requests put on their way, each answered under its sequence number.
//!
//! What a request means is the [`PublishHandler`]'s business. Requests for one target are put on their way one after the
//! other, in the order of the stream; one that has to wait for that holds up those behind it for the same target, and nobody
//! else (`lanes`). One that was refused and may come again is not overtaken by those that say that they follow it
//! (`earlier`). Answers wait for no request. Only a caller that takes no answers stops everything.
//!
//! A request that cannot be read, such as one beyond the size limit, ends the stream: what was taken before it is
//! answered, then its status is the last word. Neither it nor what came after it is taken. So does a node that ends: its last
//! word is `DRAINING`, and whoever reads it knows that what has no answer was not taken.

mod earlier;
mod lanes;

use std::pin::pin;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use ringway_proto::v1::publish_reply::Result as Outcome;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{PublishReply, PublishRequest, Receipt};
use ringway_proto::{Reason, Refusal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

pub use earlier::{Earlier, Way};
use lanes::{LaneKey, Lanes, Step};

/// Carries out the requests of one stream.
pub trait PublishHandler: Send + Sync + 'static {
    /// Puts one request on its way, if that can be done without waiting: the usual case, which shall not pay for a future.
    fn take_at_once(&self, target: Target, _earlier: &Earlier) -> AtOnce {
        AtOnce::Not(target)
    }

    /// Puts one request on its way. Until this is done, the next one for the same target is not looked at. Just before the
    /// request has its place it gives way to the [`Earlier`] ones.
    fn take(&self, target: Target, earlier: Earlier) -> impl Future<Output = Taken> + Send;
}

/// How a request was taken at once.
pub enum AtOnce {
    /// It has its place.
    Taken(Taken),
    /// It is being put on its way. Until this is done, the next one for the same target is not looked at.
    Taking(BoxFuture<'static, Taken>),
    /// It was not: nothing has been done.
    Not(Target),
}

/// How a request was taken.
pub enum Taken {
    /// It is done.
    Now(Result<Receipt, Refusal>),
    /// It is under way.
    Later(Way, BoxFuture<'static, Result<Receipt, Refusal>>),
}

/// The bounds of one stream. At each, no further request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBounds {
    /// How many answers may wait for the caller: in bursts of at most 64, as many as make up this number.
    pub replies_max: usize,
    /// How many requests may be under way or wait for that.
    pub in_flight_max: usize,
    /// How many bytes of payload may wait behind others for the same target.
    pub waiting_bytes_max: usize,
}

impl Default for StreamBounds {
    fn default() -> Self {
        StreamBounds { replies_max: 1024, in_flight_max: 4096, waiting_bytes_max: 16 * 1024 * 1024 }
    }
}

/// How many requests that are there already are taken at once, and how many answers go to the caller together.
const BURST_MAX: usize = 64;

/// Serves one stream in a task of its own, until the caller has ended its half and everything is answered, or until it
/// takes no more answers. From `end` on it takes no more requests. Gives back the answers.
pub fn serve_publish(
    requests: Streaming<PublishRequest>,
    handler: impl PublishHandler,
    bounds: StreamBounds,
    end: CancellationToken,
) -> impl Stream<Item = Result<PublishReply, Status>> + Send + 'static {
    let (replies, receiver) = mpsc::channel(bounds.replies_max.div_ceil(BURST_MAX));
    tokio::spawn(async move {
        // The caller takes no more answers: there is nobody to tell.
        let _ = PublishTask::new(&handler, bounds, replies).run(requests, end).await;
    });
    ReceiverStream::new(receiver).map(stream::iter).flatten()
}

type Reply = Result<PublishReply, Status>;
type NoCaller = mpsc::error::SendError<Vec<Reply>>;

/// A request: its lane and its sequence number.
type Place = (LaneKey, u64);
/// A request that is answered.
type Answered = (Place, Result<Receipt, Refusal>);

struct PublishTask<'a, H> {
    handler: &'a H,
    bounds: StreamBounds,
    replies: mpsc::Sender<Vec<Reply>>,
    /// Answers that go to the caller before anything is waited for.
    gathered: Vec<Reply>,
    lanes: Lanes,
    /// Requests that have no place yet.
    placing: FuturesUnordered<BoxFuture<'a, (Place, Taken)>>,
    under_way: FuturesUnordered<BoxFuture<'static, Answered>>,
}

/// How the caller's half of the stream stands.
enum Requests {
    Open,
    Ended,
    Broken(Status),
}

impl<'a, H: PublishHandler> PublishTask<'a, H> {
    fn new(handler: &'a H, bounds: StreamBounds, replies: mpsc::Sender<Vec<Reply>>) -> Self {
        let (placing, under_way) = (FuturesUnordered::new(), FuturesUnordered::new());
        let (gathered, lanes) = (Vec::new(), Lanes::default());
        PublishTask { handler, bounds, replies, gathered, lanes, placing, under_way }
    }

    async fn run(
        mut self,
        mut requests: Streaming<PublishRequest>,
        end: CancellationToken,
    ) -> Result<(), NoCaller> {
        let mut state = Requests::Open;
        // One for this stream: those of others would wait for the same lock.
        let end = end.child_token();
        let mut ended = pin!(end.cancelled());
        loop {
            self.answer().await?;
            tokio::select! {
                biased;
                // Cancel-safe: an answer that was not taken out stays in the set.
                Some(answered) = self.under_way.next() => self.answered(answered).await?,
                // Cancel-safe, likewise.
                Some((place, taken)) = self.placing.next() => {
                    self.taken(place, taken).await?;
                    self.go_on(place.0).await?;
                }
                () = &mut ended, if matches!(state, Requests::Open) => state = Requests::Broken(good_bye()),
                // Cancel-safe: a request that was not taken out stays in the stream.
                request = requests.message(), if self.has_room() && matches!(state, Requests::Open) => {
                    state = self.arrived(request, &mut requests).await?;
                }
                else => break,
            }
        }
        if let Requests::Broken(status) = state {
            self.gathered.push(Err(status));
        }
        self.answer().await
    }

    /// Passes an answer on, and others that are there.
    async fn answered(&mut self, mut answered: Answered) -> Result<(), NoCaller> {
        for count in 1.. {
            let ((key, sequence), answer) = answered;
            self.lanes.answered(key, answer.as_ref().err());
            self.reply(sequence, answer).await?;
            if count == BURST_MAX {
                break;
            }
            match self.under_way.next().now_or_never().flatten() {
                Some(next) => answered = next,
                None => break,
            }
        }
        Ok(())
    }

    /// Takes a request, and those that are there behind it.
    async fn arrived(
        &mut self,
        mut request: Result<Option<PublishRequest>, Status>,
        requests: &mut Streaming<PublishRequest>,
    ) -> Result<Requests, NoCaller> {
        for count in 1.. {
            match request {
                Ok(Some(request)) => self.begin(request).await?,
                Ok(None) => return Ok(Requests::Ended),
                Err(status) => return Ok(Requests::Broken(last_word(status))),
            }
            if count == BURST_MAX || !self.has_room() {
                break;
            }
            // Whoever is not there yet is waited for beside everything else.
            match requests.message().now_or_never() {
                Some(next) => request = next,
                None => break,
            }
        }
        Ok(Requests::Open)
    }

    fn has_room(&self) -> bool {
        let waiting = self.lanes.waiting();
        let in_flight = self.under_way.len() + self.placing.len() + waiting.requests;
        in_flight < self.bounds.in_flight_max && waiting.payload_bytes < self.bounds.waiting_bytes_max
    }

    async fn begin(&mut self, request: PublishRequest) -> Result<(), NoCaller> {
        let key = self.lanes.key(&request);
        let step = self.lanes.arrive(key, request);
        self.make(key, step).await
    }

    /// Requests that waited behind one that has its place now.
    async fn go_on(&mut self, key: LaneKey) -> Result<(), NoCaller> {
        while let Some(step) = self.lanes.next(key) {
            self.make(key, step).await?;
        }
        Ok(())
    }

    async fn make(&mut self, key: LaneKey, step: Step) -> Result<(), NoCaller> {
        match step {
            Step::Place(request, earlier) => self.place(key, request, earlier).await,
            Step::Refuse(sequence, refusal) => self.reply(sequence, Err(refusal)).await,
            Step::Wait => Ok(()),
        }
    }

    /// In the usual case a request has its place at once.
    async fn place(
        &mut self,
        key: LaneKey,
        request: PublishRequest,
        earlier: Earlier,
    ) -> Result<(), NoCaller> {
        let place = (key, request.sequence);
        let Some(target) = request.send else {
            let missing = "the request has no target: set to_user, to_group or to_all";
            return self.taken(place, Taken::Now(Err(Refusal::new(Reason::InvalidArgument, missing)))).await;
        };
        let taking = match self.handler.take_at_once(target, &earlier) {
            AtOnce::Taken(taken) => return self.taken(place, taken).await,
            AtOnce::Taking(taking) => taking,
            AtOnce::Not(target) => self.handler.take(target, earlier).boxed(),
        };
        let mut taking = taking.map(move |taken| (place, taken)).boxed();
        match (&mut taking).now_or_never() {
            Some((place, taken)) => self.taken(place, taken).await,
            None => {
                self.lanes.hold(key);
                self.placing.push(taking);
                Ok(())
            }
        }
    }

    async fn taken(&mut self, (key, sequence): Place, taken: Taken) -> Result<(), NoCaller> {
        match taken {
            Taken::Now(answer) => {
                self.lanes.end(key, answer.as_ref().err());
                self.reply(sequence, answer).await
            }
            Taken::Later(way, answer) => {
                self.lanes.go(key, way);
                self.under_way.push(answer.map(move |answer| ((key, sequence), answer)).boxed());
                Ok(())
            }
        }
    }

    async fn reply(&mut self, sequence: u64, answer: Result<Receipt, Refusal>) -> Result<(), NoCaller> {
        self.gathered.push(Ok(reply(sequence, answer)));
        if self.gathered.len() < BURST_MAX { Ok(()) } else { self.answer().await }
    }

    /// Gives the caller the answers that were gathered.
    async fn answer(&mut self) -> Result<(), NoCaller> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        self.replies.send(std::mem::take(&mut self.gathered)).await
    }
}

fn reply(sequence: u64, answer: Result<Receipt, Refusal>) -> PublishReply {
    let result = match answer {
        Ok(receipt) => Outcome::Receipt(receipt),
        Err(refusal) => Outcome::Error(refusal.to_publish_error()),
    };
    PublishReply { sequence, result: Some(result) }
}

/// The status with which a stream ends at a node that ends.
fn good_bye() -> Status {
    let message =
        "the node is about to end, and the stream ends here: no request without an answer was carried out";
    Refusal::new(Reason::Draining, message).to_status()
}

/// The status with which a stream ends whose next request cannot be read.
fn last_word(status: Status) -> Status {
    match status.code() {
        // So the transport says it of a request beyond the size limit.
        Code::OutOfRange => {
            let what = status.message();
            let message =
                format!("{what}; the stream ends here: no request without an answer was carried out");
            Refusal::new(Reason::MessageTooLarge, message).to_status()
        }
        _ => status,
    }
}
