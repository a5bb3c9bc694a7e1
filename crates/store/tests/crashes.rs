//! What the file keeps when its process is killed, and when the file is damaged.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringway_session::{Kind, Payload, UserId};
use ringway_store::{
    Clock, Entry, Epoch, FileConfig, FileMailbox, Limits, Mailbox, NewEntry, Offset, PageBounds, Place,
    StoreError,
};

/// Tells the test that is run as a child where to write.
const DIRECTORY: &str = "RINGWAY_STORE_CRASH_DIRECTORY";
const USERS: usize = 8;
const ALL: PageBounds = PageBounds { entries_max: usize::MAX, bytes_max: u64::MAX };

fn store(directory: &Path) -> Result<FileMailbox, StoreError> {
    let limits = Limits { entries_max: u64::MAX, bytes_max: u64::MAX, ..Limits::default() };
    FileMailbox::open(FileConfig { limits, ..FileConfig::new(directory) }, Clock::system())
}

fn user(number: usize) -> UserId {
    UserId::new(&format!("user-{number}")).expect("a good name")
}

/// Messages that say who they are for and where they stand.
fn entries(user: &UserId, from: u64, count: u64) -> Vec<NewEntry> {
    let entry = |offset| {
        let payload = Payload::new(Bytes::from(format!("{user} {offset} {}", "x".repeat(180))), Kind::Text);
        let payload = payload.expect("a text");
        NewEntry {
            message_id: format!("{user}-{offset}"),
            topic: String::new(),
            from: String::new(),
            payload,
            time_to_live: None,
            until_first_ack: false,
        }
    };
    (from..from + count).map(entry).collect()
}

fn check(user: &UserId, entry: &Entry, offset: u64) {
    let expected = &entries(user, offset, 1)[0];
    assert_eq!((entry.offset.0, &entry.message_id), (offset, &expected.message_id));
    assert_eq!(entry.payload, expected.payload);
}

/// Not a test by itself: what the next one runs as a process of its own, and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is run by nothing_confirmed_is_lost_when_the_process_is_killed, as a process of its own"]
async fn append_until_killed() {
    let directory = std::env::var_os(DIRECTORY).expect("the parent says where");
    let store = Arc::new(store(Path::new(&directory)).expect("a good directory"));
    let writers = (0..USERS).map(|number| tokio::spawn(write(Arc::clone(&store), user(number))));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("it goes on");
    }
}

/// Appends one, two, three messages at a time, and says after each time what is confirmed.
async fn write(store: Arc<FileMailbox>, user: UserId) {
    let state = store.open(&user).await.expect("the store opens a mailbox");
    println!("{user} {} {}", state.epoch, state.next.0 - 1);
    let mut at = state.end();
    loop {
        let count = at.offset.0 % 3 + 1;
        at = store.append(&user, at, entries(&user, at.offset.0, count)).await.expect("it is taken").next;
        println!("{user} {} {}", at.epoch, at.offset.0 - 1);
    }
}

#[tokio::test]
async fn nothing_confirmed_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut before: HashMap<UserId, (Epoch, u64)> = HashMap::new();
    for round in 0..6 {
        let confirmed = kill_after(directory.path(), Duration::from_millis(150 + round * 37));
        let store = store(directory.path()).expect("it is repaired");
        for (user, (epoch, last)) in &confirmed {
            let state = store.open(user).await.expect("the store opens a mailbox");
            assert_eq!(state.epoch, *epoch, "round {round}: nothing was lost");
            assert!(state.next.0 > *last, "round {round}: {user} had {last}, and has {}", state.next);
            assert_eq!(
                state.next.0 % 3,
                state_of_rest(state.next.0),
                "round {round}: {user}: a call by halves"
            );
            let after = Place { epoch: state.epoch, offset: Offset(0) };
            let page = store.range(user, after, ALL).await.expect("the store reads");
            assert_eq!(page.entries.len() as u64, state.next.0 - 1);
            (1..).zip(&page.entries).for_each(|(offset, entry)| check(user, entry, offset));
        }
        let grown =
            confirmed.iter().all(|(user, (_, last))| before.get(user).is_none_or(|(_, then)| last > then));
        assert!(grown, "round {round}: nothing was written: {confirmed:?}");
        before = confirmed;
    }
}

/// The ends of mailboxes in which only whole calls were stored: from offset `n`, `n % 3 + 1` go together.
fn state_of_rest(next: u64) -> u64 {
    let mut at = 1;
    while at < next {
        at += at % 3 + 1;
    }
    if at == next { next % 3 } else { u64::MAX }
}

/// Runs the writer for a while and kills it; says what it had said to be confirmed.
fn kill_after(directory: &Path, time: Duration) -> HashMap<UserId, (Epoch, u64)> {
    let mut child = spawn(directory);
    let lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    let (mut confirmed, mut deadline) = (HashMap::new(), None);
    for line in lines {
        let line = line.expect("a text");
        let Some((name, epoch, last)) = parse(&line) else { continue };
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + time);
        if Instant::now() > deadline {
            // SIGKILL. What it has said before is read to the end.
            child.kill().expect("it can be killed");
        }
        confirmed.insert(name, (epoch, last));
    }
    child.wait().expect("it can be waited for");
    assert_eq!(confirmed.len(), USERS, "everybody was under way");
    confirmed
}

fn spawn(directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("we are a program"));
    command.args(["--exact", "append_until_killed", "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command.spawn().expect("we can be run")
}

fn parse(line: &str) -> Option<(UserId, Epoch, u64)> {
    let words: Vec<_> = line.split(' ').collect();
    let [name, epoch, last] = words[..] else { return None };
    Some((UserId::new(name).ok()?, epoch.parse().ok()?, last.parse().ok()?))
}

#[tokio::test]
async fn another_process_cannot_open_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut child = spawn(directory.path());
    let mut lines = BufReader::new(child.stdout.take().expect("it has an output")).lines();
    assert!(lines.any(|line| parse(&line.expect("a text")).is_some()), "it writes");
    let refused = store(directory.path()).err().map(|error| error.to_string()).unwrap_or_default();
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    assert!(refused.contains("already open"), "{refused:?}");
    store(directory.path()).expect("it is free again");
}

/// Whatever happens to the file, a store that opens has everything as it was, or says by a new epoch that it has not.
#[tokio::test]
async fn damage_is_told() {
    let made = tempfile::tempdir().expect("a directory");
    let mut epochs = HashMap::new();
    let original = store(made.path()).expect("a good directory");
    for number in 0..USERS {
        let (user, state) = (user(number), original.open(&user(number)).await.expect("it opens"));
        original.append(&user, state.end(), entries(&user, 1, 40)).await.expect("it is taken");
        epochs.insert(user, state.epoch);
    }
    drop(original);
    let file = std::fs::read_dir(made.path()).expect("a directory").next().expect("a file").expect("a file");
    let whole = std::fs::read(file.path()).expect("it can be read");
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap_or_default();
    let (mut intact, mut told, mut refused) = (0, 0, 0);
    let flipped = (0..150).map(|step| Damage::Flip(step * used / 150 + step % 7));
    let cut = (1..12).map(|step| Damage::Cut(whole.len() * step / 12));
    for damage in flipped.chain(cut) {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(file.file_name()), damage.done_to(&whole))
            .expect("it can be written");
        match store(directory.path()) {
            Err(StoreError::Refused { .. } | StoreError::Unavailable { .. }) => refused += 1,
            Err(error) => panic!("{damage:?}: {error}"),
            Ok(store) => match look(&store, &epochs, &damage).await {
                Some(true) => intact += 1,
                Some(false) => told += 1,
                None => refused += 1,
            },
        }
    }
    assert!(intact > 0 && refused > 0, "{intact} intact, {told} told, {refused} refused");
}

#[derive(Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
}

impl Damage {
    fn done_to(&self, whole: &[u8]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        match self {
            Self::Flip(at) => bytes[*at] ^= 0x40,
            Self::Cut(length) => bytes.truncate(*length),
        }
        bytes
    }
}

/// Whether everything is as it was, or told to be not; `None` if it cannot be read.
async fn look(store: &FileMailbox, epochs: &HashMap<UserId, Epoch>, damage: &Damage) -> Option<bool> {
    let mut all = true;
    for (user, epoch) in epochs {
        let state = store.open(user).await.ok()?;
        if state.epoch != *epoch {
            all = false;
            continue;
        }
        let after = Place { epoch: state.epoch, offset: Offset(0) };
        let page = store.range(user, after, ALL).await.ok()?;
        assert_eq!(state.next, Offset(41), "{damage:?}: {user}");
        assert_eq!(page.entries.len(), 40, "{damage:?}: {user}: a silent hole");
        (1..).zip(&page.entries).for_each(|(offset, entry)| check(user, entry, offset));
    }
    Some(all)
}
