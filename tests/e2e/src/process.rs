//! A process of the binary under test.
//!
//! It is killed when it is dropped. When the test fails, the end of what it wrote to stderr is shown.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::PATIENCE;

/// How much of an output is kept, in lines.
const LINES_MAX: usize = 200;

/// A running process.
pub struct Process {
    name: String,
    child: Child,
    stdout: watch::Receiver<Output>,
    stderr: watch::Receiver<Output>,
}

/// What a process wrote to an output.
#[derive(Default)]
struct Output {
    /// The last lines.
    lines: VecDeque<String>,
    /// The first line that tells of a panic.
    panic: Option<String>,
}

impl Process {
    /// Starts a program. `name` is what failures call it.
    pub fn start(name: &str, program: impl AsRef<OsStr>, arguments: &[String]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(name, command)
    }

    /// Starts a prepared command.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        let stdout = follow(child.stdout.take().expect("stdout is piped"));
        let stderr = follow(child.stderr.take().expect("stderr is piped"));
        Self { name: name.to_owned(), child, stdout, stderr }
    }

    /// What failures call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, while it runs.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_else(|| panic!("{} has ended", self.name))
    }

    /// Waits for the ready line and reads what it tells.
    pub async fn ready(&mut self) -> Value {
        let line = self.line("the ready line", |line| line.starts_with("ready ")).await;
        let told = line.strip_prefix("ready ").unwrap_or_default();
        serde_json::from_str(told).unwrap_or_else(|error| panic!("{}: {line:?}: {error}", self.name))
    }

    /// Waits for a line on stdout.
    pub async fn line(&mut self, what: &str, right: impl Fn(&str) -> bool) -> String {
        self.line_of(self.stdout.clone(), what, right).await
    }

    /// Waits for a line on stderr.
    pub async fn error_line(&mut self, what: &str, right: impl Fn(&str) -> bool) -> String {
        self.line_of(self.stderr.clone(), what, right).await
    }

    /// The end of what it wrote to stderr.
    pub fn stderr(&self) -> String {
        self.stderr.borrow().lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Kills it (SIGKILL) and waits until it is gone. One that has ended already is as good as killed.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a child can be killed and waited for");
    }

    /// Waits for its end.
    pub async fn exit(&mut self, deadline: Duration) -> ExitStatus {
        let ended = tokio::time::timeout(deadline, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("{} did not end within {deadline:?}", self.name));
        // Its last words are read until its end of the pipe is closed.
        while self.stderr.changed().await.is_ok() {}
        status.expect("a child can be waited for")
    }

    /// Holds that it runs and that it has not panicked anywhere.
    pub fn assert_sound(&mut self) {
        let ended = self.child.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "{} ended: {ended:?}", self.name);
        let panic = &self.stderr.borrow().panic;
        assert!(panic.is_none(), "{} panicked: {panic:?}", self.name);
    }

    async fn line_of(
        &mut self,
        mut output: watch::Receiver<Output>,
        what: &str,
        right: impl Fn(&str) -> bool,
    ) -> String {
        let found = |output: &Output| output.lines.iter().find(|line| right(line)).cloned();
        let waited = tokio::time::timeout(PATIENCE, output.wait_for(|output| found(output).is_some())).await;
        match waited {
            Ok(Ok(output)) => found(&output).expect("it was found"),
            Ok(Err(_)) => {
                let status = self.exit(PATIENCE).await;
                panic!("{} ended before {what} ({status})", self.name);
            }
            Err(_) => panic!("{}: {what} did not come within {PATIENCE:?}", self.name),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}: the end of its stderr\n{}---", self.name, self.stderr());
        }
    }
}

/// Reads an output line by line to its end.
fn follow(output: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Output> {
    let (sender, receiver) = watch::channel(Output::default());
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        // An error means that the process is gone, and so does the end.
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|output| output.push(line));
        }
    });
    receiver
}

impl Output {
    fn push(&mut self, line: String) {
        if self.panic.is_none() && line.contains("panicked at") {
            self.panic = Some(line.clone());
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}
