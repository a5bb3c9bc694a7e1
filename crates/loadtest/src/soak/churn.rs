//! Those who come and go, at a rate: every other one says goodbye, and the rest just break off. They take their names from a bounded
//! supply, so that what grows does not grow because there are ever more users.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::ChurnConfig;
use crate::clients::{Crowd, Life};
use crate::traffic::{Schedule, Ticks};

/// Coming and going.
pub(super) struct Churn<'a> {
    crowd: &'a mut Crowd,
    config: ChurnConfig,
    /// The number of the first who comes and goes: the others stay.
    first: usize,
    /// How many have come.
    come: usize,
    /// In the order in which they have come.
    present: VecDeque<Life>,
}

impl<'a> Churn<'a> {
    /// Beside the clients below this number, who stay.
    pub(super) fn new(crowd: &'a mut Crowd, first: usize, config: ChurnConfig) -> Self {
        Self { crowd, config, first, come: 0, present: VecDeque::new() }
    }

    /// Comes and goes for this time. Who is there in the end leaves with the crowd.
    pub(super) async fn run(mut self, duration: Duration) -> anyhow::Result<()> {
        let ChurnConfig { per_second, at_once } = self.config;
        if at_once == 0 || per_second <= 0.0 {
            return Ok(());
        }
        let (began, mut schedule) = (Instant::now(), Schedule::new(per_second, duration));
        let mut ticks = Ticks::at_rate(per_second)?;
        while schedule.next_at().is_some() {
            while let Some(due) = schedule.due(began.elapsed()) {
                self.one(began + due).await;
            }
            ticks.tick().await;
        }
        Ok(())
    }

    /// One goes, if there are enough, and one comes.
    async fn one(&mut self, due: Instant) {
        if self.present.len() >= self.config.at_once
            && let Some(oldest) = self.present.pop_front()
        {
            if self.come.is_multiple_of(2) { oldest.leave() } else { oldest.break_off() }
        }
        // Twice as many names as are there together: nobody is there twice.
        let client = self.first + self.come % (2 * self.config.at_once);
        self.come += 1;
        self.present.extend(self.crowd.add(client, due).await);
        self.crowd.reap();
    }
}
