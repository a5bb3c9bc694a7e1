//! A client that only listens, raw or with `ringway.v1.json`, and remembers what came.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringway_client::{
    Action, ClientConfig, ClientSession, Continuation, Continuity, Event, Refusal, ServerFrame,
};
use ringway_session::CloseCode;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::client::{self, Client, Refused};
use crate::ledger::Note;

/// How it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Without a subprotocol. When its socket ends, it ends.
    Raw,
    /// With `ringway.v1.json`: acknowledges, and resumes at the next gateway when its socket ends.
    V1,
}

/// A listener. One user's only session, and a member of one group.
#[derive(Debug)]
pub struct Listener {
    /// Who it is.
    pub user: String,
    /// Its group.
    pub group: String,
    /// How it speaks.
    pub way: Way,
    gateways: Vec<SocketAddr>,
    began: Instant,
    heard: Mutex<Heard>,
}

/// What it heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// The numbers of the messages to the user, as they came.
    pub own: Vec<u32>,
    /// The numbers of the messages to the group, as they came.
    pub group: Vec<u32>,
    /// How each connection went on with the one before; raw ones are new.
    pub connections: Vec<Continuity>,
    /// How sockets ended.
    pub ends: Vec<(u16, String)>,
    /// How often the server said that it is about to leave (`reconnect`).
    pub told_to_reconnect: usize,
    /// Messages that came and were none of ours.
    pub strange: Vec<String>,
    /// The youngest message that came: when it was sent.
    pub youngest: Duration,
    lap: Lap,
}

/// What was slow since the last time that somebody asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lap {
    last: Option<Instant>,
    /// The longest time between two messages.
    pub gap_max: Duration,
    /// The longest time from a send to its arrival.
    pub delay_max: Duration,
}

/// What is wrong with the order of arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    /// Messages that came once more.
    pub repeated: usize,
    /// Messages that came after younger ones.
    pub late: usize,
}

impl Listener {
    /// A listener that goes to the first of these gateways, and to the next one whenever its socket ends.
    pub fn new(number: usize, way: Way, gateways: Vec<SocketAddr>, began: Instant, groups: usize) -> Self {
        let group = format!("group{}", number % groups);
        let user = format!("user{number}-{group}");
        Self { user, group, way, gateways, began, heard: Mutex::default() }
    }

    /// What it has heard so far.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens until its socket ends for good.
    pub async fn listen(&self) {
        match self.way {
            Way::Raw => self.listen_raw().await,
            Way::V1 => V1 { listener: self, socket: None, connections: 0 }.listen().await,
        }
    }

    async fn listen_raw(&self) {
        let mut socket = Client::connect(self.gateways[0], &self.user).await;
        self.heard().connections.push(Continuity::New);
        loop {
            match socket.next().await {
                Ok(message) => self.hear(&text_of(&message)),
                Err(end) => return self.heard().ends.push(end),
            }
        }
    }

    fn hear(&self, text: &str) {
        let now = Instant::now();
        let mut heard = self.heard();
        match Note::read(text) {
            Some(note) if note.stream == self.user => heard.own.push(note.number),
            Some(note) if note.stream == self.group => heard.group.push(note.number),
            _ => return heard.strange.push(text.to_owned()),
        }
        let sent = Note::read(text).map(|note| note.sent).unwrap_or_default();
        heard.youngest = heard.youngest.max(sent);
        heard.lap.arrived(now, now.duration_since(self.began).saturating_sub(sent));
    }
}

impl Heard {
    /// Begins a new lap and gives the one before.
    pub fn lap(&mut self) -> Lap {
        let next = Lap { last: self.lap.last, ..Lap::default() };
        std::mem::replace(&mut self.lap, next)
    }
}

impl Lap {
    fn arrived(&mut self, now: Instant, delay: Duration) {
        let gap = self.last.map(|last| now - last).unwrap_or_default();
        self.last = Some(now);
        self.gap_max = self.gap_max.max(gap);
        self.delay_max = self.delay_max.max(delay);
    }
}

impl Flaws {
    /// Looks at numbers that should rise.
    pub fn of(arrived: &[u32]) -> Self {
        let (mut flaws, mut seen, mut highest) = (Self::default(), HashSet::new(), None);
        for number in arrived {
            if !seen.insert(number) {
                flaws.repeated += 1;
            } else if highest > Some(number) {
                flaws.late += 1;
            }
            highest = highest.max(Some(number));
        }
        flaws
    }
}

/// A client of `ringway.v1.json`, across its connections.
struct V1<'a> {
    listener: &'a Listener,
    socket: Option<Client>,
    connections: usize,
}

impl V1<'_> {
    async fn listen(mut self) {
        let seed = self.listener.user.bytes().fold(0, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
        let mut session = ClientSession::new(ClientConfig::default(), seed, Instant::now());
        loop {
            let actions = match self.event(session.deadline()).await {
                None => session.handle(Instant::now(), Event::Tick),
                Some(Ok(message)) => {
                    let text = text_of(&message);
                    if matches!(ServerFrame::read(&text), Ok(ServerFrame::Reconnect { .. })) {
                        self.listener.heard().told_to_reconnect += 1;
                    }
                    session.handle(Instant::now(), Event::Text(&text))
                }
                Some(Err((code, reason))) => {
                    self.socket = None;
                    self.listener.heard().ends.push((code, reason));
                    session.handle(Instant::now(), Event::Closed(CloseCode::from_u16(code)))
                }
            };
            let mut actions = VecDeque::from(actions);
            while let Some(action) = actions.pop_front() {
                match action {
                    Action::Connect(continuation) => {
                        let event = self.connect(continuation).await;
                        actions.extend(session.handle(Instant::now(), event));
                    }
                    Action::End(_) => return,
                    other => self.act(other).await,
                }
            }
        }
    }

    /// The next message or the socket's end; nothing: it is time for a tick.
    async fn event(&mut self, deadline: Option<Instant>) -> Option<Result<Message, (u16, String)>> {
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let next = async {
            match &mut self.socket {
                Some(socket) => socket.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = due => None,
            message = next => Some(message),
        }
    }

    async fn connect(&mut self, continuation: Continuation) -> Event<'static> {
        let gateway = self.listener.gateways[self.connections % self.listener.gateways.len()];
        self.connections += 1;
        match Client::open(gateway, request(gateway, &self.listener.user, &continuation)).await {
            Ok(socket) => {
                self.socket = Some(socket);
                Event::Opened
            }
            Err(Refused { status, body }) => {
                self.listener.heard().ends.push((status, body));
                Event::Refused(Refusal { status, retry_after: None, close_code: None })
            }
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Send(text) => {
                if let Some(socket) = &mut self.socket {
                    // Whether it has ended is told by what comes next.
                    let _ = socket.try_send(text).await;
                }
            }
            Action::Close(_) => self.socket = None,
            Action::Welcomed(_, continuity) => self.listener.heard().connections.push(continuity),
            Action::Deliver(message) => {
                self.listener.hear(&message.content.text().unwrap_or_default());
            }
            Action::Rejected(error) => self.listener.heard().strange.push(format!("{error:?}")),
            // What is missed is known from the numbers.
            _ => {}
        }
    }
}

/// The request of a handshake with the subprotocol.
fn request(gateway: SocketAddr, user: &str, continuation: &Continuation) -> Request {
    let mut request = client::request(gateway, user);
    for (name, value) in continuation.parameters() {
        // Resume tokens and places are of letters that need no encoding.
        let uri = format!("{}&{name}={value}", request.uri());
        *request.uri_mut() = uri.parse().expect("a good URL");
    }
    let offered = HeaderValue::from_static("ringway.v1.json");
    request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
    request
}

fn text_of(message: &Message) -> String {
    message.to_text().map(str::to_owned).unwrap_or_else(|_| "a binary message".to_owned())
}
