//! What the kernel keeps for sockets.

use anyhow::{Context as _, Result};

/// The kernel's slab memory in bytes: socket structures, file structures, queues. Of the whole machine: only the difference over a
/// few seconds in which many sockets were opened says anything.
pub(crate) fn slab_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("/proc/meminfo")?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("Slab:")).context("no Slab in /proc/meminfo")?;
    let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    Ok(kilobytes.context("/proc/meminfo: Slab")? * 1024)
}
