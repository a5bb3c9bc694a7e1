//! A server that speaks Nacos's protocol: r-nacos, compiled once for the user.
//!
//! It is kept outside of `target`, in the user's cache directory under its version, because it takes so long to compile.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::step;

const VERSION: &str = "0.8.8";

/// The r-nacos that RINGWAY_RNACOS names, or the one in the cache, which is made if it is not there.
pub(crate) fn provide() -> Result<PathBuf> {
    let root = cache()?.join(format!("ringway/rnacos-{VERSION}"));
    let cached = root.join("bin").join(format!("rnacos{}", std::env::consts::EXE_SUFFIX));
    let named = std::env::var_os("RINGWAY_RNACOS").map(PathBuf::from);
    if let Some(found) = named.into_iter().chain([cached.clone()]).find(|rnacos| runs(rnacos)) {
        return Ok(found);
    }
    println!(
        "\nxtask: the tests of the registry in Nacos need r-nacos {VERSION}, a server in Rust. It is compiled once, into {}; \
         that takes about 11 minutes on 2 cores (without them: cargo xtask test --without nacos)",
        root.display()
    );
    let install = ["install", "rnacos", "--version", VERSION, "--locked", "--root"];
    let target = step::target_dir().join("rnacos");
    let mut cargo = step::cargo(&install);
    step::run(&format!("r-nacos {VERSION}"), cargo.arg(&root).env("CARGO_TARGET_DIR", &target))?;
    // What is left of compiling it is large and not needed again.
    std::fs::remove_dir_all(&target).ok();
    ensure!(runs(&cached), "{} does not run", cached.display());
    Ok(cached)
}

/// Where the user's caches are (XDG base directory specification).
fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".cache"));
    set("XDG_CACHE_HOME").or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")
}

fn runs(rnacos: &Path) -> bool {
    step::succeeds(Command::new(rnacos).arg("--version"))
}
