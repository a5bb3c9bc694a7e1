//! The other systems' programs, as `cargo xtask bench` tells where they are, or why they are not here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, anyhow};

/// A program, or a module of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Nginx,
    /// The module of nginx.
    Nchan,
    Haproxy,
    Nats,
    Pushpin,
    Redis,
    /// The directory with Socket.IO's packages; its program is `node`.
    Socketio,
}

impl Tool {
    pub(crate) const ALL: [Self; 7] =
        [Self::Nginx, Self::Nchan, Self::Haproxy, Self::Nats, Self::Pushpin, Self::Redis, Self::Socketio];

    /// Where it is.
    pub(crate) fn path(self) -> Result<PathBuf> {
        let variable = self.variable();
        let named = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        named.ok_or_else(|| {
            let why = std::env::var(format!("{variable}_MISSING"));
            anyhow!("{}", why.unwrap_or_else(|_| format!("{variable} is not set: run `cargo xtask bench`")))
        })
    }

    /// Its version, as it says it.
    pub(crate) fn version(self) -> Result<String> {
        let path = self.path()?;
        Ok(match self {
            Self::Nginx | Self::Haproxy | Self::Nats => said(&path, &["-v"]),
            Self::Pushpin | Self::Redis => said(&path, &["--version"]),
            Self::Nchan => std::fs::read_to_string(path.with_extension("version")).map_or_else(
                |_| said(Path::new("dpkg-query"), &["--show", "libnginx-mod-nchan"]),
                |version| format!("nchan {}", version.trim()),
            ),
            Self::Socketio => {
                format!("{}, node {}", packages(&path), said(Path::new("node"), &["--version"]))
            }
        })
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Nginx => "RINGWAY_NGINX",
            Self::Nchan => "RINGWAY_NCHAN",
            Self::Haproxy => "RINGWAY_HAPROXY",
            Self::Nats => "RINGWAY_NATS",
            Self::Pushpin => "RINGWAY_PUSHPIN",
            Self::Redis => "RINGWAY_REDIS",
            Self::Socketio => "RINGWAY_SOCKETIO",
        }
    }
}

/// The first line that a program says of itself.
pub(crate) fn said(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = output else { return "unknown".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

fn packages(directory: &Path) -> String {
    let version = |name: &str| {
        let manifest = directory.join("node_modules").join(name).join("package.json");
        let manifest = std::fs::read_to_string(manifest).unwrap_or_default();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
        format!("{name} {}", manifest["version"].as_str().unwrap_or("unknown"))
    };
    ["socket.io", "@socket.io/redis-adapter", "ioredis"].map(version).join(", ")
}
