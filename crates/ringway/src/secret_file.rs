//! The secrets of clusters that `ringway up` runs on this machine: one file for each node's gRPC address, readable by
//! this user alone, so that `ringway send` and its like need no secret on the command line.
//!
//! They are in `$XDG_STATE_HOME/ringway`, else in `~/.local/state/ringway`, else in the directory for temporary files.
//! A file that a killed process left behind does no harm: the next cluster at that address writes it anew.

use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ringway_rpc::ClusterSecret;

/// The files of one running cluster. Dropped, it takes them away.
#[derive(Debug)]
pub(crate) struct SecretFiles {
    paths: Vec<PathBuf>,
    secret: ClusterSecret,
}

impl SecretFiles {
    /// Writes the secret down for each of these gRPC addresses.
    ///
    /// # Errors
    /// When the directory or a file cannot be written.
    pub(crate) fn write(secret: &ClusterSecret, addresses: &[SocketAddr]) -> anyhow::Result<Self> {
        let directory = directory();
        let told = || format!("cannot write the cluster secret to {}", directory.display());
        create_private_directory(&directory).with_context(told)?;
        let mut files = Self { paths: Vec::new(), secret: secret.clone() };
        for address in addresses {
            let path = directory.join(name(*address));
            write_private(&path, secret.expose()).with_context(told)?;
            files.paths.push(path);
        }
        Ok(files)
    }

    /// The file for the first address.
    pub(crate) fn first(&self) -> Option<&Path> {
        self.paths.first().map(PathBuf::as_path)
    }
}

impl Drop for SecretFiles {
    fn drop(&mut self) {
        for path in &self.paths {
            // A later cluster may have taken the address over: then the file is no longer ours.
            let ours = fs::read_to_string(path).is_ok_and(|text| self.secret.matches(text.trim().as_bytes()));
            if ours && let Err(error) = fs::remove_file(path) {
                tracing::debug!(%error, path = %path.display(), "the file with the cluster secret stays");
            }
        }
    }
}

/// The secret of the cluster that serves gRPC at this loopback address, if `ringway up` wrote one down.
pub(crate) fn find(address: SocketAddr) -> Option<ClusterSecret> {
    let text = fs::read_to_string(directory().join(name(address))).ok()?;
    ClusterSecret::new(text.trim()).ok()
}

fn directory() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".local/state"));
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute()).or_else(home);
    state.unwrap_or_else(std::env::temp_dir).join("ringway")
}

/// Every address of the machine is reached by its loopback address.
fn name(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("{}-{}.secret", ip.to_string().replace(':', "_"), address.port())
}

#[cfg(unix)]
fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Writes beside the file and moves it there, so that nobody reads half of it or with the old file's permissions.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_file() {
        let check = |address: &str, expected| assert_eq!(name(address.parse().unwrap()), expected);
        check("127.0.0.1:7070", "127.0.0.1-7070.secret");
        check("0.0.0.0:7070", "127.0.0.1-7070.secret");
        check("[::]:7070", "__1-7070.secret");
        check("10.0.0.1:1", "10.0.0.1-1.secret");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it_even_when_it_replaces_a_file_that_all_could() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.secret");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
