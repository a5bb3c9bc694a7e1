//! A Redis server.
//!
//! Where there is none, Debian's is unpacked under `target/redis`, with the libraries that it needs. It is not installed: nothing
//! else on the machine is changed, and no service of the system is started.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::provision::apt;
use crate::step;

/// The server is in the second one; the first one only names it. The others are libraries that a small system may not have.
const PACKAGES: &[&str] =
    &["redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1", "libssl3"];

/// The Redis that RINGWAY_REDIS names, the one on the PATH, or Debian's.
pub(crate) fn provide() -> Result<PathBuf> {
    let directory = step::target_dir().join("redis");
    let unpacked = directory.join("redis-server");
    let named = std::env::var_os("RINGWAY_REDIS").map(PathBuf::from);
    let known = [PathBuf::from("redis-server"), unpacked.clone()];
    if let Some(found) = named.into_iter().chain(known).find(|redis| runs(redis)) {
        return Ok(found);
    }
    unpack(&directory, &unpacked)?;
    if !runs(&unpacked) {
        bail!(
            "Debian's packages {} have no Redis that runs here: install redis-server, or set RINGWAY_REDIS to one",
            PACKAGES.join(" ")
        );
    }
    Ok(unpacked)
}

fn unpack(directory: &Path, start: &Path) -> Result<()> {
    for package in PACKAGES {
        let downloads = directory.join("packages").join(package);
        std::fs::create_dir_all(&downloads).with_context(|| downloads.display().to_string())?;
        let file = apt::download(package, &downloads)?;
        let mut unpack = Command::new("dpkg-deb");
        step::run(&format!("unpacking {package}"), unpack.arg("-x").arg(file).arg(directory))?;
    }
    let failed = || start.display().to_string();
    std::fs::write(start, start_script(directory)?).with_context(failed)?;
    std::fs::set_permissions(start, std::fs::Permissions::from_mode(0o755)).with_context(failed)
}

/// Starts the server with the libraries beside it.
fn start_script(directory: &Path) -> Result<String> {
    let libraries =
        std::fs::read_dir(directory.join("usr/lib")).with_context(|| directory.display().to_string())?;
    let folders = libraries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    let path = folders.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":");
    let server = directory.join("usr/bin/redis-server");
    Ok(format!("#!/bin/sh\nLD_LIBRARY_PATH='{path}' exec '{}' \"$@\"\n", server.display()))
}

fn runs(redis: &Path) -> bool {
    step::succeeds(Command::new(redis).arg("--version"))
}
