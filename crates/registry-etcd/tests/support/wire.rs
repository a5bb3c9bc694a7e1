//! A TCP wire to a server that can be cut and mended.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A port that leads to a server, unless it is cut.
pub(crate) struct Wire {
    address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Wire {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("the port is open");
                tokio::spawn(carry(client, server.clone(), state.clone()));
            }
        });
        Self { address, whole }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection, and those that are made until it is mended.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(mut client: TcpStream, server: String, mut whole: watch::Receiver<bool>) {
    if !*whole.borrow() {
        return;
    }
    let mut server = TcpStream::connect(server).await.expect("the server runs");
    tokio::select! {
        _ = whole.wait_for(|whole| !whole) => {}
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
    }
}
