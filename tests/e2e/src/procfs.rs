//! What Linux says about a process.

use std::fs;

/// Resident memory, in bytes.
pub fn resident_bytes(id: u32) -> u64 {
    status(id, "VmRSS:") * 1024
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

fn status(id: u32, field: &str) -> u64 {
    let path = format!("/proc/{id}/status");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap_or_else(|| panic!("{path}: no {field}"));
    let number = line.split_whitespace().next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{path}: {field} {line}"))
}
