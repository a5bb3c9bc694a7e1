//! A TCP proxy that can be cut: a network that fails between one process and one server, and nowhere else.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::address;

/// A proxy. Dropped, it ends.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Connections stay open, and nothing passes; as new ones do.
    Cut,
}

impl Proxy {
    /// In front of this server.
    pub async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((address::own_ip(), 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (state, changes) = watch::channel(State::Whole);
        tokio::spawn(async move {
            let mut end = changes.clone();
            tokio::select! {
                () = accept(listener, server, changes) => {}
                // It never is anything else: this waits for the proxy's end.
                _ = end.wait_for(|_| false) => {}
            }
        });
        Self { address, state }
    }

    /// Lets nothing pass, in no direction, and tells nobody.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Lets new connections pass. Those that were cut have broken.
    pub fn heal(&self) {
        self.state.send_replace(State::Whole);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, changes: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, server, changes.clone()));
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, mut changes: watch::Receiver<State>) {
    let whole = *changes.borrow_and_update() == State::Whole;
    if whole {
        let passing = async {
            if let Ok(mut server) = TcpStream::connect(server).await {
                // However it ends, it has ended.
                _ = copy_bidirectional(&mut client, &mut server).await;
            }
        };
        tokio::select! {
            biased;
            cut = changes.wait_for(|state| *state == State::Cut) => drop(cut),
            () = passing => return,
        }
    }
    // Cut: the connection stays until the proxy is healed, or ends.
    _ = changes.wait_for(|state| *state == State::Whole).await;
}
