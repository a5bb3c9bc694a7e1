//! What the kernel itself holds, for all processes together: connections cost memory there, too.

use std::fs;

use super::process::field;

/// The kernel's memory and sockets at a moment. What the system does not tell is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Memory of kernel objects such as sockets, in bytes (`Slab` of `/proc/meminfo`).
    pub(crate) slab: u64,
    /// TCP sockets in use, both ends of those that stay on this machine.
    pub(crate) sockets: u64,
    /// Memory of the content of TCP's queues, in bytes.
    pub(crate) queues: u64,
}

impl Kernel {
    /// How it is now.
    pub(crate) fn read() -> Self {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        let (in_use, pages) = tcp(&sockets);
        Self {
            slab: field(&memory, "Slab:").unwrap_or_default() * 1024,
            sockets: in_use,
            queues: pages * rustix::param::page_size() as u64,
        }
    }
}

/// The numbers behind `inuse` and `mem` in the line of TCP.
fn tcp(sockstat: &str) -> (u64, u64) {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let words: Vec<_> = line.split_whitespace().collect();
    let behind = |name: &str| {
        let number = words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1));
        number.and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    (behind("inuse"), behind("mem"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_read() {
        let text = "sockets: used 290\nTCP: inuse 17 orphan 0 tw 3 alloc 20 mem 5\nUDP: inuse 1 mem 9\n";
        assert_eq!(tcp(text), (17, 5));
        assert_eq!(tcp(""), (0, 0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_tells() {
        assert!(Kernel::read().slab > 0);
    }
}
