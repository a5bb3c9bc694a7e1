//! One client: a task that reads its socket, and the account of what arrived there.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use ringway_e2e::client::request;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::message::Note;
use crate::stage::{Class, Stage, Window};

/// How long an opening handshake may take, for there are many at once.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(30);

/// A client.
pub(crate) struct Listener {
    pub(crate) user: String,
    pub(crate) class: Class,
    heard: Mutex<Heard>,
}

/// What has arrived at a client. The numbers of a user's messages count from 0.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The number after the highest that has arrived.
    next: u32,
    /// Lower ones that have not arrived.
    missing: BTreeSet<u32>,
    /// How many came once more.
    pub(crate) repeated: u64,
    /// How many came after a younger one.
    pub(crate) late: u64,
    /// Whether the socket has ended.
    pub(crate) has_ended: bool,
    /// What went wrong first.
    pub(crate) flaw: Option<String>,
    last: Option<(Instant, Window)>,
    /// The longest times between two messages, before and during a change.
    pub(crate) gaps: [Duration; 2],
}

impl Listener {
    pub(crate) fn new(user: String, class: Class) -> Self {
        Self { user, class, heard: Mutex::default() }
    }

    pub(crate) fn heard(&self) -> parking_lot::MutexGuard<'_, Heard> {
        self.heard.lock()
    }

    /// Opens the socket from one of this machine's addresses.
    pub(crate) async fn connect(&self, source: IpAddr, server: SocketAddr) -> WebSocketStream<TcpStream> {
        let opened = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((source, 0).into())?;
            let stream = socket.connect(server).await?;
            stream.set_nodelay(true)?;
            let config = WebSocketConfig::default().read_buffer_size(512).write_buffer_size(0);
            let request = request(server, &self.user);
            let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(stream)
        };
        let opened = tokio::time::timeout(HANDSHAKE_WITHIN, opened).await.expect("an answer in time");
        opened.unwrap_or_else(|error| panic!("{} from {source}: {error}", self.user))
    }

    /// Reads the socket until it ends.
    pub(crate) async fn listen(self: Arc<Self>, mut stream: WebSocketStream<TcpStream>, stage: Arc<Stage>) {
        let end = loop {
            match stream.next().await {
                Some(Ok(Message::Binary(payload))) => self.take(Note::read(&payload), &stage),
                Some(Ok(Message::Close(frame))) => break format!("closed: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.to_string(),
                None => break "ended".to_owned(),
            }
        };
        let mut heard = self.heard();
        heard.has_ended = true;
        heard.flaw.get_or_insert(end);
    }

    fn take(&self, note: Note, stage: &Stage) {
        let latency = stage.now().saturating_sub(note.sent);
        stage.record(note.window, self.class, latency);
        let mut heard = self.heard();
        heard.count(note, latency);
        heard.time(Instant::now(), stage.window());
    }
}

impl Heard {
    /// Begins anew: everything up to here is accounted for.
    pub(crate) fn reset(&mut self, next: u32) {
        *self = Self { next, has_ended: self.has_ended, ..Self::default() };
    }

    /// The numbers below `sent` that have not arrived.
    pub(crate) fn holes(&self, sent: u32) -> impl Iterator<Item = u32> {
        self.missing.iter().copied().chain(self.next..sent)
    }

    /// Whether everything below `sent` has arrived.
    pub(crate) fn is_complete(&self, sent: u32) -> bool {
        self.missing.is_empty() && self.next >= sent
    }

    fn count(&mut self, note: Note, latency: Duration) {
        let (number, next) = (note.number, self.next);
        if number >= next {
            self.missing.extend(next..number);
            self.next = number + 1;
            return;
        }
        let is_late = self.missing.remove(&number);
        *(if is_late { &mut self.late } else { &mut self.repeated }) += 1;
        let what = if is_late { "late" } else { "again" };
        let flaw = || format!("{note:?} came {what}, after {latency:?}, when {next} was expected");
        self.flaw.get_or_insert_with(flaw);
    }

    /// A gap belongs to a change when it begins or ends in it, or has it in its midst.
    fn time(&mut self, now: Instant, window: Window) {
        let Some((last, since)) = self.last.replace((now, window)) else { return };
        let longest = match (since, window) {
            (Window::Before, Window::Before) => &mut self.gaps[0],
            (Window::Outside, Window::Outside | Window::Before) => return,
            _ => &mut self.gaps[1],
        };
        *longest = (now - last).max(*longest);
    }
}
