//! What clients cost that only sit there.

use anyhow::Result;

use super::{Figures, SETTLE};
use crate::crowd::Crowd;
use crate::kernel;
use crate::system::{Door, System};

/// Connects clients, and says what a handshake and an idle client cost.
pub(super) fn gather(system: &System, door: &Door, clients: usize) -> Result<(Crowd, Figures)> {
    let family = system.family();
    std::thread::sleep(SETTLE);
    let before = (family.cpu(), family.resident(), family.open_files(), kernel::slab_bytes()?);
    let crowd = Crowd::gather(door, clients)?;
    std::thread::sleep(SETTLE);
    let (resident, files, slab) = (family.resident(), family.open_files(), kernel::slab_bytes()?);
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / clients as f64;
    let cpu = family.cpu().saturating_sub(before.0);
    let figures = vec![
        ("handshake_us", crate::load::each(cpu, clients as u64)),
        ("resident_bytes", each(resident, before.1)),
        ("sockets", each(files as u64, before.2 as u64)),
        ("slab_bytes", each(slab, before.3)),
    ];
    Ok((crowd, figures))
}
