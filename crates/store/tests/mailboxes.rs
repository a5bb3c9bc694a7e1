//! The mailboxes of this crate pass the suite that every store of mailboxes must pass.

mod mailbox_suite;

mod memory {
    use async_trait::async_trait;
    use parking_lot::Mutex;
    use ringway_store::{Mailbox, ManualClock, MemoryMailbox, StoreError};

    use crate::mailbox_suite::fixture::{Fixture, LIMITS, clock, filled, message};

    crate::mailbox_suite!(async { MemoryFixture::new() });

    struct MemoryFixture {
        clock: ManualClock,
        store: Mutex<MemoryMailbox>,
    }

    impl MemoryFixture {
        fn new() -> Self {
            let clock = clock();
            let store = Mutex::new(MemoryMailbox::new(LIMITS, u64::MAX, clock.clock()));
            Self { clock, store }
        }
    }

    #[async_trait]
    impl Fixture for MemoryFixture {
        async fn handle(&self) -> Box<dyn Mailbox> {
            Box::new(self.store.lock().clone())
        }

        async fn restart(&self) -> Box<dyn Mailbox> {
            *self.store.lock() = MemoryMailbox::new(LIMITS, u64::MAX, self.clock.clock());
            self.handle().await
        }

        fn clock(&self) -> &ManualClock {
            &self.clock
        }

        fn forgets_by_clock(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_full_store_refuses_until_something_has_gone() {
        let clock = clock();
        let bytes_max = message(1).cost_bytes() * 3;
        let store = Mutex::new(MemoryMailbox::new(LIMITS, bytes_max, clock.clock()));
        let fixture = MemoryFixture { clock, store };
        let (handle, alice, state) = filled(&fixture, 3).await;
        let refused = handle.append(&alice, state.end(), vec![message("4")]).await;
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
        fixture.clock().advance(LIMITS.time_to_live);
        assert!(handle.append(&alice, state.end(), vec![message("4")]).await.is_ok());
    }
}

mod file {
    use std::time::Duration;

    use async_trait::async_trait;
    use parking_lot::Mutex;
    use ringway_store::{FileConfig, FileMailbox, Mailbox, ManualClock};
    use tempfile::TempDir;

    use crate::mailbox_suite::fixture::{Fixture, LIMITS, clock};

    crate::mailbox_suite!(async { FileFixture::new() });

    struct FileFixture {
        directory: TempDir,
        clock: ManualClock,
        store: Mutex<Option<FileMailbox>>,
    }

    impl FileFixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            Self { directory, clock: clock(), store: Mutex::default() }
        }

        fn open(&self) -> FileMailbox {
            let config = FileConfig {
                limits: LIMITS,
                sweep_every: Duration::from_millis(5),
                ..FileConfig::new(self.directory.path())
            };
            FileMailbox::open(config, self.clock.clock()).expect("a good directory")
        }
    }

    #[async_trait]
    impl Fixture for FileFixture {
        async fn handle(&self) -> Box<dyn Mailbox> {
            Box::new(self.store.lock().get_or_insert_with(|| self.open()).clone())
        }

        async fn restart(&self) -> Box<dyn Mailbox> {
            drop(self.store.lock().take());
            self.handle().await
        }

        fn clock(&self) -> &ManualClock {
            &self.clock
        }

        fn forgets_by_clock(&self) -> bool {
            true
        }
    }
}
