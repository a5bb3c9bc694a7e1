//! The ids of messages that were stored lately.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use ringway_store::Offset;
use tokio::time::Instant;

/// Known for a window of time each. There are as many as were stored inside it.
#[derive(Debug, Default)]
pub(super) struct Recent {
    offsets: HashMap<String, Offset>,
    order: VecDeque<(Instant, String)>,
}

impl Recent {
    pub(super) fn offset(&self, message_id: &str) -> Option<Offset> {
        self.offsets.get(message_id).copied()
    }

    pub(super) fn note(&mut self, message_id: String, offset: Offset, now: Instant) {
        if self.offsets.insert(message_id.clone(), offset).is_none() {
            self.order.push_back((now, message_id));
        }
    }

    /// Forgets those that are older than the window.
    pub(super) fn forget(&mut self, now: Instant, window: Duration) {
        while let Some((_, message_id)) = self.order.pop_front_if(|(noted, _)| now - *noted > window) {
            self.offsets.remove(&message_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_the_window_and_no_longer() {
        let (mut recent, start, window) = (Recent::default(), Instant::now(), Duration::from_secs(10));
        recent.note("a".into(), Offset(1), start);
        recent.note("b".into(), Offset(2), start + window / 2);
        recent.forget(start + window, window);
        assert_eq!((recent.offset("a"), recent.offset("b")), (Some(Offset(1)), Some(Offset(2))));
        recent.forget(start + window * 5 / 4, window);
        assert_eq!((recent.offset("a"), recent.offset("b")), (None, Some(Offset(2))));
        recent.forget(start + window * 2, window);
        assert!(recent.offsets.is_empty() && recent.order.is_empty());
    }
}
