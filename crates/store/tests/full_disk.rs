//! What the file does when the disk takes nothing more, and when it takes something again.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringway_session::{Kind, Payload, UserId};
use ringway_store::{
    Clock, FileConfig, FileMailbox, Limits, Mailbox, MailboxState, NewEntry, Offset, PageBounds, Place,
    StoreError,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Tells the test that is run as a child where to write.
const DIRECTORY: &str = "RINGWAY_STORE_FULL_DIRECTORY";
const PATIENCE: Duration = Duration::from_secs(20);

fn alice() -> UserId {
    UserId::new("alice").expect("a good name")
}

fn message(number: u64) -> NewEntry {
    let payload = Payload::new(Bytes::from(vec![7; 20_000]), Kind::Binary).expect("any bytes");
    NewEntry {
        message_id: number.to_string(),
        topic: String::new(),
        from: String::new(),
        payload,
        time_to_live: None,
        until_first_ack: false,
    }
}

fn store(directory: &std::path::Path, bytes_max: u64) -> FileMailbox {
    let limits = Limits { entries_max: u64::MAX, bytes_max: u64::MAX, ..Limits::default() };
    let sweep_every = Duration::from_millis(50);
    let config = FileConfig { limits, bytes_max, sweep_every, ..FileConfig::new(directory) };
    FileMailbox::open(config, Clock::system()).expect("a good directory")
}

#[tokio::test]
async fn a_full_store_refuses_and_goes_on_when_something_has_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(directory.path(), message(1).cost_bytes() * 3);
    let mut at = store.open(&alice()).await.expect("it opens").end();
    for number in 0..3 {
        at = store.append(&alice(), at, vec![message(number)]).await.expect("there is room").next;
    }
    for entries in [vec![message(3)], vec![message(3), message(4)]] {
        let refused = store.append(&alice(), at, entries).await;
        assert!(matches!(refused, Err(StoreError::Full { store: "file", .. })), "{refused:?}");
    }
    assert_eq!(store.open(&alice()).await.expect("it opens").end(), at, "nothing was stored");
}

/// Not a test by itself: what the next one runs as a process of its own, with a file that may not grow for ever.
#[tokio::test]
#[ignore = "it is run by a_disk_that_is_full_loses_nothing, as a process of its own"]
async fn append_until_the_disk_is_full() {
    let directory = std::env::var_os(DIRECTORY).expect("the parent says where");
    let store = store(directory.as_ref(), u64::MAX);
    let start = store.open(&alice()).await.expect("it opens");
    let mut at = start.end();
    let failed = loop {
        match store.append(&alice(), at, vec![message(at.offset.0)]).await {
            Ok(appended) => at = appended.next,
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, StoreError::Unavailable { store: "file", .. }), "{failed:?}");
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, ..limit }).expect("it was only for a while");
    let state = until_open(&store).await;
    assert_eq!(state.epoch, start.epoch);
    assert!(state.next >= at.offset, "{} was confirmed, and {} is there", at.offset, state.next);
    let after = Place { offset: Offset(0), ..state.end() };
    let all = PageBounds { entries_max: usize::MAX, bytes_max: u64::MAX };
    let page = store.range(&alice(), after, all).await.expect("it reads");
    assert_eq!(page.entries.len() as u64, state.next.0 - 1);
    store.append(&alice(), state.end(), vec![message(0)]).await.expect("it works again");
    println!("works again at {}", state.next);
}

async fn until_open(store: &FileMailbox) -> MailboxState {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.open(&alice()).await {
            Ok(state) => return state,
            Err(error) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_disk_that_is_full_loses_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    // A signal that is ignored here is ignored there too: writing beyond the limit is then an error.
    let script = r#"trap '' XFSZ; ulimit -S -f 8192; exec "$0" --exact append_until_the_disk_is_full --ignored --nocapture"#;
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(std::env::current_exe().expect("we are a program"));
    let output = command.env(DIRECTORY, directory.path()).stdin(Stdio::null()).output().expect("sh runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("works again at"), "{text}");
}
