//! The systems that ringway is compared with.
//!
//! Debian's packages are unpacked under `target/peers`, with the libraries that the machine has not. They are not installed: nothing
//! else on the machine is changed, and no service of the system is started. A system that cannot be had here is no failure: the
//! comparison names it, and why.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::provision::{apt, redis, script};
use crate::step;

/// A variable of the comparison's environment, and what it says.
pub(crate) type Variable = (String, PathBuf);

/// Programs from Debian's packages.
struct Peer {
    name: &'static str,
    variable: &'static str,
    packages: &'static [&'static str],
    /// Where the packages have it.
    program: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer {
        name: "nginx",
        variable: "RINGWAY_NGINX",
        packages: &["nginx", "libnginx-mod-nchan"],
        program: "usr/sbin/nginx",
    },
    Peer {
        name: "haproxy",
        variable: "RINGWAY_HAPROXY",
        packages: &["haproxy"],
        program: "usr/sbin/haproxy",
    },
    Peer {
        name: "nats-server",
        variable: "RINGWAY_NATS",
        packages: &["nats-server"],
        program: "usr/sbin/nats-server",
    },
    Peer { name: "pushpin", variable: "RINGWAY_PUSHPIN", packages: &["pushpin"], program: "usr/bin/pushpin" },
];

/// What comes with one of them and is no program.
const NCHAN: &str = "usr/lib/nginx/modules/ngx_nchan_module.so";
const PUSHPIN_LIBRARIES: &str = "usr/lib/pushpin";

/// Provides what can be had. What is missing is said in a variable of its own.
pub(crate) fn provide() -> Vec<Variable> {
    let mut variables = Vec::new();
    for peer in &PEERS {
        note(&mut variables, peer.variable, peer.provide());
    }
    note(&mut variables, "RINGWAY_NCHAN", beside("nginx", NCHAN));
    note(&mut variables, "RINGWAY_PUSHPIN_LIB", beside("pushpin", PUSHPIN_LIBRARIES));
    note(&mut variables, "RINGWAY_REDIS", redis::provide());
    note(&mut variables, "RINGWAY_SOCKETIO", socketio());
    variables
}

fn note(variables: &mut Vec<Variable>, variable: &str, found: Result<PathBuf>) {
    match found {
        Ok(path) => variables.push((variable.to_owned(), path)),
        Err(error) => {
            eprintln!("xtask: {variable}: {error:#}");
            variables.push((format!("{variable}_MISSING"), format!("{error:#}").into()));
        }
    }
}

fn directory() -> PathBuf {
    step::target_dir().join("peers")
}

impl Peer {
    /// The one that the variable names, or Debian's.
    fn provide(&self) -> Result<PathBuf> {
        if let Some(named) = std::env::var_os(self.variable) {
            return Ok(named.into());
        }
        let start = directory().join("bin").join(self.name);
        if !start.exists() {
            self.unpack()?;
        }
        ensure!(start.exists(), "Debian's packages {} have no {}", self.packages.join(" "), self.program);
        Ok(start)
    }

    fn unpack(&self) -> Result<()> {
        let (downloads, root) = (directory().join("packages").join(self.name), directory().join(self.name));
        let files = apt::download_with_dependencies(self.packages, &downloads)?;
        for file in files {
            apt::unpack(&file, &root)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("libnginx-mod-nchan_") {
                let version = name.split('_').nth(1).unwrap_or("unknown").replace("%3a", ":");
                let path = root.join(NCHAN).with_extension("version");
                std::fs::write(&path, version).with_context(|| path.display().to_string())?;
            }
        }
        // A package that the machine has already is not fetched: its program is where Debian puts it.
        let unpacked = root.join(self.program);
        let program = if unpacked.exists() { unpacked } else { Path::new("/").join(self.program) };
        ensure!(program.exists(), "Debian's packages {} have no {}", self.packages.join(" "), self.program);
        let bin = directory().join("bin");
        std::fs::create_dir_all(&bin).with_context(|| bin.display().to_string())?;
        let (libraries, programs) = (libraries(&root), root.join("usr/bin"));
        let environment = format!("LD_LIBRARY_PATH='{libraries}' PATH='{}':\"$PATH\"", programs.display());
        script(&bin, self.name, &format!("{environment} exec '{}' \"$@\"", program.display()))
    }
}

/// Every folder in which unpacked libraries may be.
fn libraries(root: &Path) -> String {
    let folders = std::fs::read_dir(root.join("usr/lib")).into_iter().flatten();
    let folders = folders.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    folders.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}

/// What Debian's packages put beside a program.
fn beside(name: &str, path: &str) -> Result<PathBuf> {
    let places = [directory().join(name).join(path), Path::new("/").join(path)];
    let found = places.into_iter().find(|place| place.exists());
    found.with_context(|| format!("Debian's packages have no {path} here"))
}

/// Socket.IO's packages, by npm, with the program that uses them.
fn socketio() -> Result<PathBuf> {
    for program in ["node", "npm"] {
        let runs = step::succeeds(Command::new(program).arg("--version"));
        ensure!(runs, "Socket.IO needs {program}: install Node.js");
    }
    let (source, directory) = (step::root().join("tests/peers/socketio"), directory().join("socketio"));
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let lock = directory.join("package-lock.json");
    let installed = directory.join("node_modules").exists()
        && std::fs::read(&lock).ok() == std::fs::read(source.join("package-lock.json")).ok();
    for file in ["server.js", "package.json", "package-lock.json"] {
        std::fs::copy(source.join(file), directory.join(file)).with_context(|| file.to_owned())?;
    }
    if !installed {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        step::run_in(&directory, "Socket.IO", &mut npm)?;
    }
    Ok(directory)
}
