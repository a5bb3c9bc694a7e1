//! Which process listens at a port of this machine: by the sockets in `/proc/net/tcp`, whose names are then looked for among the
//! open files of all processes that we may look into.

use std::collections::HashSet;
use std::fs;

use super::process::Process;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The process that listens at this port, if we may see it.
pub(crate) fn listening_at(port: u16) -> Option<Process> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: HashSet<String> = tables
        .iter()
        .flat_map(|table| inodes(table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let ids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.into_iter().find(|id| has_open(*id, &sockets)).map(Process::named_by_itself)
}

fn has_open(id: u32, sockets: &HashSet<String>) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{id}/fd")) else { return false };
    let mut targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
}

/// The names of the sockets that listen at a port.
fn inodes(table: &str, port: u16) -> impl Iterator<Item = &str> {
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        fields.get(9).copied().filter(|_| is_it)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_of_a_port_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 x\n\
            1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 222 1 x\n\
            2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 x\n";
        assert_eq!(inodes(table, 8080).collect::<Vec<_>>(), ["111"]);
        assert_eq!(inodes(table, 8081).collect::<Vec<_>>(), ["333"]);
        assert_eq!(inodes("", 8080).count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listening_at(port).map(|process| process.id), Some(std::process::id()));
        drop(listener);
        assert_eq!(listening_at(port), None);
    }
}
