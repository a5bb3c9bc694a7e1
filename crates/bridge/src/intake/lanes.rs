//! Who goes when, pure: for each target one delivery is under way, and the others wait behind it in their order. So none
//! overtakes another of the same target, however often one of them is tried again, and no target waits for another.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The lanes, one for each target of which something is under way.
#[derive(Debug)]
pub(crate) struct Lanes<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
}

impl<K: Hash + Eq, T> Lanes<K, T> {
    pub(crate) fn new() -> Self {
        Lanes { waiting: HashMap::new() }
    }

    /// Another one has come. Gives it back if it may go now.
    pub(crate) fn enter(&mut self, target: K, item: T) -> Option<T> {
        if let Some(waiting) = self.waiting.get_mut(&target) {
            waiting.push_back(item);
            return None;
        }
        self.waiting.insert(target, VecDeque::new());
        Some(item)
    }

    /// The one that was under way has come to its end. Gives back the next, which goes now.
    pub(crate) fn next(&mut self, target: &K) -> Option<T> {
        let next = self.waiting.get_mut(target)?.pop_front();
        if next.is_none() {
            self.waiting.remove(target);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_at_a_time_and_in_order() {
        let mut lanes = Lanes::new();
        assert_eq!(lanes.enter("a", 1), Some(1));
        assert_eq!(lanes.enter("a", 2), None);
        assert_eq!(lanes.enter("a", 3), None);
        assert_eq!(lanes.enter("b", 4), Some(4), "another target waits for nobody");
        assert_eq!(lanes.next(&"a"), Some(2));
        assert_eq!(lanes.next(&"a"), Some(3));
        assert_eq!(lanes.next(&"a"), None);
        assert!(!lanes.waiting.contains_key("a"), "an empty lane goes");
        assert_eq!(lanes.enter("a", 5), Some(5));
    }
}
