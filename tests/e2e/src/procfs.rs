//! What Linux says about a process.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Resident memory, in bytes.
pub fn resident_bytes(id: u32) -> u64 {
    status(id, "VmRSS:") * 1024
}

/// The most memory that was ever resident, in bytes.
pub fn resident_bytes_most(id: u32) -> u64 {
    status(id, "VmHWM:") * 1024
}

/// How many threads it has.
pub fn threads(id: u32) -> u64 {
    status(id, "Threads:")
}

/// How many file descriptors it has open.
pub fn open_files(id: u32) -> usize {
    let directory = format!("/proc/{id}/fd");
    fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory}: {error}")).count()
}

/// The processor time that it has used, in user space and in the kernel.
pub fn cpu_time(id: u32) -> Duration {
    let path = format!("/proc/{id}/stat");
    let text = read(&path);
    // The second field is the name in parentheses, which may hold anything; utime and stime are the 14th and 15th.
    let (_, fields) = text.rsplit_once(')').unwrap_or_else(|| panic!("{path}: {text}"));
    ticks(fields.split_whitespace().skip(11).take(2))
}

/// The processor time that all processes have used, interrupts included.
pub fn cpu_time_of_all() -> Duration {
    let text = read("/proc/stat");
    let fields: Vec<_> = text.lines().next().unwrap_or_default().split_whitespace().skip(1).collect();
    let idle_and_waiting = 3..5;
    // Behind the eighth there are guests, which are counted as user time already.
    let busy = (0..fields.len().min(7)).filter(|place| !idle_and_waiting.contains(place));
    ticks(busy.map(|place| fields[place]))
}

/// What connections of this process to a server of the same machine have brought there that the server has not read: bytes, by
/// the address at our end. IPv4.
pub fn unread_of_ours(server: SocketAddr) -> HashMap<SocketAddr, u64> {
    let connections: Vec<Connection> = read("/proc/net/tcp").lines().skip(1).filter_map(connection).collect();
    let files = fs::read_dir("/proc/self/fd").expect("our files").filter_map(Result::ok);
    // A socket that has just been closed has no name any more.
    let ours: HashSet<String> =
        files.filter_map(|file| fs::read_link(file.path()).ok()?.to_str().map(str::to_owned)).collect();
    let is_ours = |it: &&Connection| it.remote == server && ours.contains(&format!("socket:[{}]", it.inode));
    let our_ends: HashSet<SocketAddr> = connections.iter().filter(is_ours).map(|it| it.local).collect();
    let at_server = connections.iter().filter(|it| it.local == server && our_ends.contains(&it.remote));
    at_server.map(|it| (it.remote, it.unread)).collect()
}

/// A line of `/proc/net/tcp`.
struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    unread: u64,
    inode: String,
}

fn connection(line: &str) -> Option<Connection> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (_, unread) = fields.get(4)?.split_once(':')?;
    Some(Connection {
        local: address(fields.get(1)?)?,
        remote: address(fields.get(2)?)?,
        unread: u64::from_str_radix(unread, 16).ok()?,
        inode: (*fields.get(9)?).to_owned(),
    })
}

/// Such as `0100007F:1F90`: the address as the machine has it in memory, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?.to_ne_bytes();
    Some((Ipv4Addr::from(ip), u16::from_str_radix(port, 16).ok()?).into())
}

fn ticks<'a>(fields: impl Iterator<Item = &'a str>) -> Duration {
    let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a number of ticks")).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn status(id: u32, field: &str) -> u64 {
    let path = format!("/proc/{id}/status");
    let text = read(&path);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap_or_else(|| panic!("{path}: no {field}"));
    let number = line.split_whitespace().next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{path}: {field} {line}"))
}
