//! The comparison runs: with few clients, against the systems that need nothing but what the other tests need.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_quick_comparison_loses_nothing_and_tells_what_it_measured() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let json = directory.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_ringway-peers"))
        .args(["--quick", "--only", "gateways,delivery,article", "--json"])
        .arg(&json)
        .args(["--systems", "ringway,upstream alone,bare"])
        .env_remove("RINGWAY_NGINX")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&std::fs::read(&json).expect("the file")).expect("JSON");
    let figures = told["figures"].as_array().expect("figures");
    for (part, system) in [
        ("gateways", "the upstream alone"),
        ("gateways", "ringway gateway + worker (JWT)"),
        ("delivery", "ringway"),
        ("delivery", "bare write()"),
        ("article", "ringway"),
    ] {
        let lost = figures.iter().find(|it| {
            (it["part"].as_str(), it["system"].as_str(), it["figure"].as_str())
                == (Some(part), Some(system), Some("lost"))
        });
        assert_eq!(lost.map(|it| &it["rounds"][0][1]), Some(&Value::from(0.0)), "{part}, {system}: {told:#}");
    }
    assert_eq!(told["not_measured"], Value::Array(Vec::new()));
}

#[test]
fn a_system_that_is_not_here_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_ringway-peers"))
        .args(["--quick", "--only", "gateways", "--systems", "nginx"])
        .env_remove("RINGWAY_NGINX")
        .env("RINGWAY_NGINX_MISSING", "there is none for this test")
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("- **nginx + upstream**: there is none for this test"), "{told}");
}
