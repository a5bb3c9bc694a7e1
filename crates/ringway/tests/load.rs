//! `ringway load` as its users meet it: exit codes, what is on stdout and what on stderr, and the files that it writes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Exit code, stdout and stderr.
type Outcome = (Option<i32>, String, String);

fn run(line: &str) -> Outcome {
    run_with(line, "")
}

fn run_with(line: &str, stdin: &str) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.arg("load").args(line.split_whitespace()).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    // What reads no keys may be gone before they are written.
    let _ = child.stdin.take().expect("piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn told(line: &str, stdin: &str) -> Value {
    let (code, told, error) = run_with(&format!("{line} --json"), stdin);
    assert_eq!((code, told.lines().count(), error.as_str()), (Some(0), 1, ""), "{line}: {told}");
    serde_json::from_str(&told).expect("JSON")
}

fn loads(told: &Value) -> Vec<u64> {
    let rows = told["tables"]["nodes"].as_array().expect("a table").iter();
    rows.map(|row| row["keys"].as_u64().expect("a number")).collect()
}

/// Golden: counted apart from the binary, by `examples/python/placement.py`.
#[test]
fn placement_is_measured_as_it_is() {
    for (strategy, name, expected, moved) in [
        ("slots", "slots", [24_943, 24_783, 24_771, 25_503], [19.916, 24.771, 15.091]),
        ("hashring:160", "hashring160", [25_005, 21_159, 30_531, 23_305], [21.245, 30.531, 16.463]),
        ("modulo", "modulo", [25_088, 24_877, 25_045, 24_990], [80.246, 75.111, 0.0]),
    ] {
        let told = told(&format!("ring --nodes 4 --keys 100000 --strategy {strategy}"), "");
        assert_eq!(loads(&told), expected, "{strategy}");
        let fullest = *expected.iter().max().expect("nodes") as f64 / 25_000.0;
        let figures = [("max_mean", fullest), ("add_moved_percent", moved[0])];
        for (figure, value) in figures
            .into_iter()
            .chain([("remove_moved_percent", moved[1]), ("reweigh_moved_percent", moved[2])])
        {
            let found = told["figures"][format!("{name}_{figure}")].as_f64().expect("a number");
            assert!((found - value).abs() < 1e-9, "{strategy} {figure}: {found}");
        }
    }
}

#[test]
fn real_keys_and_named_nodes_are_taken() {
    let nodes = "ring --node small --node big=3 --strategy slots,hashring:7";
    let keys: String = (0..4_000).map(|user| format!("someone-{user}@example.com\r\n")).collect();
    let told_of_stdin = told(&format!("{nodes} --keys-from -"), &keys);
    assert_eq!(loads(&told_of_stdin).iter().sum::<u64>(), 2 * 4_000);
    assert_eq!(told_of_stdin["tables"]["nodes"][1]["node"], "big");
    assert_eq!(told_of_stdin["tables"]["nodes"][1]["weight"], 3);

    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("users.txt");
    std::fs::write(&path, &keys).expect("a file");
    let told_of_file = told(&format!("{nodes} --keys-from {}", path.display()), "");
    assert_eq!(loads(&told_of_file), loads(&told_of_stdin));
}

#[test]
fn requirements_decide_the_exit_code() {
    let test = "ring --nodes 4 --keys 10000 --strategy slots,modulo";
    for (require, code, is_met, told_to_people) in [
        ("slots_max_mean<=1.1", 0, true, ""),
        (
            "modulo_add_moved_percent<=10",
            1,
            false,
            "ringway: missed: modulo_add_moved_percent<=10, but modulo_add_moved_percent is ",
        ),
        ("slots_min_mean>=1.5", 1, false, "ringway: missed: slots_min_mean>=1.5, but slots_min_mean is 0.9"),
    ] {
        let (exit, told, error) = run(&format!("{test} --json --require {require}"));
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!((exit, &told["met"]), (Some(code), &json!(is_met)), "{require}");
        assert_eq!(told["required"][0]["requirement"], require);
        assert!(error.starts_with(told_to_people) && error.is_empty() == is_met, "{require}: {error}");
    }
    let (exit, text, _) = run(&format!("{test} --require slots_max_mean<=1.1 --require slots_max_mean<=1"));
    assert_eq!(exit, Some(1));
    assert!(
        text.contains("\nmet: slots_max_mean<=1.1 (") && text.contains("\nmissed: slots_max_mean<=1, but"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_is_said_before_anything_is_measured() {
    for (line, expected) in [
        (
            "ring --require slots_max<=1",
            "there is no figure \"slots_max\"; there are slots_max_mean, slots_min_mean, ",
        ),
        ("ring --node a", "1 nodes: there must be 2 to 1000"),
        ("ring --node a --node a", "node a is given twice"),
        ("ring --strategy slots,modulo,slots", "--strategy slots is given twice"),
        (
            "ring --nodes 1000 --weights 5",
            "hashring:1000 has 5,000,000 points for a weight of 5000 together, and 4,000,000 is",
        ),
        ("ring --keys-from /nonexistent", "cannot read /nonexistent: No such file or directory"),
        ("ring --keys-from -", "there are no keys: one is expected on each line"),
        (
            "ring --keys 10 --html /nonexistent/a.html",
            "cannot write /nonexistent/a.html: No such file or directory",
        ),
    ] {
        let (exit, told, error) = run(line);
        assert_eq!((exit, told.as_str()), (Some(1), ""), "{line}");
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert_eq!(run("ring --require slots_max_mean").0, Some(2));
}

#[test]
fn a_page_and_a_picture_are_written() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| folder.path().join(name);
    let (svg, html) = (file("ring.svg"), file("ring.html"));
    let line = format!("ring --keys 1000 --svg {} --html {}", svg.display(), html.display());
    let (exit, text, error) = run(&line);
    assert_eq!((exit, error.as_str()), (Some(0), ""));
    assert!(text.contains("Keys that move when the nodes change, in percent"), "{text}");
    let read = |path| std::fs::read_to_string(path).expect("a file");
    assert!(read(svg).starts_with("<svg xmlns="));
    let page = read(html);
    assert!(page.starts_with("<!doctype html>") && page.contains("default-src 'none'"));
    for from_elsewhere in ["<script", "<link", "<img", "@import", "url(", " src=", " href="] {
        assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
    }
}
