//! `load ring`: how evenly keys are spread over nodes, and how many move when the nodes change.

use ringway_ring::{MemberId, Ring, RingMember, SLOT_COUNT, Strategy};

use crate::progress::Progress;
use crate::report::{Figure, Report};

/// The names of all figures of the report.
pub fn figure_names() -> Vec<String> {
    vec!["slots_max_mean".to_owned()]
}

/// Measures.
///
/// # Errors
/// When there is no such ring.
pub fn run(progress: &mut Progress) -> anyhow::Result<Report> {
    progress.show("the slots are given to nodes");
    let members = (1..=16).map(|node| MemberId::new(format!("w{node}")).map(RingMember::new));
    let members: Vec<_> = members.collect::<Result<_, _>>()?;
    let mean = SLOT_COUNT as f64 / members.len() as f64;
    let ring = Ring::build(Strategy::Slots, members)?;
    let most = ring.shares().into_iter().map(|(_, slots)| slots).max().unwrap_or(0);
    let figure =
        Figure::new("slots_max_mean", f64::from(most) / mean, "", "the largest share against the mean");
    Ok(Report::new("ring", "Hash distribution").figure(figure))
}
