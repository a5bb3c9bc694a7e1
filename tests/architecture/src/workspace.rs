//! The workspace as it lies on the disk.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use crate::lock::Lock;
use crate::manifest::Manifest;

/// Everything the rules look at.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The packages, those of the product first.
    pub packages: Vec<Package>,
    /// What they bring along.
    pub lock: Lock,
}

/// One package and where it lives.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its part of the house.
    pub home: Home,
    /// The name of its directory.
    pub directory: String,
}

/// The parts of the house.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Home {
    /// `crates/`: the product.
    Product,
    /// `tests/`, `examples/` and `xtask`: they look at the product, and the product does not know them.
    Tools,
}

impl Workspace {
    /// Reads the workspace whose root is at `root`.
    ///
    /// # Errors
    /// Names the file that could not be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut packages = packages_in(&root.join("crates"), Home::Product)?;
        for directory in ["tests", "examples"] {
            packages.extend(packages_in(&root.join(directory), Home::Tools)?);
        }
        packages.push(package_at(&root.join("xtask"), Home::Tools)?);
        let path = root.join("Cargo.lock");
        let lock = Lock::parse(&read(&path)?).map_err(|error| broken(&path, error))?;
        Ok(Self { packages, lock })
    }
}

/// Every directory of `crates/` is a package; elsewhere only those with a manifest are (others hold data).
fn packages_in(directory: &Path, home: Home) -> Result<Vec<Package>> {
    let entries = fs::read_dir(directory).map_err(|error| broken(directory, error))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    let is_package =
        |path: &PathBuf| path.is_dir() && (home == Home::Product || path.join("Cargo.toml").exists());
    paths.iter().filter(|path| is_package(path)).map(|path| package_at(path, home)).collect()
}

fn package_at(directory: &Path, home: Home) -> Result<Package> {
    let path = directory.join("Cargo.toml");
    let manifest = Manifest::parse(&read(&path)?).map_err(|error| broken(&path, error))?;
    let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Package { manifest, home, directory: name })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| broken(path, error))
}

fn broken(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::other(format!("{}: {error}", path.display()))
}
