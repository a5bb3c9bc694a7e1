//! Processor time of gateway and workers, while no process comes or goes.

use std::time::{Duration, Instant};

use crate::site::Site;

/// A measurement that has begun.
pub(crate) struct Load {
    began: Instant,
    cpu: [Duration; 2],
}

/// What the gateway and the workers used.
pub(crate) struct Spent {
    time: Duration,
    cpu: [Duration; 2],
}

impl Load {
    pub(crate) fn begin(site: &Site) -> Self {
        Self { began: Instant::now(), cpu: site.cpu() }
    }

    pub(crate) fn end(&self, site: &Site) -> Spent {
        let now = site.cpu();
        let cpu = [0, 1].map(|of| now[of].saturating_sub(self.cpu[of]));
        Spent { time: self.began.elapsed(), cpu }
    }
}

impl Spent {
    /// What is left when the same time of a steady state is taken off.
    pub(crate) fn beyond(&self, steady: &Self) -> [Duration; 2] {
        let part = self.time.as_secs_f64() / steady.time.as_secs_f64();
        [0, 1].map(|of| self.cpu[of].saturating_sub(steady.cpu[of].mul_f64(part)))
    }
}
