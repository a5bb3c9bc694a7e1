//! A served Publish stream: what is answered, when, and how it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream};
use parking_lot::Mutex;
use ringway_dispatch::{Earlier, PublishHandler, RequestRules, StreamBounds, Taken, Way, serve_publish};
use ringway_proto::v1::delivery_client::DeliveryClient;
use ringway_proto::v1::delivery_server::Delivery;
use ringway_proto::v1::publish_request::Send as Target;
use ringway_proto::v1::{
    Message, PublishReply, PublishRequest, Receipt, SendToAllRequest, SendToGroupRequest, SendToUserRequest,
    Turn, publish_reply,
};
use ringway_proto::{Reason, Refusal};
use ringway_rpc::{
    HealthHandle, NodeLimits, NodePool, NodeServices, NodeUrl, PoolConfig, ServerConfig, serve_node,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

use crate::fake::{secret, soon};

const LIMITS: NodeLimits = NodeLimits::new(64 * 1024);

/// What the test and the handler share.
#[derive(Default)]
struct Gates {
    /// The users to whom a request was taken or is being taken.
    taking: Mutex<Vec<String>>,
    entered: Notify,
    take: Notify,
    answer: Notify,
}

/// Takes a request to "slow" when the test says so, answers one to "later" and refuses the first one to "in vain" when the test
/// says so, others at once.
struct Scripted(Arc<Gates>);

impl PublishHandler for Scripted {
    async fn take(&self, target: Target, earlier: Earlier) -> Taken {
        let Target::ToUser(mut request) = target else { panic!("not to a user") };
        self.0.taking.lock().push(request.user.clone());
        self.0.entered.notify_one();
        if let Err(refusal) = RequestRules::new(LIMITS.message_bytes_max()).user_send(&mut request) {
            return Taken::Now(Err(refusal));
        }
        let gates = Arc::clone(&self.0);
        let answer = async move { gates.answer.notified().await };
        match request.user.as_str() {
            "later" => Taken::Later(Way::Here, answer.map(|()| Ok(done())).boxed()),
            "in vain" if self.0.taking.lock().len() == 1 => {
                Taken::Later(Way::Here, answer.map(|()| Err(refused())).boxed())
            }
            "in vain" => Taken::Now(earlier.give_way(Way::Here).await.map(|()| done())),
            "slow" => {
                self.0.take.notified().await;
                Taken::Now(Ok(done()))
            }
            _ => Taken::Now(Ok(done())),
        }
    }
}

fn refused() -> Refusal {
    Refusal::new(Reason::NotOwner, "the test says so")
}

fn done() -> Receipt {
    Receipt { sessions: 1, ..Receipt::default() }
}

struct Service(Arc<Gates>, CancellationToken);

#[tonic::async_trait]
impl Delivery for Service {
    type PublishStream = Pin<Box<dyn Stream<Item = Result<PublishReply, Status>> + Send>>;

    async fn send_to_user(&self, _: Request<SendToUserRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn send_to_group(&self, _: Request<SendToGroupRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn send_to_all(&self, _: Request<SendToAllRequest>) -> Result<Response<Receipt>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<Self::PublishStream>, Status> {
        let handler = Scripted(Arc::clone(&self.0));
        let replies = serve_publish(request.into_inner(), handler, StreamBounds::default(), self.1.clone());
        Ok(Response::new(Box::pin(replies)))
    }
}

/// A node and one open stream to it, without limits on the caller's side.
struct Bench {
    gates: Arc<Gates>,
    requests: mpsc::Sender<PublishRequest>,
    replies: Streaming<PublishReply>,
    sequence: u64,
    /// Ends the stream.
    drain: CancellationToken,
    _end: DropGuard,
}

impl Bench {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = NodeUrl::from(listener.local_addr().unwrap());
        let (gates, end) = (Arc::<Gates>::default(), CancellationToken::new());
        let drain = CancellationToken::new();
        let service = LIMITS.delivery_server(Service(Arc::clone(&gates), drain.clone()));
        let services = NodeServices::new(HealthHandle::new()).with(service);
        tokio::spawn(serve_node(listener, services, secret(), ServerConfig::default(), end.clone()));
        let transport = NodePool::new(secret(), PoolConfig::default()).node(&url).transport();
        let (requests, received) = mpsc::channel(1024);
        let stream = DeliveryClient::new(transport).publish(ReceiverStream::new(received)).await.unwrap();
        Bench { gates, requests, replies: stream.into_inner(), sequence: 0, drain, _end: end.drop_guard() }
    }

    /// Sends a request; the first one has sequence number 1.
    async fn send(&mut self, user: &str, payload_bytes: usize) {
        self.send_in_turn(user, payload_bytes, Turn::Unspecified).await;
    }

    async fn send_in_turn(&mut self, user: &str, payload_bytes: usize, turn: Turn) {
        self.sequence += 1;
        let request = PublishRequest { turn: turn.into(), ..request(self.sequence, user, payload_bytes) };
        self.requests.send(request).await.unwrap();
    }

    async fn reply(&mut self) -> Result<Option<(u64, Result<(), Reason>)>, Status> {
        let reply = soon("a reply or the end", self.replies.message()).await?;
        Ok(reply.map(|reply| {
            let result = match reply.result.unwrap() {
                publish_reply::Result::Receipt(_) => Ok(()),
                publish_reply::Result::Error(error) => Err(Refusal::from_publish_error(error).reason),
            };
            (reply.sequence, result)
        }))
    }
}

fn request(sequence: u64, user: &str, payload_bytes: usize) -> PublishRequest {
    let message = Some(Message { payload: vec![b'x'; payload_bytes].into(), ..Message::default() });
    let send = SendToUserRequest { user: user.into(), message, ..SendToUserRequest::default() };
    PublishRequest { sequence, send: Some(Target::ToUser(send)), ..PublishRequest::default() }
}

#[tokio::test]
async fn many_requests_at_once_are_each_answered_once_and_in_order() {
    let mut bench = Bench::start().await;
    for _ in 0..500 {
        bench.send("alice", 1).await;
    }
    for sequence in 1..=500 {
        assert_eq!(bench.reply().await.unwrap(), Some((sequence, Ok(()))));
    }
}

#[tokio::test]
async fn many_answers_at_once_come_each_once() {
    let mut bench = Bench::start().await;
    for _ in 0..500 {
        bench.send("later", 1).await;
    }
    let entered = async {
        while bench.gates.taking.lock().len() < 500 {
            bench.gates.entered.notified().await;
        }
    };
    soon("all to be taken", entered).await;
    let gates = Arc::clone(&bench.gates);
    let answering = tokio::spawn(async move {
        loop {
            gates.answer.notify_waiters();
            tokio::task::yield_now().await;
        }
    });
    let mut answered = Vec::new();
    for _ in 0..500 {
        answered.push(bench.reply().await.unwrap().expect("the stream is open").0);
    }
    answered.sort_unstable();
    assert!(answered.into_iter().eq(1..=500));
    answering.abort();
}

#[tokio::test]
async fn a_node_that_ends_does_so_while_its_caller_never_pauses() {
    let mut bench = Bench::start().await;
    let requests = bench.requests.clone();
    tokio::spawn(async move {
        let mut sequences = 1..;
        while requests.send(request(sequences.next().expect("no end"), "alice", 1)).await.is_ok() {}
    });
    let mut answered = 0;
    let status = loop {
        match bench.reply().await {
            Ok(Some((sequence, Ok(())))) if sequence == answered + 1 => answered = sequence,
            Ok(other) => panic!("{other:?} after {answered}"),
            Err(status) => break status,
        }
        if answered == 200 {
            bench.drain.cancel();
        }
    };
    assert_eq!(Refusal::from_status(&status).reason, Reason::Draining, "{status}");
    assert_eq!(bench.gates.taking.lock().len() as u64, answered, "what was taken is answered");
}

#[tokio::test]
async fn a_request_that_is_somewhat_too_large_is_refused_by_its_number() {
    let mut bench = Bench::start().await;
    let bytes_max = LIMITS.message_bytes_max();
    for bytes in [1, bytes_max, bytes_max + 1, 2 * bytes_max, 1] {
        bench.send("alice", bytes).await;
    }
    let too_large = Err(Reason::MessageTooLarge);
    for expected in [(1, Ok(())), (2, Ok(())), (3, too_large), (4, too_large), (5, Ok(()))] {
        assert_eq!(bench.reply().await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_read_ends_the_stream_with_its_status_after_the_answers() {
    let mut bench = Bench::start().await;
    bench.send("later", 1).await;
    bench.send("alice", 10 * LIMITS.message_bytes_max()).await;
    bench.send("alice", 1).await;
    let early = tokio::time::timeout(Duration::from_millis(50), bench.replies.message()).await;
    assert!(early.is_err(), "the first request is not answered yet: {early:?}");
    bench.gates.answer.notify_one();
    assert_eq!(bench.reply().await.unwrap(), Some((1, Ok(()))));
    let refusal = Refusal::from_status(&bench.reply().await.unwrap_err());
    assert_eq!(refusal.reason, Reason::MessageTooLarge, "{refusal}");
    assert_eq!(*bench.gates.taking.lock(), ["later"], "nothing behind it was taken");
}

#[tokio::test]
async fn a_request_that_waits_for_its_place_holds_up_those_for_its_target_and_nobody_else() {
    let mut bench = Bench::start().await;
    for user in ["later", "slow", "slow", "alice"] {
        bench.send(user, 1).await;
    }
    assert_eq!(bench.reply().await.unwrap(), Some((4, Ok(()))));
    assert_eq!(
        *bench.gates.taking.lock(),
        ["later", "slow", "alice"],
        "one to a target is taken after the other"
    );
    bench.gates.answer.notify_one();
    assert_eq!(bench.reply().await.unwrap(), Some((1, Ok(()))));
    for sequence in [2, 3] {
        bench.gates.take.notify_one();
        assert_eq!(bench.reply().await.unwrap(), Some((sequence, Ok(()))));
    }
}

#[tokio::test]
async fn behind_a_refused_request_those_that_follow_are_refused_until_the_caller_begins_again() {
    let mut bench = Bench::start().await;
    bench.send_in_turn("in vain", 1, Turn::First).await;
    bench.send_in_turn("alice", 1, Turn::First).await;
    assert_eq!(bench.reply().await.unwrap(), Some((2, Ok(()))));
    bench.gates.answer.notify_one();
    assert_eq!(bench.reply().await.unwrap(), Some((1, Err(Reason::NotOwner))));
    let turns = [
        (Turn::Follows, Err(Reason::OutOfTurn)),
        (Turn::Unspecified, Ok(())),
        (Turn::Follows, Err(Reason::OutOfTurn)),
        (Turn::First, Ok(())),
        (Turn::Follows, Ok(())),
    ];
    for (sequence, (turn, expected)) in (3..).zip(turns) {
        bench.send_in_turn("in vain", 1, turn).await;
        assert_eq!(bench.reply().await.unwrap(), Some((sequence, expected)), "{turn:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_requests_waits_for_what_is_being_taken_and_for_the_answers() {
    let mut bench = Bench::start().await;
    bench.send("later", 1).await;
    bench.send("slow", 1).await;
    let (ended, _) = mpsc::channel(1);
    drop(std::mem::replace(&mut bench.requests, ended));
    bench.gates.take.notify_one();
    assert_eq!(bench.reply().await.unwrap(), Some((2, Ok(()))));
    bench.gates.answer.notify_one();
    assert_eq!(bench.reply().await.unwrap(), Some((1, Ok(()))));
    assert_eq!(bench.reply().await.unwrap(), None);
}

#[tokio::test]
async fn a_node_that_ends_answers_what_it_has_taken_and_says_that_the_rest_may_come_again() {
    let mut bench = Bench::start().await;
    // Of these three is one under way, one is being taken, and one waits for that.
    for user in ["later", "slow", "slow"] {
        bench.send(user, 1).await;
    }
    bench.send("alice", 1).await;
    assert_eq!(bench.reply().await.unwrap(), Some((4, Ok(()))));
    bench.drain.cancel();
    bench.send("alice", 1).await;
    for sequence in [2, 3] {
        bench.gates.take.notify_one();
        assert_eq!(bench.reply().await.unwrap(), Some((sequence, Ok(()))));
    }
    let early = tokio::time::timeout(Duration::from_millis(50), bench.replies.message()).await;
    assert!(early.is_err(), "the first request is not answered yet: {early:?}");
    bench.gates.answer.notify_one();
    assert_eq!(bench.reply().await.unwrap(), Some((1, Ok(()))));
    let refusal = Refusal::from_status(&bench.reply().await.unwrap_err());
    assert_eq!(refusal.reason, Reason::Draining, "{refusal}");
    assert_eq!(*bench.gates.taking.lock(), ["later", "slow", "alice", "slow"], "nothing was taken later");
}
