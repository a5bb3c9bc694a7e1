//! Learning a mailbox from Redis; making it, and beginning it anew where its history was lost.

use std::collections::HashMap;
use std::sync::Arc;

use redis::Value;
use ringway_session::UserId;
use ringway_store::book::{Book, Head, Mark};
use ringway_store::{Entry, Epoch, Offset, StoreError};

use crate::error::{Failure, STORE};
use crate::lane::{Held, Known, Lane, Shared};
use crate::tenure::Taken;
use crate::wire;

/// How many entries are read at once.
const PAGE_ENTRIES: usize = 500;

/// How often a mailbox is tried that others change meanwhile.
const ATTEMPTS_MAX: usize = 20;

/// Makes a mailbox unless somebody else was faster: head, new stream, the epoch that is expected ("" for none), the new one,
/// expiry in milliseconds, the tenure that is expected. The stream that is there goes on under its new name.
const BEGIN: &str = r#"
if (redis.call("HGET", KEYS[1], "epoch") or "") ~= ARGV[1] then return 0 end
if (redis.call("HGET", KEYS[1], "tenure") or "") ~= ARGV[4] then return 0 end
redis.call("DEL", KEYS[1])
redis.call("HSET", KEYS[1], "epoch", ARGV[2], "tenure", "1")
if KEYS[3] and redis.call("EXISTS", KEYS[3]) == 1 then redis.call("RENAME", KEYS[3], KEYS[2])
else redis.call("XADD", KEYS[2], "0-1", "epoch", ARGV[2]) end
redis.call("PEXPIRE", KEYS[1], ARGV[3])
redis.call("PEXPIRE", KEYS[2], ARGV[3])
return 1
"#;

/// A mailbox as Redis has it.
struct Loaded {
    book: Book<Arc<str>>,
    tenure: u64,
    is_ours: bool,
    left_fields: Vec<String>,
}

impl Shared {
    /// What is known of a mailbox, learned now if it was not yet, or over another connection.
    pub(crate) async fn known<'a>(&self, lane: &Lane, held: &'a mut Held) -> Result<&'a mut Known, Failure> {
        let wire = self.link.wire().await?.number;
        held.used_at = self.clock.now();
        if held.known.as_ref().is_none_or(|known| known.wire != wire || !known.is_ours) {
            self.load(lane, held, wire).await?;
        }
        let missing = || Failure::NotDone(StoreError::Conflict);
        held.known.as_mut().ok_or_else(missing)
    }

    /// Learns it anew, and takes over what was to be written and was not yet.
    pub(crate) async fn load(&self, lane: &Lane, held: &mut Held, wire: u64) -> Result<(), Failure> {
        held.forget();
        for _ in 0..ATTEMPTS_MAX {
            let Some(Loaded { mut book, tenure, is_ours, left_fields }) = self.read(&lane.user).await? else {
                continue;
            };
            let lost = held.end.is_some_and(|end| end.epoch == book.epoch() && end.offset > book.next());
            if lost {
                if self.begin(&lane.user, Some((book.epoch(), tenure))).await? {
                    tracing::error!(user = %lane.user, "redis has lost what it had confirmed: the mailbox began a new epoch");
                }
                continue;
            }
            let devices = book.head().devices.into_keys().collect();
            let is_news = held.unwritten.take().is_some_and(|head| book.merge(&head));
            // What others have left is taken out once it is written as one's own.
            let is_unwritten = is_news || !left_fields.is_empty();
            held.end = Some(book.end());
            let (written_at, trimmed_to) = (book.head().used_at, book.first());
            let log = self.keys.log(&lane.user, book.epoch(), tenure);
            held.known = Some(Known {
                book,
                tenure,
                is_ours,
                log,
                left_fields,
                wire,
                is_unwritten,
                written_at,
                devices,
                trimmed_to,
            });
            return Ok(());
        }
        let reason = "the mailbox keeps changing".to_owned();
        Err(Failure::NotDone(StoreError::Unavailable { store: STORE, reason }))
    }

    /// What Redis has, taken over from whoever wrote in it; `None` if it was just begun, or has changed meanwhile.
    async fn read(&self, user: &UserId) -> Result<Option<Loaded>, Failure> {
        let Some(term) = self.term(user).await? else {
            self.begin(user, None).await?;
            return Ok(None);
        };
        let epoch = term.0;
        let Some(Taken { fields, tenure, is_ours }) = self.take(user, term).await? else { return Ok(None) };
        let Some(head) = wire::read_head(&fields, self.clock.now()) else { return Ok(None) };
        let left_fields = wire::left_fields(&fields, tenure);
        match self.read_log(&self.keys.log(user, epoch, tenure), head).await {
            // Whoever takes it over meanwhile takes the stream away.
            Ok(_) if self.term(user).await? != Some((epoch, tenure)) => Ok(None),
            Ok(book) => Ok(Some(Loaded { book, tenure, is_ours, left_fields })),
            Err(Failure::NoKey) if !is_ours => Ok(None),
            Err(Failure::NoKey) => {
                if self.begin(user, Some((epoch, tenure))).await? {
                    tracing::error!(%user, "redis has lost a stream: the mailbox began a new epoch");
                }
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn read_log(&self, log: &str, head: Head) -> Result<Book<Arc<str>>, Failure> {
        let mut book = Book::from_head(head);
        let info: HashMap<String, Value> = self.link.ask(redis::cmd("XINFO").arg("STREAM").arg(log)).await?;
        let mut from = book.first();
        loop {
            let page: Value = self.link.ask(&wire::range(log, from, None, PAGE_ENTRIES)).await?;
            let entries = wire::read_entries(&page);
            for (offset, entry) in &entries {
                if let Some(entry) = entry {
                    book.load(*offset, mark(entry));
                }
                from = offset.next();
            }
            if entries.len() < PAGE_ENTRIES {
                break;
            }
        }
        book.complete(last_offset(&info).next());
        Ok(book)
    }

    /// Begins a mailbox, or begins it anew, if it is still as expected. Gives back whether it was.
    async fn begin(&self, user: &UserId, expected: Option<(Epoch, u64)>) -> Result<bool, Failure> {
        let epoch = Epoch::random();
        let mut keys = vec![self.keys.head(user), self.keys.log(user, epoch, 1)];
        keys.extend(expected.map(|(epoch, tenure)| self.keys.log(user, epoch, tenure)));
        let mut command = redis::cmd("EVAL");
        command.arg(BEGIN).arg(keys.len()).arg(keys);
        command.arg(expected.map(|(epoch, _)| epoch.to_string()).unwrap_or_default());
        command.arg(epoch.to_string()).arg(self.expiry_ms());
        command.arg(expected.map(|(_, tenure)| tenure.to_string()).unwrap_or_default());
        self.link.ask(&command).await
    }

    /// After which time Redis forgets a mailbox that nobody uses, in milliseconds.
    pub(crate) fn expiry_ms(&self) -> u64 {
        u64::try_from(self.config.limits.mailbox_forget_after.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What the book knows of an entry.
pub(crate) fn mark(entry: &Entry) -> Mark<Arc<str>> {
    Mark {
        stored_at: entry.stored_at,
        expires_at: entry.expires_at,
        cost_bytes: entry.cost_bytes(),
        place: Some(entry.message_id.as_str().into()),
    }
}

fn last_offset(info: &HashMap<String, Value>) -> Offset {
    let id =
        info.get("last-generated-id").and_then(|value| redis::from_redis_value_ref::<String>(value).ok());
    id.as_deref().and_then(wire::offset_of).unwrap_or_default()
}
