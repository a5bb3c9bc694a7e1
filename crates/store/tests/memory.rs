//! 100,000 offline messages of 200 bytes in the file, in a process of at most 64 MiB.
#![cfg(target_os = "linux")]

use bytes::Bytes;
use ringway_session::{Kind, Payload, UserId};
use ringway_store::{Clock, FileConfig, FileMailbox, Mailbox, NewEntry, Offset, PageBounds, Place};

const USERS: usize = 2000;
const MESSAGES_OF_A_USER: usize = 50;
const RESIDENT_KIB_MAX: u64 = 64 * 1024;

fn user(number: usize) -> UserId {
    UserId::new(&format!("user-{number}")).expect("a good name")
}

fn message(number: usize) -> NewEntry {
    let payload = Payload::new(Bytes::from(format!("{number:0200}")), Kind::Text).expect("a text");
    NewEntry {
        message_id: format!("{number:032x}"),
        topic: "topic".to_owned(),
        from: String::new(),
        payload,
        time_to_live: None,
        until_first_ack: false,
    }
}

/// The most that was ever resident, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is among it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The only test of this process, so that nothing else counts.
#[tokio::test]
async fn payloads_stay_on_the_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let open =
        || FileMailbox::open(FileConfig::new(directory.path()), Clock::system()).expect("a good directory");
    let store = open();
    for number in 0..USERS {
        let (user, entries) = (user(number), (0..MESSAGES_OF_A_USER).map(message).collect());
        let state = store.open(&user).await.expect("it opens");
        store.append(&user, state.end(), entries).await.expect("it is taken");
    }
    let filled = resident_kib();
    drop(store);
    let store = open();
    for number in 0..USERS {
        let user = user(number);
        let after = Place { epoch: store.open(&user).await.expect("it opens").epoch, offset: Offset(0) };
        let all = PageBounds { entries_max: usize::MAX, bytes_max: u64::MAX };
        let page = store.range(&user, after, all).await.expect("it reads");
        assert_eq!(page.entries.len(), MESSAGES_OF_A_USER);
    }
    let read = resident_kib();
    println!("{filled} KiB when filled, {read} KiB when opened again and read");
    assert!(read <= RESIDENT_KIB_MAX, "{filled} KiB when filled, {read} KiB when opened again and read");
}
