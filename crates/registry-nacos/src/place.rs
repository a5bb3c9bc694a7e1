//! A member's place in Nacos: an instance on a connection of its own.
//!
//! Whatever is to be done, it is first read back whose stamp is shown for the id:
//!
//! - `Shown -> Shown`: ours. The place is valid for Nacos's removal time from the moment before it was asked.
//! - `Missing -> Shown`: nobody's, or a former one's. It is registered again, on another connection if ours was lost. When
//!   a connection is lost, the place is valid no longer: Nacos may have removed the instance at that moment.
//! - `Shown | Missing -> Superseded`: a later one's. Our connection is closed, and our instance with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ringway_cluster::{Member, Place, RegistryError};
use ringway_ring::MemberId;
use tracing::info;

use crate::connection::Connection;
use crate::error::NacosError;
use crate::instance::{self, Stamp};
use crate::message::Registration;
use crate::registry::Nacos;
use crate::roster::Roster;

/// How long it may take until an instance that was registered is shown.
const SHOW_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked for.
const SHOW_INTERVAL: Duration = Duration::from_millis(100);

/// An instance of ours.
pub(crate) struct NacosPlace {
    nacos: Arc<Nacos>,
    /// The connection, unless it failed.
    connection: Option<Connection>,
    member: Member,
    stamp: Stamp,
    valid_until: Instant,
}

/// What Nacos shows for our id.
enum Seen {
    /// Ours, as it is to be.
    Shown,
    /// Nobody, a former one, or ours as it was before.
    Missing,
    /// One who joined after us.
    Later,
}

impl NacosPlace {
    /// Registers the member, whoever has its id.
    pub(crate) async fn take(nacos: Arc<Nacos>, member: Member) -> Result<Self, RegistryError> {
        let connection = nacos.connect().await?;
        let roster = Roster::of(&nacos.query(&connection).await?, &nacos.config.cluster);
        let stamp = Stamp::after(roster.members.get(&member.id).map(|(stamp, _)| *stamp));
        let mut place = Self { nacos, connection: None, member, stamp, valid_until: Instant::now() };
        place.show(&connection).await?;
        Ok(Self { connection: Some(connection), ..place })
    }

    /// Makes sure that the member is shown as it is.
    async fn make_sure(&mut self, connection: &Connection) -> Result<(), RegistryError> {
        match self.look(connection).await? {
            Seen::Shown => Ok(()),
            Seen::Missing => self.show(connection).await,
            Seen::Later => Err(self.superseded()),
        }
    }

    /// Registers the member and waits until it is shown.
    async fn show(&mut self, connection: &Connection) -> Result<(), RegistryError> {
        let instance = instance::write(&self.member, self.stamp, &self.nacos.config.cluster);
        self.nacos.register(connection, Registration::Register, &instance).await?;
        let deadline = Instant::now() + SHOW_TIMEOUT;
        let mut interval = tokio::time::interval(SHOW_INTERVAL);
        loop {
            interval.tick().await;
            match self.look(connection).await? {
                Seen::Shown => return Ok(()),
                Seen::Later => return Err(self.superseded()),
                Seen::Missing if Instant::now() > deadline => return Err(unshown().into()),
                Seen::Missing => {}
            }
        }
    }

    /// What Nacos shows now. If it is us, that is confirmed.
    async fn look(&mut self, connection: &Connection) -> Result<Seen, NacosError> {
        let asked = Instant::now();
        let roster = Roster::of(&self.nacos.query(connection).await?, &self.nacos.config.cluster);
        Ok(match roster.members.get(&self.member.id) {
            Some((stamp, _)) if *stamp > self.stamp => Seen::Later,
            Some((stamp, member)) if *stamp == self.stamp && self.is_shown_by(member) => {
                self.valid_until = asked + self.nacos.config.removal_after;
                Seen::Shown
            }
            Some(_) | None => Seen::Missing,
        })
    }

    /// An operator may have disabled the instance: then it is shown as draining, whatever it says.
    fn is_shown_by(&self, shown: &Member) -> bool {
        let state = shown.state;
        state == self.member.state && *shown == self.member
            || state == ringway_cluster::MemberState::Draining
                && *shown == Member { state, ..self.member.clone() }
    }

    /// The connection that served last, or another one.
    async fn connection(&mut self) -> Result<Connection, NacosError> {
        match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection),
            None => {
                self.valid_until = self.valid_until.min(Instant::now());
                let connection = self.nacos.connect().await?;
                info!(member = %self.member.id, "the member has another connection to nacos");
                Ok(connection)
            }
        }
    }

    /// Keeps a connection for the next time, unless it is over. One that only did not answer is not: to close it would take
    /// the member away.
    fn keep(&mut self, connection: Connection, done: Result<(), RegistryError>) -> Result<(), RegistryError> {
        let now = Instant::now();
        match &done {
            Err(RegistryError::Superseded { .. }) => self.valid_until = self.valid_until.min(now),
            Err(RegistryError::Unreachable { .. }) if self.valid_until <= now => {}
            _ => self.connection = Some(connection),
        }
        done
    }

    fn superseded(&self) -> RegistryError {
        RegistryError::Superseded { id: self.member.id.clone() }
    }
}

#[async_trait]
impl Place for NacosPlace {
    fn id(&self) -> &MemberId {
        &self.member.id
    }

    fn valid_until(&self) -> Instant {
        self.valid_until
    }

    fn renewal_interval(&self) -> Duration {
        self.nacos.config.removal_after / 5
    }

    async fn renew(&mut self) -> Result<(), RegistryError> {
        let connection = self.connection().await?;
        let renewed = self.make_sure(&connection).await;
        self.keep(connection, renewed)
    }

    async fn update(&mut self, member: Member) -> Result<(), RegistryError> {
        self.member = member;
        self.renew().await
    }

    async fn leave(&mut self) -> Result<(), RegistryError> {
        let connection = self.connection().await?;
        let instance = instance::write(&self.member, self.stamp, &self.nacos.config.cluster);
        let seen = self.look(&connection).await;
        self.valid_until = Instant::now();
        match seen? {
            Seen::Later => Err(self.superseded()),
            Seen::Shown | Seen::Missing => {
                Ok(self.nacos.register(&connection, Registration::Deregister, &instance).await?)
            }
        }
    }

    async fn lost(&self) {
        match &self.connection {
            Some(connection) => connection.closed().await,
            None => std::future::pending::<()>().await,
        }
    }
}

fn unshown() -> NacosError {
    NacosError::Refused(
        "it took the member, but does not show it as it is. r-nacos keeps the first metadata of an address unless \
         RNACOS_NAMING_INSTANCE_METADATA_PERSISTENCE_ENABLE is false"
            .to_owned(),
    )
}
