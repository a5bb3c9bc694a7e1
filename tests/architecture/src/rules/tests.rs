//! Each rule sees what it is there to see, in a workspace that breaks only that rule.

use super::*;
use crate::lock::Lock;

fn package(home: Home, directory: &str, name: &str, rest: &str) -> Package {
    let text = format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{rest}");
    Package { manifest: Manifest::parse(&text).unwrap(), home, directory: directory.to_owned() }
}

/// A crate of the product that uses others of the workspace, in the table named.
fn crate_using(directory: &str, table: &str, used: &[&str]) -> Package {
    let used: String = used.iter().map(|name| format!("{name}.workspace = true\n")).collect();
    package(Home::Product, directory, &package_name(directory), &format!("[{table}]\n{used}"))
}

fn check(packages: Vec<Package>, lock: &str, expected: &[&str]) {
    let found = complaints(&Workspace { packages, lock: Lock::parse(lock).unwrap() });
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found:?} does not say {expected:?}");
    }
}

#[test]
fn a_workspace_that_keeps_the_rules_is_not_complained_about() {
    let packages = vec![
        crate_using("ring", "dependencies", &["thiserror"]),
        crate_using("proto", "build-dependencies", &["protox", "ringway-ring"]),
        crate_using("ringway", "dependencies", &["ringway-ring", "ringway-proto", "tokio"]),
        package(Home::Tools, "e2e", "ringway-e2e", "[dependencies]\nringway-ring.workspace = true"),
    ];
    check(packages, "", &[]);
}

#[test]
fn upward_dependencies_are_seen_in_every_table() {
    for table in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"]
    {
        check(vec![crate_using("rpc", table, &["ringway-cluster"])], "", &["crates/rpc uses crates/cluster"]);
    }
    let renamed = "[dependencies]\nviews = { workspace = true, package = \"ringway-cluster\" }";
    let rpc = package(Home::Product, "rpc", "ringway-rpc", renamed);
    check(vec![rpc], "", &["crates/rpc uses crates/cluster"]);
}

#[test]
fn strangers_are_seen_also_behind_others() {
    check(vec![crate_using("worker", "dependencies", &["ringway-sender"])], "", &["worker -> sender"]);
    let packages = vec![
        crate_using("gateway", "dev-dependencies", &["ringway-store"]),
        crate_using("store", "dependencies", &["ringway-worker"]),
    ];
    check(packages, "", &["crates/store uses crates/worker", "gateway -> store -> worker"]);
}

#[test]
fn network_is_seen_at_any_depth() {
    let lock = r#"
        [[package]]
        name = "jsonwebtoken"
        dependencies = ["innocent 1.0.0"]
        [[package]]
        name = "innocent"
        dependencies = ["tokio-util"]
    "#;
    check(
        vec![crate_using("auth", "dependencies", &["jsonwebtoken"])],
        lock,
        &["jsonwebtoken -> innocent -> tokio-util"],
    );
    check(vec![crate_using("ring", "dev-dependencies", &["tokio"])], "", &[]);
    check(vec![crate_using("session", "dependencies", &["tokio"])], "", &["crates/session must stay pure"]);
}

#[test]
fn other_broken_rules_are_seen() {
    let unplaced = crate_using("common", "dependencies", &[]);
    check(vec![unplaced], "", &["crates/common has no place"]);
    let misnamed = package(Home::Product, "ring", "ring", "");
    check(vec![misnamed], "", &["must be named ringway-ring"]);
    check(vec![crate_using("rpc", "build-dependencies", &["protox"])], "", &["ringway-rpc uses protox"]);
    let own = package(Home::Product, "ring", "ringway-ring", "[dependencies]\nthiserror = \"2\"");
    check(vec![own], "", &["gives thiserror a version of its own"]);
    let unlinted = Manifest::parse("[package]\nname = \"xtask\"").unwrap();
    let xtask = Package { manifest: unlinted, home: Home::Tools, directory: "xtask".to_owned() };
    check(
        vec![xtask, crate_using("ring", "dependencies", &["xtask"])],
        "",
        &["crates/ring uses xtask", "xtask must say `lints.workspace = true`"],
    );
}
