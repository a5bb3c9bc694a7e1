//! Whose the mailbox is, for what appends do not fence by themselves: what is removed, and what is written late.
//!
//! Whoever learns a mailbox begins a *tenure* with that, the next number, and gives the stream a name with this number. From then on
//! nobody can remove anything by what he knew before: he finds no stream, and learns the mailbox anew. What he writes of positions
//! stands in fields of his own tenure, and of each device the furthest position counts. So a former owner does no harm, and no
//! message costs a command for it.

use std::collections::HashMap;

use ringway_session::UserId;
use ringway_store::Epoch;

use crate::error::Failure;
use crate::lane::Shared;
use crate::wire;

/// Begins a tenure if the epoch and the last tenure are as expected: head, the stream's former name and its next one; epoch, former
/// and next tenure. Gives back the head. The state of a mailbox is that by its last tenure.
pub(crate) const BEGIN: &str = r#"
if redis.call("HGET", KEYS[1], "epoch") ~= ARGV[1] or redis.call("HGET", KEYS[1], "tenure") ~= ARGV[2] then return false end
local state = redis.call("HGET", KEYS[1], "state@" .. ARGV[2])
redis.call("HSET", KEYS[1], "tenure", ARGV[3])
if state then redis.call("HSET", KEYS[1], "state@" .. ARGV[3], state) end
if redis.call("EXISTS", KEYS[2]) == 1 then redis.call("RENAME", KEYS[2], KEYS[3]) end
return redis.call("HGETALL", KEYS[1])
"#;

/// The head of a mailbox that was taken over.
pub(crate) struct Taken {
    pub(crate) fields: HashMap<String, String>,
    pub(crate) tenure: u64,
    /// Whether the tenure is this store's own.
    pub(crate) is_ours: bool,
}

impl Shared {
    /// Takes a mailbox over; if Redis takes nothing, only reads it. `None` if somebody else was faster.
    pub(crate) async fn take(&self, user: &UserId, term: (Epoch, u64)) -> Result<Option<Taken>, Failure> {
        match self.begin_tenure(user, term).await {
            Ok(fields) => Ok(fields.map(|fields| Taken { fields, tenure: term.1 + 1, is_ours: true })),
            Err(_) => {
                let fields = self.fields(user).await?;
                let is_same = wire::read_term(&fields) == Some(term);
                Ok(is_same.then_some(Taken { fields, tenure: term.1, is_ours: false }))
            }
        }
    }

    /// In which epoch and tenure a mailbox is, if there is one.
    pub(crate) async fn term(&self, user: &UserId) -> Result<Option<(Epoch, u64)>, Failure> {
        Ok(wire::read_term(&self.fields(user).await?))
    }

    async fn fields(&self, user: &UserId) -> Result<HashMap<String, String>, Failure> {
        self.link.ask(redis::cmd("HGETALL").arg(self.keys.head(user))).await
    }

    /// Begins the next tenure, unless somebody else was faster. Gives back the head's fields.
    async fn begin_tenure(
        &self,
        user: &UserId,
        (epoch, former): (Epoch, u64),
    ) -> Result<Option<HashMap<String, String>>, Failure> {
        let next = former + 1;
        let keys =
            [self.keys.head(user), self.keys.log(user, epoch, former), self.keys.log(user, epoch, next)];
        self.link
            .run(&self.begin_tenure, |command| {
                command.arg(keys.len()).arg(&keys).arg(epoch.to_string()).arg(former).arg(next);
            })
            .await
    }
}
