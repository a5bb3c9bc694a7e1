//! The parts of a `Cargo.toml` that the rules speak of.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// One package's manifest.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    package: PackageTable,
    lints: Option<Lints>,
    #[serde(flatten)]
    tables: Dependencies,
    #[serde(default)]
    target: BTreeMap<String, Dependencies>,
}

#[derive(Clone, Debug, Deserialize)]
struct PackageTable {
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Lints {
    #[serde(default)]
    workspace: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Dependencies {
    dependencies: BTreeMap<String, Dependency>,
    dev_dependencies: BTreeMap<String, Dependency>,
    build_dependencies: BTreeMap<String, Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Dependency {
    Table(DependencyTable),
    /// Only a version.
    Version(IgnoredAny),
}

#[derive(Clone, Debug, Deserialize)]
struct DependencyTable {
    package: Option<String>,
    #[serde(default)]
    workspace: bool,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with the text, from the TOML reader.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The package's name.
    pub fn name(&self) -> &str {
        &self.package.name
    }

    /// Whether it takes the workspace's lints as they are.
    pub fn inherits_lints(&self) -> bool {
        self.lints.as_ref().is_some_and(|lints| lints.workspace)
    }

    /// The packages that it names in any of its dependency tables: normal, dev, build, and those for some targets.
    pub fn uses(&self) -> impl Iterator<Item = &str> {
        self.tables().flat_map(Dependencies::all).map(|(key, dependency)| dependency.package(key))
    }

    /// The packages that become part of what is built from it: normal dependencies, also those for some targets.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.tables().flat_map(|tables| &tables.dependencies).map(|(key, dependency)| dependency.package(key))
    }

    /// The dependencies that do not take their version from the workspace.
    pub fn own_versions(&self) -> impl Iterator<Item = &str> {
        let own =
            |dependency: &Dependency| !matches!(dependency, Dependency::Table(table) if table.workspace);
        self.tables()
            .flat_map(Dependencies::all)
            .filter(move |(_, used)| own(used))
            .map(|(key, _)| key.as_str())
    }

    fn tables(&self) -> impl Iterator<Item = &Dependencies> {
        std::iter::once(&self.tables).chain(self.target.values())
    }
}

impl Dependencies {
    fn all(&self) -> impl Iterator<Item = (&String, &Dependency)> {
        self.dependencies.iter().chain(&self.dev_dependencies).chain(&self.build_dependencies)
    }
}

impl Dependency {
    /// The package behind a key of a dependency table.
    fn package<'a>(&'a self, key: &'a str) -> &'a str {
        match self {
            Self::Table(DependencyTable { package: Some(package), .. }) => package,
            Self::Table(_) | Self::Version(_) => key,
        }
    }
}
