//! A system under test: where its clients connect, how messages get in, and which processes are to be counted.

use std::net::{SocketAddr, TcpStream};

use anyhow::Result;
use ringway_e2e::Cluster;
use tempfile::TempDir;

use crate::procs::{Family, Running};

/// A running system. Dropped, its processes are killed.
pub(crate) struct System {
    pub(crate) door: Door,
    /// Where clients connect that are members of the group only, if that is another place.
    pub(crate) group_door: Option<Door>,
    pub(crate) inlet: Inlet,
    pub(crate) running: Vec<Running>,
    pub(crate) cluster: Option<Cluster>,
    /// Configurations and logs.
    pub(crate) _home: TempDir,
}

/// Where clients connect, and what they say.
pub(crate) struct Door {
    /// Clients take them in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The path of a client's handshake.
    pub(crate) path: Box<dyn Fn(usize) -> String + Send + Sync>,
    pub(crate) greeting: Option<Greeting>,
}

/// What a client says once its WebSocket is open, and what it waits for.
pub(crate) struct Greeting {
    pub(crate) text: fn(usize) -> String,
    pub(crate) answer: &'static str,
}

/// How messages get in.
#[derive(Clone, Debug)]
pub(crate) enum Inlet {
    /// They do not: clients send, and get their own messages back.
    Echo,
    /// As bytes of some protocol over one connection.
    Stream(StreamInlet),
    /// By ringway's sender, a process of its own.
    Sender { node: String, secret: String },
}

/// A protocol for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamInlet {
    pub(crate) address: SocketAddr,
    /// What is said first, and heard.
    pub(crate) greet: fn(&mut TcpStream) -> Result<()>,
    /// Appends a message.
    pub(crate) encode: fn(&mut Vec<u8>, Target, &[u8]),
}

/// For protocols that begin with the first message.
pub(crate) fn no_greeting(_: &mut TcpStream) -> Result<()> {
    Ok(())
}

/// For whom a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User(usize),
    All,
}

/// A client's name as a user. What stands behind the dash is the group in which it is: for ringway the token says both.
pub(crate) fn user(client: usize) -> String {
    format!("u{client}-{GROUP}")
}

/// The group of all clients.
pub(crate) const GROUP: &str = "all";

impl System {
    /// The processes that are counted: all but the load's.
    pub(crate) fn family(&self) -> Family {
        let mut heads: Vec<u32> = self.running.iter().map(Running::id).collect();
        if let Some(cluster) = &self.cluster {
            heads.extend(cluster.workers.iter().chain(&cluster.gateways).map(|node| node.process.id()));
        }
        Family(heads)
    }

    /// Holds that nothing has ended.
    pub(crate) fn assert_sound(&mut self) -> Result<()> {
        if let Some(cluster) = &mut self.cluster {
            cluster.assert_sound();
        }
        self.running.iter_mut().try_for_each(Running::assert_runs)
    }
}

impl Door {
    /// One address, and a path with the client's name in it.
    pub(crate) fn at(address: SocketAddr, path: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self { addresses: vec![address], path: Box::new(path), greeting: None }
    }

    pub(crate) fn address(&self, client: usize) -> SocketAddr {
        self.addresses[client % self.addresses.len()]
    }
}
