//! A RabbitMQ server.
//!
//! Where there is none, Debian's is unpacked under `target/rabbitmq`, with the Erlang that it needs. It is not installed: nothing else
//! on the machine is changed, and no service of the system is started. Debian's scripts expect it in `/usr`, so it is started by
//! scripts of our own, beside which the tests find `rabbitmqctl` and `epmd`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::provision::{apt, script};
use crate::step;

/// The server, and the parts of Erlang that it depends on.
const PACKAGES: &[&str] = &[
    "rabbitmq-server",
    "erlang-base",
    "erlang-asn1",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-ftp",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-snmp",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tftp",
    "erlang-tools",
    "erlang-xmerl",
];

/// The `rabbitmq-server` that RINGWAY_RABBITMQ names, or Debian's. One on the PATH is not taken: on Debian it is the system's, and
/// works on the system's data only.
pub(crate) fn provide() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("RINGWAY_RABBITMQ") {
        return Ok(named.into());
    }
    let directory = step::target_dir().join("rabbitmq");
    let server = directory.join("bin/rabbitmq-server");
    if runs(&server) {
        return Ok(server);
    }
    unpack(&directory)?;
    if !runs(&server) {
        bail!(
            "Debian's packages {} have no RabbitMQ that runs here: set RINGWAY_RABBITMQ to a rabbitmq-server \
             beside which are rabbitmqctl and epmd",
            PACKAGES.join(" ")
        );
    }
    Ok(server)
}

fn unpack(directory: &Path) -> Result<()> {
    let root = directory.join("root");
    for package in PACKAGES {
        let downloads = directory.join("packages").join(package);
        std::fs::create_dir_all(&downloads).with_context(|| downloads.display().to_string())?;
        apt::unpack(&apt::download(package, &downloads)?, &root)?;
    }
    let bin = directory.join("bin");
    std::fs::create_dir_all(&bin).with_context(|| bin.display().to_string())?;
    let erlang = root.join("usr/lib/erlang");
    let machine = only_in(&erlang, "erts-")?.join("bin");
    let programs = only_in(&root.join("usr/lib/rabbitmq/lib"), "rabbitmq_server-")?.join("sbin");
    let (erlang, machine, bin_path) = (erlang.display(), machine.display(), bin.display());
    let emulator = format!("export ROOTDIR='{erlang}' BINDIR='{machine}' EMU=beam PROGNAME=erl\n");
    script(&bin, "erl", &format!("{emulator}exec '{machine}/erlexec' \"$@\""))?;
    script(&bin, "epmd", &format!("exec '{machine}/epmd' \"$@\""))?;
    for program in ["rabbitmq-server", "rabbitmqctl"] {
        let path = programs.join(program);
        let start = format!("PATH='{bin_path}':\"$PATH\" exec '{}' \"$@\"", path.display());
        script(&bin, program, &start)?;
    }
    Ok(())
}

/// The one entry whose name begins so, whatever its version.
fn only_in(directory: &Path, begin: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let begins =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin));
    entries.find(begins).with_context(|| format!("there is no {begin}… in {}", directory.display()))
}

/// Whether it is there with its Erlang. A server cannot be asked for its version without being started.
fn runs(server: &Path) -> bool {
    let erl = server.with_file_name("erl");
    server.exists() && step::succeeds(Command::new(erl).args(["-noshell", "-eval", "halt()."]))
}
