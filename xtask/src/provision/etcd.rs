//! An etcd server.
//!
//! Where there is none, Debian's is unpacked under `target/etcd`. It is not installed: nothing else on the machine is
//! changed, and no service of the system is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::provision::apt;
use crate::step;

const PACKAGE: &str = "etcd-server";

/// The etcd that RINGWAY_ETCD names, the one on the PATH, or Debian's.
pub(crate) fn provide() -> Result<PathBuf> {
    let directory = step::target_dir().join("etcd");
    let unpacked = directory.join("usr/bin/etcd");
    let named = std::env::var_os("RINGWAY_ETCD").map(PathBuf::from);
    let known = [PathBuf::from("etcd"), unpacked.clone()];
    if let Some(found) = named.into_iter().chain(known).find(|etcd| runs(etcd)) {
        return Ok(found);
    }
    unpack(&directory)?;
    if !runs(&unpacked) {
        bail!(
            "Debian's package {PACKAGE} has no etcd that runs here: install etcd, or set RINGWAY_ETCD to one"
        );
    }
    Ok(unpacked)
}

fn unpack(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let package = apt::download(PACKAGE, directory)?;
    step::run(&format!("unpacking {PACKAGE}"), Command::new("dpkg-deb").arg("-x").arg(package).arg(directory))
}

fn runs(etcd: &Path) -> bool {
    step::succeeds(Command::new(etcd).arg("--version"))
}
