//! How a client behaves: how fast its frames come, and how often it has done what it must not. Pure: the time comes in.
//!
//! Frames are paid for out of a bucket that fills with time. A frame that cannot be paid is refused and is an *offence*, as
//! are frames that cannot be read and acknowledgements of what was never sent. Offences are borne up to a bound, and one is
//! forgiven each second; beyond the bound the client is to be closed.

use crate::moment::Moment;

/// The bounds of a client's conduct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConductPolicy {
    /// How many frames a client may send in a second, acknowledgements not counted. Beyond it a frame is refused.
    pub frames_per_second: u32,
    /// How many it may send at once.
    pub frames_burst: u32,
    /// How many offences are borne. One is forgiven each second. Beyond it the session is closed.
    pub offences_max: u32,
}

impl Default for ConductPolicy {
    /// 50 frames a second, 200 at once, 16 offences.
    fn default() -> Self {
        ConductPolicy { frames_per_second: 50, frames_burst: 200, offences_max: 16 }
    }
}

/// How many offences are forgiven in a second.
const FORGIVEN_PER_SECOND: u32 = 1;

/// What is to be done about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// It is told off.
    Offence,
    /// It has been told off often enough: its session is to be closed.
    Enough,
}

/// How one client has behaved lately.
#[derive(Clone, Debug)]
pub(crate) struct Conduct {
    frames: Bucket,
    patience: Bucket,
}

impl Conduct {
    pub(crate) fn new(policy: &ConductPolicy, now: Moment) -> Self {
        Conduct {
            frames: Bucket::full(policy.frames_burst, now),
            patience: Bucket::full(policy.offences_max, now),
        }
    }

    /// A frame has come that counts.
    pub(crate) fn frame(&mut self, policy: &ConductPolicy, now: Moment) -> Verdict {
        let ConductPolicy { frames_per_second, frames_burst, .. } = *policy;
        match self.frames.take(frames_per_second, frames_burst, now) {
            true => Verdict::Fine,
            false => self.offence(policy, now),
        }
    }

    /// The client has done what it must not.
    pub(crate) fn offence(&mut self, policy: &ConductPolicy, now: Moment) -> Verdict {
        match self.patience.take(FORGIVEN_PER_SECOND, policy.offences_max, now) {
            true => Verdict::Offence,
            false => Verdict::Enough,
        }
    }
}

/// A token bucket, in thousandths of a token: so much flows in each millisecond as tokens in a second.
#[derive(Clone, Debug)]
struct Bucket {
    thousandths: u64,
    filled: Moment,
}

impl Bucket {
    fn full(tokens: u32, now: Moment) -> Self {
        Bucket { thousandths: u64::from(tokens) * 1000, filled: now }
    }

    /// Takes one token out, if there is one.
    fn take(&mut self, per_second: u32, tokens_max: u32, now: Moment) -> bool {
        let passed_ms = now.0.saturating_sub(self.filled.0);
        let flowed = passed_ms.saturating_mul(per_second.into());
        self.thousandths = self.thousandths.saturating_add(flowed).min(u64::from(tokens_max) * 1000);
        self.filled = self.filled.max(now);
        let Some(rest) = self.thousandths.checked_sub(1000) else { return false };
        self.thousandths = rest;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: ConductPolicy = ConductPolicy { frames_per_second: 10, frames_burst: 3, offences_max: 2 };

    fn verdicts(moments: &[u64]) -> Vec<Verdict> {
        let mut conduct = Conduct::new(&POLICY, Moment(moments[0]));
        moments.iter().map(|at| conduct.frame(&POLICY, Moment(*at))).collect()
    }

    #[test]
    fn a_client_is_told_off_and_then_closed() {
        use Verdict::{Enough, Fine, Offence};
        assert_eq!(verdicts(&[0; 7]), [Fine, Fine, Fine, Offence, Offence, Enough, Enough]);
        // A token each 100 ms.
        assert_eq!(verdicts(&[0, 0, 0, 99, 100, 200, 299]), [Fine, Fine, Fine, Offence, Fine, Fine, Offence]);
        // It is forgiven one each second, and no more than it can be borne.
        let later = [0, 0, 0, 0, 0, 0, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000];
        let told = verdicts(&later);
        assert_eq!(told[..6], [Fine, Fine, Fine, Offence, Offence, Enough]);
        assert_eq!(told[6..], [Fine, Fine, Fine, Offence, Offence, Enough]);
    }

    #[test]
    fn offences_count_with_frames_too_many() {
        let mut conduct = Conduct::new(&POLICY, Moment(0));
        assert_eq!(conduct.offence(&POLICY, Moment(0)), Verdict::Offence);
        assert_eq!(conduct.offence(&POLICY, Moment(500)), Verdict::Offence);
        assert_eq!(conduct.offence(&POLICY, Moment(999)), Verdict::Enough);
        assert_eq!(conduct.offence(&POLICY, Moment(1000)), Verdict::Offence);
        assert_eq!(conduct.frame(&POLICY, Moment(1000)), Verdict::Fine);
    }

    proptest! {
        /// In no stretch of time does a client get more than what it may send at once and what flows in meanwhile.
        #[test]
        fn nobody_gets_more_than_the_bound(gaps in proptest::collection::vec(0..200u64, 1..200)) {
            let mut conduct = Conduct::new(&POLICY, Moment(0));
            let (mut now, mut fine) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if conduct.frame(&POLICY, Moment(now)) == Verdict::Fine {
                    fine.push(now);
                }
            }
            for (index, from) in fine.iter().enumerate() {
                for (count, until) in fine[index..].iter().enumerate() {
                    let flowed = (until - from) * u64::from(POLICY.frames_per_second) / 1000;
                    prop_assert!(count as u64 <= u64::from(POLICY.frames_burst) + flowed);
                }
            }
        }

        #[test]
        fn no_time_makes_a_panic(moments: Vec<u64>) {
            let mut conduct = Conduct::new(&POLICY, Moment(5));
            for at in moments {
                let (_frame, _offence) =
                    (conduct.frame(&POLICY, Moment(at)), conduct.offence(&POLICY, Moment(at)));
            }
        }
    }
}
