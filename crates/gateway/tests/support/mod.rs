//! A gateway on a free port, with a worker made of answers.
//!
//! Nothing here sleeps to let something happen: everything waits for the event itself, for at most [`DEADLINE`].

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use parking_lot::Mutex;
use ringway_auth::{Authenticator, OriginConfig, OriginPolicy, Plain, TokenExtractor};
use ringway_cluster::{Lease, Member, MemberState, MemoryRegistry, Registry, View, Views, views};
use ringway_gateway::{
    Gateway, GatewayConfig, GatewayParts, GatewayStream, InProcess, LinkConnector, Listener, MetricsRenderer,
    MovingConfig, Pages, TlsFiles, WorkerStream,
};
use ringway_proto::v1::gateway_frame::Frame as Said;
use ringway_proto::v1::worker_frame::Frame as Told;
use ringway_proto::v1::{
    Close, Deliver, Detached, Gone, Move, Open, Opened, PayloadKind, RefusalReason, Refused, StatePart,
    Welcome, WorkerFrame, WorkerFrames, Written,
};
use ringway_proto::{Reason, Refusal};
use ringway_ring::{MemberId, Strategy};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_util::sync::CancellationToken;

/// How long a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Where the worker says that clients can reach it.
pub const CLIENT_URL: &str = "wss://w1.example.com/ws";

/// Waits for `event`, and fails if it does not come.
pub async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    timeout(DEADLINE, event).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// What the worker answers to an `Open`.
#[derive(Clone, Debug)]
pub enum Answering {
    /// Opened, with the first subprotocol that was offered.
    Admit,
    /// Refused.
    Refuse(RefusalReason),
    /// Nothing.
    Silence,
}

/// What the worker answers to a `Detach`.
#[derive(Clone, Debug)]
pub enum Detaching {
    /// These parts of a state, then `Detached` with the last.
    With(Vec<Vec<u8>>),
    /// Nothing.
    Silence,
}

/// A worker in the same process: it keeps what it hears and says what the test says.
#[derive(Clone)]
pub struct FakeWorker(Arc<Shared>);

struct Shared {
    id: &'static str,
    answering: Mutex<Answering>,
    detaching: Mutex<Detaching>,
    /// Whether messages are sent back to their channel.
    echoes: Mutex<bool>,
    /// Whether what the gateway says is listened to.
    listens: watch::Sender<bool>,
    /// Whether new links are refused.
    refuses_links: Mutex<bool>,
    heard: watch::Sender<Vec<Said>>,
    links: Mutex<Vec<LinkEnd>>,
}

struct LinkEnd {
    tell: mpsc::Sender<Result<WorkerFrames, Refusal>>,
    cut: CancellationToken,
}

impl FakeWorker {
    pub fn new(id: &'static str) -> Self {
        Self(Arc::new(Shared {
            id,
            answering: Mutex::new(Answering::Admit),
            detaching: Mutex::new(Detaching::With(vec![format!("detached from {id}").into_bytes()])),
            echoes: Mutex::new(true),
            listens: watch::Sender::new(true),
            refuses_links: Mutex::new(false),
            heard: watch::Sender::new(Vec::new()),
            links: Mutex::default(),
        }))
    }

    pub fn member(&self) -> Member {
        let url = format!("http://{}.test:7071", self.0.id).parse().expect("a url");
        let mut member = Member::new(MemberId::new(self.0.id).expect("an id"), url);
        member.client_url = Some(CLIENT_URL.to_owned());
        member
    }

    pub fn answer(&self, answering: Answering) {
        *self.0.answering.lock() = answering;
    }

    pub fn detach(&self, detaching: Detaching) {
        *self.0.detaching.lock() = detaching;
    }

    /// Asks for these sessions to be moved.
    pub async fn moves(&self, channels: &[u64]) {
        self.tell(Told::Move(Move { channels: channels.to_vec() })).await;
    }

    pub fn echo(&self, echoes: bool) {
        *self.0.echoes.lock() = echoes;
    }

    pub fn listen(&self, listens: bool) {
        self.0.listens.send_replace(listens);
    }

    /// Takes no new links from now on.
    pub fn refuse_links(&self) {
        *self.0.refuses_links.lock() = true;
    }

    /// Breaks all links.
    pub fn cut(&self) {
        self.0.links.lock().drain(..).for_each(|link| link.cut.cancel());
    }

    /// Says something on the link that the channel of the newest `Open` came on. The tests use one link.
    pub async fn tell(&self, frame: Told) {
        self.tell_together(vec![frame]).await;
    }

    /// Says several things in one batch.
    pub async fn tell_together(&self, frames: Vec<Told>) {
        let tell = self.0.links.lock().last().expect("a link").tell.clone();
        let frames = frames.into_iter().map(|frame| WorkerFrame { frame: Some(frame) }).collect();
        tell.send(Ok(WorkerFrames { frames })).await.expect("the link is up");
    }

    pub async fn deliver(&self, channels: &[u64], payload: &[u8], kind: PayloadKind) {
        let payload = payload.to_vec().into();
        self.tell(Told::Deliver(Deliver {
            channels: channels.to_vec(),
            payload,
            kind: kind.into(),
            ..Deliver::default()
        }))
        .await;
    }

    pub async fn close(&self, channel: u64, code: u32, reason: &str) {
        self.tell(Told::Close(Close { channel, code, reason: reason.into() })).await;
    }

    /// Waits until something was heard that `wanted` makes a `T` of.
    pub async fn hears<T>(&self, what: &str, wanted: impl Fn(&Said) -> Option<T>) -> T {
        let mut heard = self.0.heard.subscribe();
        soon(what, async move {
            loop {
                if let Some(found) = heard.borrow_and_update().iter().find_map(&wanted) {
                    return found;
                }
                heard.changed().await.expect("the worker lives");
            }
        })
        .await
    }

    /// Waits for the question for a place for a user's session that was open before, on a channel above `after`.
    pub async fn hears_reopen(&self, user: &str, after: u64) -> Open {
        self.hears("an open of an open session", |said| match said {
            Said::Open(open) if open.user == user && open.reopen.is_some() && open.channel > after => {
                Some(open.clone())
            }
            _ => None,
        })
        .await
    }

    /// Waits for a `Gone` that says so.
    pub async fn hears_gone_for(&self, channel: u64) -> Gone {
        self.hears("a gone", |said| match said {
            Said::Gone(gone) if gone.channel == channel => Some(*gone),
            _ => None,
        })
        .await
    }

    pub async fn hears_detach(&self, channel: u64) {
        self.hears("a detach", |said| match said {
            Said::Detach(detach) if detach.channel == channel => Some(()),
            _ => None,
        })
        .await;
    }

    pub async fn hears_arrived(&self, channel: u64) {
        self.hears("an arrived", |said| match said {
            Said::Arrived(arrived) if arrived.channel == channel => Some(()),
            _ => None,
        })
        .await;
    }

    /// What the clients' messages on a channel were.
    pub fn heard_messages(&self, channel: u64) -> Vec<String> {
        let heard = self.0.heard.borrow();
        let of_channel = heard.iter().filter_map(|said| match said {
            Said::Message(message) if message.channel == channel => Some(&message.payload),
            _ => None,
        });
        of_channel.map(|payload| String::from_utf8(payload.to_vec()).expect("text")).collect()
    }

    pub fn heard(&self) -> Vec<Said> {
        self.0.heard.borrow().clone()
    }

    pub async fn hears_open(&self, user: &str) -> Open {
        self.hears("an open", |said| match said {
            Said::Open(open) if open.user == user => Some(open.clone()),
            _ => None,
        })
        .await
    }

    pub async fn hears_gone(&self, channel: u64) -> u32 {
        self.hears("a gone", |said| match said {
            Said::Gone(gone) if gone.channel == channel => Some(gone.code),
            _ => None,
        })
        .await
    }

    /// Waits until so many opens have come.
    pub async fn hears_as_many_opens(&self, count: usize) {
        let opens = |heard: &Vec<Said>| heard.iter().filter(|said| matches!(said, Said::Open(_))).count();
        let mut heard = self.0.heard.subscribe();
        let reached = heard.wait_for(|heard| opens(heard) >= count);
        let reached = soon("enough opens", reached).await.expect("the worker lives");
        assert_eq!(opens(&reached), count, "no more than that");
    }

    /// Waits until every session that was opened is gone.
    pub async fn hears_as_many_gone_as_opened(&self) {
        let count =
            |heard: &[Said], wanted: fn(&Said) -> bool| heard.iter().filter(|said| wanted(said)).count();
        let mut heard = self.0.heard.subscribe();
        let balanced = |heard: &Vec<Said>| {
            let opened = count(heard, |said| matches!(said, Said::Open(_)));
            opened > 0 && opened == count(heard, |said| matches!(said, Said::Gone(_)))
        };
        heard.wait_for(balanced).await.expect("the worker lives");
    }

    /// Waits until the gateway has ended every link.
    pub async fn left(&self) {
        let links: Vec<_> = self.0.links.lock().iter().map(|link| link.cut.clone()).collect();
        for cut in links {
            cut.cancelled().await;
        }
    }

    /// How many bytes were reported as written for a channel so far.
    pub fn written(&self, channel: u64) -> u64 {
        let heard = self.0.heard.borrow();
        let reports = heard.iter().filter_map(|said| match said {
            Said::Written(Written { channels, bytes }) => Some(channels.iter().zip(bytes)),
            _ => None,
        });
        reports.flatten().filter(|(its, _)| **its == channel).map(|(_, bytes)| *bytes).sum()
    }

    pub async fn hears_written(&self, channel: u64, bytes: u64) {
        let mut heard = self.0.heard.subscribe();
        let enough = async {
            while self.written(channel) < bytes {
                heard.changed().await.expect("the worker lives");
            }
        };
        soon("a report of what was written", enough).await;
        assert_eq!(self.written(channel), bytes);
    }

    /// The other half of [`InProcess`].
    pub fn connector(&self) -> Arc<dyn LinkConnector> {
        let worker = self.clone();
        Arc::new(InProcess::new(move |says| {
            let worker = worker.clone();
            async move { worker.attach(says) }.boxed()
        }))
    }

    fn attach(&self, says: GatewayStream) -> Result<WorkerStream, Refusal> {
        if *self.0.refuses_links.lock() {
            return Err(Refusal::new(Reason::Draining, "the test says so"));
        }
        let (tell, told) = mpsc::channel(64);
        let cut = CancellationToken::new();
        self.0.links.lock().push(LinkEnd { tell: tell.clone(), cut: cut.clone() });
        let ended = cut.clone().cancelled_owned();
        let worker = self.clone();
        tokio::spawn(async move {
            let _ended = cut.clone().drop_guard();
            cut.run_until_cancelled(worker.serve(says, tell)).await;
        });
        Ok(ReceiverStream::new(told).take_until(ended).boxed())
    }

    async fn serve(&self, mut says: GatewayStream, tell: mpsc::Sender<Result<WorkerFrames, Refusal>>) {
        let mut listens = self.0.listens.subscribe();
        loop {
            listens.wait_for(|listens| *listens).await.expect("the worker lives");
            let Some(batch) = says.next().await else { return };
            for said in batch.frames.into_iter().filter_map(|frame| frame.frame) {
                let answers = self.consider(&said);
                self.0.heard.send_modify(|heard| heard.push(said));
                for answer in answers {
                    tell.send(Ok(frames(answer))).await.expect("the link is up");
                }
            }
        }
    }

    fn consider(&self, said: &Said) -> Vec<Told> {
        match said {
            Said::Hello(_) => {
                let worker_id = self.0.id.to_owned();
                vec![Told::Welcome(Welcome { worker_id, incarnation: 1, ..Welcome::default() })]
            }
            Said::Open(open) => self.answer_to(open).into_iter().collect(),
            Said::Detach(detach) => self.let_go(detach.channel),
            Said::Message(message) if *self.0.echoes.lock() => vec![Told::Deliver(Deliver {
                channels: vec![message.channel],
                payload: message.payload.clone(),
                kind: message.kind,
                ..Deliver::default()
            })],
            _ => Vec::new(),
        }
    }

    fn let_go(&self, channel: u64) -> Vec<Told> {
        let Detaching::With(mut parts) = self.0.detaching.lock().clone() else { return Vec::new() };
        let last = parts.pop().unwrap_or_default();
        let parts = parts.into_iter();
        let parts = parts.map(|state| Told::StatePart(StatePart { channel, state: state.into() }));
        parts.chain([Told::Detached(Detached { channel, state: last.into() })]).collect()
    }

    fn answer_to(&self, open: &Open) -> Option<Told> {
        let channel = open.channel;
        match &*self.0.answering.lock() {
            Answering::Admit => {
                let subprotocol = open.subprotocols.first().cloned().unwrap_or_default();
                let state = format!("opened at {}", self.0.id).into();
                Some(Told::Opened(Opened {
                    channel,
                    subprotocol,
                    state,
                    session_id: open.session_id.clone(),
                }))
            }
            Answering::Refuse(reason) => {
                let message = "the test says so".into();
                Some(Told::Refused(Refused { channel, reason: (*reason).into(), message, ring_version: 0 }))
            }
            Answering::Silence => None,
        }
    }
}

/// Several workers: each is reached by its own name.
struct Several(Vec<FakeWorker>);

impl LinkConnector for Several {
    fn connect(
        &self,
        member: &Member,
        says: GatewayStream,
    ) -> BoxFuture<'static, Result<WorkerStream, Refusal>> {
        let worker =
            self.0.iter().find(|worker| worker.0.id == member.id.as_str()).expect("a worker").clone();
        async move { worker.attach(says) }.boxed()
    }
}

fn frames(frame: Told) -> WorkerFrames {
    WorkerFrames { frames: vec![WorkerFrame { frame: Some(frame) }] }
}

/// How a test's gateway differs from the usual one.
pub struct Setup {
    pub config: GatewayConfig,
    pub tokens: TokenExtractor,
    pub authenticator: Arc<dyn Authenticator>,
    pub origins: OriginConfig,
    pub metrics: Option<MetricsRenderer>,
    pub pages: Option<Arc<dyn Pages>>,
    pub tls: Option<TlsFiles>,
    /// Whether the worker is in the view.
    pub joined: bool,
    /// Who is in the view instead of the worker.
    pub member: Option<Member>,
    /// Workers that may join later.
    pub others: Vec<FakeWorker>,
    /// How it is reached, if not in the process.
    pub connector: Option<Arc<dyn LinkConnector>>,
}

impl Default for Setup {
    fn default() -> Self {
        let mut config = GatewayConfig::default();
        config.link.backoff_min = Duration::from_millis(1);
        config.link.backoff_max = Duration::from_millis(10);
        config.shutdown.drain_window = Duration::ZERO;
        config.socket.close_timeout = Duration::from_millis(500);
        Self {
            config,
            tokens: TokenExtractor::default(),
            authenticator: Arc::new(Plain::default()),
            origins: OriginConfig::default(),
            metrics: None,
            pages: None,
            tls: None,
            joined: true,
            member: None,
            others: Vec::new(),
            connector: None,
        }
    }
}

/// A gateway that runs, and its worker.
pub struct Bench {
    pub address: SocketAddr,
    pub worker: FakeWorker,
    pub registry: MemoryRegistry,
    pub views: Views,
    pub shutdown: CancellationToken,
    pub gateway: JoinHandle<()>,
    lease: Option<Box<dyn Lease>>,
}

impl Bench {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup);
        let worker = FakeWorker::new("w1");
        let registry = MemoryRegistry::new();
        let member = setup.member.unwrap_or_else(|| worker.member());
        let lease = if setup.joined { registry.join(member).await.ok() } else { None };
        let shutdown = CancellationToken::new();
        let views = views(&registry, Strategy::Slots, CancellationToken::new());
        let parts = GatewayParts {
            views: views.clone(),
            connector: setup
                .connector
                .unwrap_or_else(|| Arc::new(Several([vec![worker.clone()], setup.others.clone()].concat()))),
            tokens: setup.tokens,
            authenticator: setup.authenticator,
            origins: OriginPolicy::new(&setup.origins).expect("origins"),
            metrics: setup.metrics,
            pages: setup.pages,
        };
        let gateway = Gateway::new(setup.config, parts).expect("a sound configuration");
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        let serving = gateway.serve(vec![Listener { socket, tls: setup.tls }], shutdown.clone());
        let gateway = tokio::spawn(async move { serving.await.expect("it serves") });
        Self { address, worker, registry, views, shutdown, gateway, lease }
    }

    pub async fn tcp(&self) -> TcpStream {
        soon("a connection", TcpStream::connect(self.address)).await.expect("a connection")
    }

    /// Opens a socket as `user`.
    pub async fn client(&self, user: &str) -> Client<TcpStream> {
        let request = format!("ws://{}/ws?token={user}", self.address);
        let (socket, _) = self.open(request).await;
        Client(socket)
    }

    /// Opens a socket and gives its channel too.
    pub async fn client_and_channel(&self, user: &str) -> (Client<TcpStream>, u64) {
        let client = self.client(user).await;
        let open = self.worker.hears_open(user).await;
        (client, open.channel)
    }

    pub async fn open(
        &self,
        request: impl IntoClientRequest + Unpin,
    ) -> (WebSocketStream<TcpStream>, Response) {
        let handshake = tokio_tungstenite::client_async(request, self.tcp().await);
        soon("a handshake", handshake).await.expect("a socket")
    }

    /// Sends these bytes and gives everything that comes until the gateway closes.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.tcp().await;
        stream.write_all(bytes).await.expect("sent");
        stream.shutdown().await.expect("sent all");
        let mut answer = Vec::new();
        // A reset after the answer is as good as an end.
        soon("an answer", stream.read_to_end(&mut answer)).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks for something without the intention to upgrade.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")).await
    }

    pub async fn ask(&self, request: &str) -> Answer {
        let mut stream = self.tcp().await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        read_answer(&mut stream).await
    }

    /// A bench with a second worker that may join, which waits for everything for as long as the test does.
    pub async fn with_another(change: impl FnOnce(&mut MovingConfig)) -> (Self, FakeWorker) {
        let other = FakeWorker::new("w2");
        let bench = Self::with(|setup| {
            setup.others = vec![other.clone()];
            setup.config.moving.retire_wait = 2 * DEADLINE;
            setup.config.moving.detach_timeout = 2 * DEADLINE;
            setup.config.moving.reopen_deadline = 2 * DEADLINE;
            change(&mut setup.config.moving);
        })
        .await;
        (bench, other)
    }

    /// The worker drains, and this one has its users. Holds for as long as the lease does.
    pub async fn hand_over_to(&self, other: &FakeWorker) -> Box<dyn Lease> {
        let lease = self.registry.join(other.member()).await.expect("joined");
        let mut member = self.worker.member();
        member.state = MemberState::Draining;
        self.lease.as_ref().expect("it has joined").update(member).await.expect("it drains");
        let mut views = self.views.subscribe();
        let is_owner =
            |view: &Arc<View>| view.owner("anybody").is_some_and(|owner| owner.id.as_str() == other.0.id);
        soon("the view", views.wait_for(is_owner)).await.expect("a view");
        lease
    }

    /// Takes the worker out of the view.
    pub async fn leave(&mut self) {
        let lease = self.lease.take().expect("it has joined");
        lease.leave().await.expect("it left");
    }

    pub async fn end(self) {
        self.shutdown.cancel();
        soon("the gateway's end", self.gateway).await.expect("it ended well");
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    pub fn reason(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("a JSON body");
        assert_eq!(body["error"]["status"], self.status);
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        body["error"]["reason"].as_str().expect("a reason").to_owned()
    }
}

pub async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let head = read_head(stream).await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let mut answer = Answer { status, head, body: String::new() };
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    soon("a body", stream.read_exact(&mut body)).await.expect("a body");
    answer.body = String::from_utf8(body).expect("text");
    answer
}

/// Reads exactly up to the end of an HTTP head.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = soon("a head", stream.read_u8()).await;
        head.push(byte.unwrap_or_else(|_| panic!("the head ended: {:?}", String::from_utf8_lossy(&head))));
    }
    String::from_utf8(head).expect("text")
}

/// A well-formed opening handshake, with more headers.
pub fn upgrade(target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nhost: test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// A client's end of a socket.
pub struct Client<S>(pub WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn send(&mut self, message: impl Into<Message>) {
        soon("room to send", self.0.send(message.into())).await.expect("sent");
    }

    pub async fn receive(&mut self) -> Message {
        soon("a message", self.0.next()).await.expect("the socket is open").expect("a message")
    }

    /// The next message that is neither ping nor pong.
    pub async fn receive_data(&mut self) -> Message {
        loop {
            let message = self.receive().await;
            if !message.is_ping() && !message.is_pong() {
                return message;
            }
        }
    }

    /// The close code that the gateway sends next, then the end of the connection.
    pub async fn closed(&mut self) -> (u16, String) {
        let Message::Close(Some(frame)) = self.receive_data().await else { panic!("not closed") };
        while let Some(Ok(_)) = soon("the end", self.0.next()).await {}
        (frame.code.into(), frame.reason.to_string())
    }
}

/// A certificate and its key in files, and clients that trust it.
pub struct Certified {
    directory: tempfile::TempDir,
    certificate: rustls_pki_types::CertificateDer<'static>,
}

impl Certified {
    pub fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let certificate = Self::write(directory.path(), name);
        Self { directory, certificate }
    }

    pub fn files(&self) -> TlsFiles {
        let path = |name| self.directory.path().join(name);
        TlsFiles { certificates: path("cert.pem"), key: path("key.pem") }
    }

    pub fn renew(&mut self, name: &str) {
        self.certificate = Self::write(self.directory.path(), name);
    }

    pub fn spoil(&self) {
        std::fs::write(self.files().certificates, "no certificate at all").expect("written");
    }

    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        roots
    }

    pub async fn client(&self, bench: &Bench, user: &str) -> Result<TlsClient, String> {
        Box::pin(tls_client(bench, self.roots(), user)).await
    }

    fn write(directory: &std::path::Path, name: &str) -> rustls_pki_types::CertificateDer<'static> {
        let certified = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        std::fs::write(directory.join("key.pem"), certified.signing_key.serialize_pem()).expect("written");
        std::fs::write(directory.join("cert.pem"), certified.cert.pem()).expect("written");
        certified.cert.der().clone()
    }
}

pub type TlsClient = Client<tokio_rustls::client::TlsStream<TcpStream>>;

pub async fn tls_client(
    bench: &Bench,
    roots: rustls::RootCertStore,
    user: &str,
) -> Result<TlsClient, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = "localhost".try_into().expect("a name");
    let stream = soon("a TLS handshake", connector.connect(name, bench.tcp().await)).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let request = format!("wss://localhost/ws?token={user}");
    let opened = soon("a handshake", Box::pin(tokio_tungstenite::client_async(request, stream))).await;
    opened.map(|(socket, _)| Client(socket)).map_err(|error| error.to_string())
}
