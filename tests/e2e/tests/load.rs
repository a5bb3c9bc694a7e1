//! `ringway load` against `ringway up`, with few clients: what it counts is what happened, and what is not as required ends with 1.

use std::path::Path;

use ringway_e2e::cluster::{address_in, ringway};
use ringway_e2e::{PATIENCE, Process, address};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A cluster in one process, and a home in which its secret is found.
struct Site {
    home: TempDir,
    up: Process,
    url: String,
    node: String,
}

/// How a test ended.
struct Ended {
    report: Value,
    code: Option<i32>,
}

impl Site {
    async fn start() -> Self {
        let (home, ip) = (tempfile::tempdir().expect("a temporary directory"), address::own_ip());
        let line = format!("up --listen {ip}:0 --rpc-listen {ip}:0 --workers-listen {ip}:0");
        let mut up = Process::spawn("up", ringway(&words(&line), home.path()));
        let ready = up.ready().await;
        let url = ready["client"].as_str().expect("a URL").to_owned();
        let node = format!("http://{}", address_in(&ready, "rpc").expect("an address"));
        Self { home, up, url, node }
    }

    /// Runs `ringway load connect`.
    async fn connect(&self, line: &str) -> Ended {
        run(&format!("load connect --url {} {line} --json", self.url), self.home.path()).await
    }

    /// Runs a test that sends.
    async fn load(&self, line: &str) -> Ended {
        let Self { url, node, .. } = self;
        run(&format!("load {line} --url {url} --node {node} --json"), self.home.path()).await
    }

    /// Sends to all as somebody else.
    async fn hello(&self) -> Ended {
        run(&format!("send all hello --node {} --json", self.node), self.home.path()).await
    }
}

impl Ended {
    fn figure(&self, name: &str) -> f64 {
        let value = &self.report["figures"][name];
        value.as_f64().unwrap_or_else(|| panic!("{name} is {value}: {:#}", self.report))
    }

    fn check(&self, expected: &[(&str, f64)]) {
        for (name, value) in expected {
            assert!((self.figure(name) - value).abs() < 1e-9, "{name} is not {value}: {:#}", self.report);
        }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(ToOwned::to_owned).collect()
}

/// Runs a command to its end, and reads what it prints.
async fn run(line: &str, home: &Path) -> Ended {
    let mut command = ringway(&words(line), home);
    let output = tokio::time::timeout(3 * PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.expect("it ends in time").expect("it runs");
    let report = serde_json::from_slice(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let report = report.unwrap_or_else(|error| panic!("{line}: {error}: {told}"));
    Ended { report, code: output.status.code() }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_opened_counted_and_weighed() {
    let mut site = Site::start().await;
    let ended = site.connect("--clients 200 --connect-rate 400 --hold 1s --require failed<=0").await;
    assert_eq!(ended.code, Some(0), "{:#}", ended.report);
    ended.check(&[("opened", 200.0), ("failed", 0.0), ("dropped", 0.0)]);
    assert!(ended.figure("handshake_p50_ms") > 0.0);
    // It was weighed. So few clients may weigh less than what the start of a cluster leaves to be given back meanwhile.
    assert!(ended.figure("resident_bytes").is_finite());
    let rate = ended.figure("opened_per_second");
    assert!(rate < 450.0, "400 in a second were asked for, and {rate} came");
    let ended = site.connect("--clients 10 --hold 0s --require opened>=11").await;
    assert_eq!((ended.code, &ended.report["met"]), (Some(1), &json!(false)));
    site.up.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_by_their_causes() {
    let site = Site::start().await;
    let nowhere = format!("{}/nowhere", site.url.trim_end_matches("/ws"));
    let refused = run(&format!("load connect --url {nowhere} --clients 10 --json"), site.home.path()).await;
    refused.check(&[("opened", 0.0), ("failed", 10.0)]);
    assert_eq!(refused.report["tables"]["failures"], json!([{ "cause": "HTTP 404", "count": 10 }]));
    let nobody = format!("ws://{}/ws", address::reserve());
    let refused = run(&format!("load connect --url {nobody} --clients 10 --json"), site.home.path()).await;
    assert_eq!(refused.report["tables"]["failures"], json!([{ "cause": "refused", "count": 10 }]));
    let elsewhere = run("load connect --url ws://10.0.0.1/ws --json", site.home.path()).await;
    let told = elsewhere.report["error"]["message"].as_str().expect("words");
    assert!(told.contains("not on this machine") && elsewhere.code == Some(1), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_found_once_and_in_its_place() {
    let mut site = Site::start().await;
    // 12 clients in 3 groups: each message has 1, 4 or 12 receivers.
    for (line, receivers) in [
        ("--to users --through publish", 1.0),
        ("--to users --through unary --protocol v1", 1.0),
        ("--to groups --through publish --protocol v1", 4.0),
        ("--to all --through publish --binary", 12.0),
        ("--to users --at-least-once --protocol v1 --user kept{n}-g{g}", 1.0),
    ] {
        let line = format!("send {line} --clients 12 --groups 3 --rate 100 --duration 1s --warm-up 100ms");
        let ended = site.load(&format!("{line} --require lost<=0 --require repeated<=0")).await;
        assert_eq!(ended.code, Some(0), "{line}: {:#}", ended.report);
        ended.check(&[("sent", 100.0), ("unsent", 0.0), ("arrived", 100.0 * receivers)]);
        ended.check(&[("lost", 0.0), ("repeated", 0.0), ("strange", 0.0), ("errors", 0.0), ("short", 0.0)]);
        assert!(ended.figure("latency_p50_ms") > 0.0 && ended.figure("cpu_us_per_message") > 0.0);
        if line.contains("publish") {
            ended.check(&[("out_of_order", 0.0)]);
        }
    }
    site.up.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_send_meanwhile_is_no_message_of_the_test() {
    let site = Site::start().await;
    let line = "send --fast --clients 4 --duration 4s --under-way-max 8 --warm-up 0s";
    let other = async {
        loop {
            let ended = site.hello().await;
            if ended.report["sessions"] == json!(4) {
                return ended.code;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (ended, code) = tokio::join!(site.load(line), other);
    assert_eq!(code, Some(0));
    // It came to the four clients; an earlier one may have come to those that were there already.
    assert!(ended.figure("strange") >= 4.0, "{:#}", ended.report);
    ended.check(&[("lost", 0.0), ("repeated", 0.0)]);
    assert!(ended.figure("sent") > 8.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_articles_rows_are_made_and_doubled() {
    let mut site = Site::start().await;
    let rows = "--row 10:1 --row 20:1:2 --threads-max 40";
    let ended = site.load(&format!("article {rows} --require error_percent<=0 --require lost<=0")).await;
    assert_eq!(ended.code, Some(0), "{:#}", ended.report);
    let threads = |table: &str| {
        let rows = ended.report["tables"][table].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["threads"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!((threads("rows"), threads("doubled").first()), (vec![10, 20], Some(&40)));
    assert_eq!(ended.report["tables"]["rows"][1]["loops"], json!(2));
    assert!(ended.figure("throughput_max") > 5.0);
    let notes = ended.report["notes"].to_string();
    assert!(
        notes.contains("nothing failed up to") || notes.contains("40 threads over 1 s failed"),
        "{notes}"
    );
    site.up.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_life_leaves_nothing_behind() {
    let mut site = Site::start().await;
    let life = "--clients 20 --others 20 --come-and-go 10 --groups 4 --rate 40 --duration 8s";
    // Less than a worker waits for a session that it expects: of one whose client has left nobody must expect anything.
    let ended = site.load(&format!("soak {life} --ring-change-every 1500ms --timeout 2500ms")).await;
    assert_eq!(ended.code, Some(0), "{:#}", ended.report);
    ended.check(&[("leaks", 0.0), ("lost", 0.0), ("repeated", 0.0), ("out_of_order", 0.0)]);
    ended.check(&[("sent", 320.0), ("errors", 0.0), ("dropped", 0.0)]);
    assert!(ended.figure("ring_changes") >= 2.0 && ended.figure("opened") >= 80.0, "{:#}", ended.report);
    let left = ended.report["tables"]["left"].as_array().expect("a table");
    let sessions = left.iter().find(|row| row["what"] == json!("sessions")).expect("sessions");
    assert_eq!((&sessions["before"], &sessions["after"]), (&json!(0), &json!(0)));
    assert!(left.iter().any(|row| row["what"] == json!("tasks")), "the node tells of its tasks: {left:?}");
    let members = run(&format!("members --node {} --json", site.node), site.home.path()).await;
    let members = members.report["members"].as_array().cloned().expect("a list");
    for member in &members {
        assert_eq!((&member["state"], &member["weight"]), (&json!("active"), &json!(1)), "it was taken back");
    }
    site.up.assert_sound();
}
