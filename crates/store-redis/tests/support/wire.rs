//! A wire to a Redis that can be cut, or lose what Redis says.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// A port that leads to a Redis.
pub(crate) struct Wire {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// What is said to Redis gets there; its next answer does not, and the connection breaks.
    LosingAnswers,
    Cut,
}

impl Wire {
    pub(crate) async fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (sender, state) = watch::channel(State::Whole);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("the port is open");
                tokio::spawn(carry(client, socket.clone(), state.clone()));
            }
        });
        Self { address, state: sender }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Breaks every connection, and those that are made until it is mended.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Breaks every connection at Redis's next answer.
    pub(crate) fn lose_answers(&self) {
        self.state.send_replace(State::LosingAnswers);
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

async fn carry(client: TcpStream, socket: PathBuf, mut state: watch::Receiver<State>) {
    if *state.borrow() == State::Cut {
        return;
    }
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = state.clone();
    let back = async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if *answers.borrow() != State::Whole || to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = state.wait_for(|state| *state == State::Cut) => {}
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = back => {}
    }
}
