//! What the tests need beyond cargo: a Python with gRPC, a browser, Node.js, the servers of registries and stores,
//! network namespaces, and strace.
//!
//! Each tool is looked for first. Only what is missing is installed: on Debian and its kin by apt-get, as root or with
//! sudo. Anywhere else the failure says what to install.

mod apt;
mod browser;
mod etcd;
mod nacos;
mod netns;
mod node;
pub(crate) mod peers;
mod python;
mod rabbitmq;
mod redis;
mod strace;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

/// A tool that some tests need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tool {
    /// Chromium or a browser that is driven in the same way.
    Browser,
    /// An etcd server.
    Etcd,
    /// A server that speaks Nacos's protocol.
    Nacos,
    /// Network namespaces.
    Netns,
    /// Node.js with npm.
    Node,
    /// Python with the packages of `tests/e2e/requirements.txt`.
    Python,
    /// A RabbitMQ server.
    Rabbitmq,
    /// A Redis server.
    Redis,
    /// What counts system calls.
    Strace,
}

impl Tool {
    pub(crate) const ALL: [Self; 9] = [
        Self::Browser,
        Self::Etcd,
        Self::Nacos,
        Self::Netns,
        Self::Node,
        Self::Python,
        Self::Rabbitmq,
        Self::Redis,
        Self::Strace,
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Etcd => "etcd",
            Self::Nacos => "nacos",
            Self::Netns => "netns",
            Self::Node => "node",
            Self::Python => "python",
            Self::Rabbitmq => "rabbitmq",
            Self::Redis => "redis",
            Self::Strace => "strace",
        }
    }

    /// The environment variable that tells the tests where the tool is.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Browser => "RINGWAY_CHROMIUM",
            Self::Etcd => "RINGWAY_ETCD",
            Self::Nacos => "RINGWAY_RNACOS",
            Self::Netns => "RINGWAY_IP",
            Self::Node => "RINGWAY_NPM",
            Self::Python => "RINGWAY_PYTHON",
            Self::Rabbitmq => "RINGWAY_RABBITMQ",
            Self::Redis => "RINGWAY_REDIS",
            Self::Strace => "RINGWAY_STRACE",
        }
    }

    /// All names, as `--without` takes them.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(",")
    }

    fn packages_missing(self) -> &'static [&'static str] {
        match self {
            Self::Browser if browser::find().is_none() => browser::PACKAGES,
            Self::Netns if !netns::has_program() => netns::PACKAGES,
            Self::Python if !python::can_make_environments() => python::PACKAGES,
            Self::Strace if !strace::has_program() => strace::PACKAGES,
            Self::Browser
            | Self::Etcd
            | Self::Nacos
            | Self::Netns
            | Self::Node
            | Self::Python
            | Self::Rabbitmq
            | Self::Redis
            | Self::Strace => &[],
        }
    }

    fn provide(self) -> Result<PathBuf> {
        match self {
            Self::Browser => browser::find().ok_or_else(|| anyhow::anyhow!("{}", browser::MISSING)),
            Self::Etcd => etcd::provide(),
            Self::Nacos => nacos::provide(),
            Self::Netns => netns::provide(),
            Self::Node => node::provide(),
            Self::Python => python::provide(),
            Self::Rabbitmq => rabbitmq::provide(),
            Self::Redis => redis::provide(),
            Self::Strace => strace::provide(),
        }
    }
}

impl FromStr for Tool {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|tool| tool.name() == name) {
            Some(tool) => Ok(tool),
            None => bail!("there is no tool `{name}` to leave out; it is one of {}", Self::names()),
        }
    }
}

/// Makes these tools available and says where they are.
pub(crate) fn provide(tools: &[Tool]) -> Result<Vec<(Tool, PathBuf)>> {
    let missing: Vec<_> = tools.iter().flat_map(|tool| tool.packages_missing()).copied().collect();
    if !missing.is_empty() {
        apt::install(&missing)?;
    }
    tools.iter().map(|tool| Ok((*tool, tool.provide()?))).collect()
}

/// The program that an environment variable names, or the one of this name on the PATH.
fn program(tool: Tool, name: &str) -> PathBuf {
    std::env::var_os(tool.variable()).map_or_else(|| PathBuf::from(name), PathBuf::from)
}

/// Writes a shell script that starts a program which was unpacked.
fn script(directory: &Path, name: &str, text: &str) -> Result<()> {
    let path = directory.join(name);
    let failed = || path.display().to_string();
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).with_context(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).with_context(failed)
}
