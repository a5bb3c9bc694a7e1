//! The connection to Redis: one, shared by all, made anew when it broke.
//!
//! Connections are numbered. What was learned of Redis over one of them may not hold over the next: another Redis may answer
//! there, or the same one with older data.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError};
use ringway_store::StoreError;
use tokio::sync::Mutex;

use crate::error::{Failure, STORE, spoils_connection};

/// After a connection could not be made, how long others are refused without another attempt.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Link {
    client: Client,
    answer_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    number: u64,
    connection: Option<MultiplexedConnection>,
    refused: Option<(Instant, StoreError)>,
}

/// A script for Redis to run.
pub(crate) struct Script {
    text: &'static str,
    known: redis::Script,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, known: redis::Script::new(text) }
    }

    fn hash(&self) -> &str {
        self.known.get_hash()
    }
}

/// A connection and its number.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) number: u64,
    connection: MultiplexedConnection,
}

impl Link {
    /// Does not connect yet.
    pub(crate) fn new(url: &str, answer_timeout: Duration) -> Result<Self, StoreError> {
        // The error may show the address, and so a password.
        let reason = || "its address is no redis:// or unix:// URL".to_owned();
        let client = Client::open(url).map_err(|_| StoreError::Refused { store: STORE, reason: reason() })?;
        Ok(Self { client, answer_timeout, state: Mutex::default() })
    }

    /// The present connection, or a new one.
    pub(crate) async fn wire(&self) -> Result<Wire, Failure> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok(Wire { number: state.number, connection: connection.clone() });
        }
        if let Some((_, error)) = state.refused.as_ref().filter(|(at, _)| at.elapsed() < PAUSE) {
            return Err(Failure::NotDone(error.clone()));
        }
        match self.connect().await {
            Ok(connection) => {
                state.number += 1;
                (state.connection, state.refused) = (Some(connection.clone()), None);
                tracing::info!(connection = state.number, "connected to redis");
                Ok(Wire { number: state.number, connection })
            }
            Err(error) => {
                let error = Failure::of(&error).into_error();
                state.refused = Some((Instant::now(), error.clone()));
                Err(Failure::NotDone(error))
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.answer_timeout))
            .set_response_timeout(Some(self.answer_timeout));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// One command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut wire = self.wire().await?;
        let answer = command.query_async(&mut wire.connection).await;
        self.judge(&wire, answer).await
    }

    /// A script, which Redis is told the first time that it does not know it. `complete` adds keys and arguments.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        complete: impl Fn(&mut Cmd),
    ) -> Result<T, Failure> {
        let mut known = redis::cmd("EVALSHA");
        complete(known.arg(script.hash()));
        match self.ask(&known).await {
            Err(Failure::NoScript) => {
                let mut told = redis::cmd("EVAL");
                complete(told.arg(script.text));
                self.ask(&told).await
            }
            answer => answer,
        }
    }

    /// Many commands in one go.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Failure> {
        let mut wire = self.wire().await?;
        let answer = commands.query_async(&mut wire.connection).await;
        self.judge(&wire, answer).await
    }

    /// Lets go of a connection that can do nothing for us any more.
    async fn judge<T>(&self, wire: &Wire, answer: Result<T, RedisError>) -> Result<T, Failure> {
        if let Err(error) = &answer
            && spoils_connection(error)
        {
            let mut state = self.state.lock().await;
            if state.number == wire.number && state.connection.take().is_some() {
                tracing::warn!(%error, "the connection to redis is of no use any more");
            }
        }
        answer.map_err(|error| Failure::of(&error))
    }
}
