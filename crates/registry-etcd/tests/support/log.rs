//! What this thread logs.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// Takes what is logged on this thread while it lives.
pub(crate) struct Log {
    text: Text,
    _taking: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn take() -> Self {
        let text = Text::default();
        let writer = text.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        Self { text, _taking: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines so far that have all of these words.
    pub(crate) fn lines(&self, words: &[&str]) -> usize {
        let text = self.text.0.lock().expect("nobody panics with it").clone();
        let text = String::from_utf8(text).expect("logs are text");
        text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
