//! What a gateway's logs never hold.

mod support;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ringway_proto::v1::RefusalReason;
use support::{Answering, Bench, upgrade};
use tracing_subscriber::filter::LevelFilter;

/// Everything that is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_token_is_not_logged_whatever_becomes_of_it() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // All of the test runs on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let bench = Bench::with(|setup| setup.config.http.open_deadline = Duration::from_millis(200)).await;
    let mut client = bench.client("s3cret-ok").await;
    client.send("hello").await;
    client.receive_data().await;
    drop(client);
    for refusal in [RefusalReason::NotOwner, RefusalReason::TooManySessions] {
        bench.worker.answer(Answering::Refuse(refusal));
        bench.ask(&upgrade("/ws?token=s3cret-refused", "")).await;
    }
    bench.ask(&upgrade(&format!("/ws?token=s3cret-{}", "x".repeat(255)), "")).await;
    bench.end().await;
    let log = log.text();
    assert!(log.contains("the session is not open yet"), "the logs are not those of the gateway:\n{log}");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("s3cret")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}
