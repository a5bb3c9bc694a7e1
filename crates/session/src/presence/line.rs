//! Users in line, each once, first come, first served. So it is never longer than there are users.

use std::collections::{HashSet, VecDeque};

use crate::name::UserId;

#[derive(Debug, Default)]
pub(super) struct Line {
    order: VecDeque<UserId>,
    /// The same, to be found.
    present: HashSet<UserId>,
}

impl Line {
    pub(super) fn push(&mut self, user: &UserId) {
        if self.present.insert(user.clone()) {
            self.order.push_back(user.clone());
        }
    }

    pub(super) fn pop(&mut self) -> Option<UserId> {
        let user = self.order.pop_front()?;
        self.present.remove(&user);
        Some(user)
    }

    pub(super) fn take(&mut self, users_max: usize) -> Vec<UserId> {
        std::iter::from_fn(|| self.pop()).take(users_max).collect()
    }

    pub(super) fn remove(&mut self, user: &UserId) {
        if self.present.remove(user) {
            self.order.retain(|other| other != user);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.present.clear();
    }
}
