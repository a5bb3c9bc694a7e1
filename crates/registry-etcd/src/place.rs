//! A member's place in etcd: a key on a lease. Every step is one transaction.
//!
//! A renewal asks for the lease, and looks whether the key hangs on it:
//!
//! - `Held -> Held`: it does. The lease is valid for a time to live from the moment before it was asked.
//! - `Lost -> Held`: the lease or the key is gone (etcd was away for too long). Another lease is granted and the member put
//!   again, if nobody else has the key by then.
//! - `Held | Lost -> Superseded`: the key hangs on another's lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ringway_cluster::{Member, Place, RegistryError};
use ringway_ring::MemberId;
use tracing::info;

use crate::client::{Client, seconds};
use crate::document;
use crate::error::EtcdError;
use crate::registry::Etcd;
use crate::wire::{
    Compare, DeleteRangeRequest, Op, OpResponse, PutRequest, RangeRequest, RequestOp, ResponseOp, TxnRequest,
};

/// How many leases of unknown fate are remembered. The others have run out long since.
const FORMER_MAX: usize = 8;

/// A key that hangs on our lease.
pub(crate) struct EtcdPlace {
    etcd: Arc<Etcd>,
    /// The connection, unless it failed.
    client: Option<Client>,
    key: Vec<u8>,
    member: Member,
    lease: i64,
    /// Leases that were ours since it was last seen on which one the key hangs.
    former: Vec<i64>,
    ttl: Duration,
    valid_until: Instant,
    /// Whether the member is to be put although the lease is renewed: an update did not reach etcd.
    stale: bool,
}

/// Whose the key is.
enum Owner {
    Us,
    /// Us, with a lease that was ours before.
    Former(i64),
    Other,
    Nobody,
}

impl EtcdPlace {
    /// Puts the key, whoever had it.
    pub(crate) async fn take(etcd: Arc<Etcd>, member: Member) -> Result<Self, EtcdError> {
        let client = etcd.connector.connect().await?;
        let key = etcd.keys.member(&member.id);
        let (lease, ttl, valid_until) = grant(&client, etcd.lease_ttl).await?;
        let place = Self {
            etcd,
            client: None,
            key,
            member,
            lease,
            former: Vec::new(),
            ttl,
            valid_until,
            stale: false,
        };
        client.txn(TxnRequest { success: vec![place.put()], ..TxnRequest::default() }).await?;
        Ok(Self { client: Some(client), ..place })
    }

    async fn renew_with(&mut self, client: &Client) -> Result<(), RegistryError> {
        let asked = Instant::now();
        let Some(ttl) = client.keep_alive(self.lease).await? else {
            return self.regain(client, self.lease).await;
        };
        let operations = if self.stale { vec![self.put()] } else { Vec::new() };
        self.do_if_ours(client, operations).await?;
        self.valid_until = self.valid_until.max(asked + ttl);
        Ok(())
    }

    async fn put_with(&mut self, client: &Client) -> Result<(), RegistryError> {
        self.do_if_ours(client, vec![self.put()]).await
    }

    async fn do_if_ours(&mut self, client: &Client, operations: Vec<RequestOp>) -> Result<(), RegistryError> {
        let puts = !operations.is_empty();
        match self.if_ours(client, operations).await? {
            Owner::Us => {
                self.stale &= !puts;
                self.former.clear();
                Ok(())
            }
            Owner::Former(lease) => self.regain(client, lease).await,
            Owner::Nobody => self.regain(client, self.lease).await,
            Owner::Other => Err(self.superseded()),
        }
    }

    /// Takes the key again with another lease, if nobody has it or if it hangs on this former lease of ours.
    async fn regain(&mut self, client: &Client, former: i64) -> Result<(), RegistryError> {
        let (lease, ttl, valid_until) = grant(client, self.etcd.lease_ttl).await?;
        // Whether the key hangs on the new lease is not known before the answer: until then, both are ours.
        self.former.push(std::mem::replace(&mut self.lease, lease));
        let spare = self.former.len().saturating_sub(FORMER_MAX);
        self.former.drain(..spare);
        let put = self.put();
        let if_former = Op::Txn(TxnRequest {
            compare: vec![Compare::lease(self.key.clone(), former)],
            success: vec![put.clone()],
            failure: vec![self.get()],
        });
        let compare = vec![Compare::absent(self.key.clone())];
        let request = TxnRequest { compare, success: vec![put], failure: vec![if_former.into()] };
        client.txn(request).await?;
        if !matches!(self.if_ours(client, Vec::new()).await?, Owner::Us) {
            client.revoke(lease).await.ok();
            return Err(self.superseded());
        }
        info!(member = %self.member.id, "the member's lease had run out: it is in etcd again");
        (self.ttl, self.valid_until, self.stale) = (ttl, valid_until, false);
        self.former.clear();
        Ok(())
    }

    /// Does this if the key hangs on our lease, and says whose it was.
    async fn if_ours(&self, client: &Client, operations: Vec<RequestOp>) -> Result<Owner, EtcdError> {
        let compare = vec![Compare::lease(self.key.clone(), self.lease)];
        let request = TxnRequest { compare, success: operations, failure: vec![self.get()] };
        let answer = client.txn(request).await?;
        if answer.succeeded {
            return Ok(Owner::Us);
        }
        Ok(match answer.responses.iter().find_map(lease_of) {
            Some(lease) if self.former.contains(&lease) => Owner::Former(lease),
            Some(_) => Owner::Other,
            None => Owner::Nobody,
        })
    }

    fn put(&self) -> RequestOp {
        let (key, value) = (self.key.clone(), document::write(&self.member));
        Op::Put(PutRequest { key, value, lease: self.lease }).into()
    }

    fn get(&self) -> RequestOp {
        Op::Range(RangeRequest { key: self.key.clone(), range_end: Vec::new() }).into()
    }

    fn superseded(&self) -> RegistryError {
        RegistryError::Superseded { id: self.member.id.clone() }
    }

    /// The connection that served last, or another one.
    async fn client(&mut self) -> Result<Client, EtcdError> {
        match self.client.take() {
            Some(client) => Ok(client),
            None => self.etcd.connector.connect().await,
        }
    }

    /// Keeps a connection for the next time unless it failed. Who is superseded is valid no longer.
    fn keep(&mut self, client: Client, done: Result<(), RegistryError>) -> Result<(), RegistryError> {
        match &done {
            Ok(()) => self.client = Some(client),
            Err(RegistryError::Superseded { .. }) => self.valid_until = Instant::now(),
            Err(_) => {}
        }
        done
    }
}

#[async_trait]
impl Place for EtcdPlace {
    fn id(&self) -> &MemberId {
        &self.member.id
    }

    fn valid_until(&self) -> Instant {
        self.valid_until
    }

    fn renewal_interval(&self) -> Duration {
        self.ttl / 3
    }

    async fn renew(&mut self) -> Result<(), RegistryError> {
        let client = self.client().await?;
        let renewed = self.renew_with(&client).await;
        self.keep(client, renewed)
    }

    async fn update(&mut self, member: Member) -> Result<(), RegistryError> {
        self.member = member;
        self.stale = true;
        let client = self.client().await?;
        let updated = self.put_with(&client).await;
        self.keep(client, updated)
    }

    async fn leave(&mut self) -> Result<(), RegistryError> {
        let client = self.client().await?;
        let delete = Op::Delete(DeleteRangeRequest { key: self.key.clone() });
        let left = match self.if_ours(&client, vec![delete.into()]).await {
            // A key that hangs on a former lease goes with it.
            Ok(Owner::Us | Owner::Nobody | Owner::Former(_)) => Ok(()),
            Ok(Owner::Other) => Err(self.superseded()),
            Err(error) => Err(error.into()),
        };
        // Without its key, the lease means nothing: it may as well run out.
        client.revoke(self.lease).await.ok();
        self.valid_until = Instant::now();
        self.keep(client, left)
    }
}

/// A new lease: its id, its time to live, and until when it is surely there.
async fn grant(client: &Client, ttl: i64) -> Result<(i64, Duration, Instant), EtcdError> {
    let asked = Instant::now();
    let granted = client.grant(ttl).await?;
    let ttl = seconds(granted.ttl).unwrap_or_default();
    Ok((granted.id, ttl, asked + ttl))
}

/// On which lease the key hangs that was asked for, if there is one.
fn lease_of(response: &ResponseOp) -> Option<i64> {
    let Some(OpResponse::Range(range)) = &response.response else { return None };
    range.kvs.first().map(|pair| pair.lease)
}
