//! A RabbitMQ of the test's own: its own name, ports, data and epmd. It ends with its test, and epmd with it; a broker of the
//! system is not touched.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::certificates::Authority;

/// How long a broker may take to start: ten seconds on a quiet machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is looked whether it is there.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// What a client says first (AMQP 0-9-1 section 4.2.2).
const AMQP_HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// A running broker.
pub struct Broker {
    home: TempDir,
    ports: Ports,
    _epmd: Group,
    server: Option<Group>,
}

/// Where it is, and where its Erlang is.
#[derive(Clone, Copy)]
struct Ports {
    amqp: SocketAddr,
    amqps: SocketAddr,
    distribution: u16,
    epmd: u16,
}

impl Ports {
    /// Free ones, which nobody takes while the broker is down: RabbitMQ's own are at an address that this process has for itself, and
    /// Erlang's are none that the system gives to whoever asks for any.
    fn choose() -> Self {
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        let own = Ipv4Addr::new(127, 64 | (high & 63), middle, low);
        let held = [(); 2].map(|()| TcpListener::bind((own, 0)).expect("there are free ports"));
        let [amqp, amqps] = held.each_ref().map(|it| it.local_addr().expect("it is bound"));
        Ports { amqp, amqps, distribution: unasked_port(), epmd: unasked_port() }
    }
}

/// A free port below those that the system gives out by itself (from 32768 on, in Linux), another one each time.
fn unasked_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    let next = || {
        let number = std::process::id().wrapping_mul(64).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        10_000 + (number % 20_000) as u16
    };
    std::iter::repeat_with(next).find(is_free).expect("there are free ports")
}

/// A process with all that it starts. Dropping it kills them.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // The group may have ended by itself.
        if let Some(group) = Pid::from_raw(self.0.id().cast_signed()) {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.0.wait().ok();
    }
}

impl Broker {
    /// Starts a broker; nothing if RabbitMQ was left out by name (`cargo xtask test --without rabbitmq`).
    pub async fn start() -> Option<Self> {
        Self::start_as(None).await
    }

    /// The same, which also speaks TLS, with a certificate that this authority has signed.
    pub async fn start_with_tls(authority: &Authority) -> Option<Self> {
        Self::start_as(Some(authority)).await
    }

    async fn start_as(authority: Option<&Authority>) -> Option<Self> {
        let without = std::env::var("RINGWAY_TESTS_WITHOUT").unwrap_or_default();
        if without.split(',').any(|name| name == "rabbitmq") {
            return None;
        }
        let home = tempfile::tempdir().expect("a directory");
        std::fs::write(home.path().join("empty.conf"), "").expect("a file");
        let ports = Ports::choose();
        let amqp = ports.amqp;
        let tls = authority.map(|authority| tls_config(home.path(), ports.amqps, authority));
        let config = format!(
            "listeners.tcp.1 = {amqp}\nloopback_users = none\nlog.file = false\nlog.console = true\n{}",
            tls.unwrap_or_default()
        );
        std::fs::write(home.path().join("rabbitmq.conf"), config).expect("a file");
        let epmd = start_epmd(home.path(), ports).await;
        let mut broker = Broker { home, ports, _epmd: epmd, server: None };
        broker.start_again().await;
        Some(broker)
    }

    /// Where its clients connect.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/%2f", self.ports.amqp)
    }

    /// Where they connect with TLS, if it was started so.
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@{}/%2f", self.ports.amqps)
    }

    /// Kills it. What it has on its disk stays.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it with what it has on its disk.
    pub async fn start_again(&mut self) {
        let mut command = self.command("rabbitmq-server");
        let log = std::fs::File::create(self.home.path().join("log")).expect("a log");
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.server = Some(Group(command.spawn().expect("RINGWAY_RABBITMQ is a program")));
        let deadline = tokio::time::Instant::now() + START_TIMEOUT;
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        while !greets(self.ports.amqp).await {
            assert!(tokio::time::Instant::now() < deadline, "RabbitMQ is not there in time:\n{}", self.log());
            look.tick().await;
        }
    }

    /// Runs `rabbitmqctl`, which must succeed.
    pub async fn control(&self, arguments: &[&str]) {
        let mut command = tokio::process::Command::from(self.command("rabbitmqctl"));
        let output = command.args(arguments).output().await.expect("rabbitmqctl is beside RINGWAY_RABBITMQ");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    fn command(&self, name: &str) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program(name));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let own = |name: &str| home.join(name);
        let paths = [
            ("HOME", home.to_owned()),
            ("RABBITMQ_MNESIA_BASE", own("mnesia")),
            ("RABBITMQ_LOG_BASE", own("logs")),
            ("RABBITMQ_CONF_ENV_FILE", own("empty.conf")),
            ("RABBITMQ_CONFIG_FILE", own("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", own("advanced.config")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", own("generated")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", own("plugins")),
            ("RABBITMQ_FEATURE_FLAGS_FILE", own("feature_flags")),
            ("RABBITMQ_PID_FILE", own("pid")),
        ];
        command.envs(paths);
        command.env("RABBITMQ_NODENAME", format!("ringway-{}@localhost", self.ports.amqp.port()));
        command.env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string());
        command.env("ERL_EPMD_PORT", self.ports.epmd.to_string());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let end: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!(
                "--- the end of RabbitMQ's log\n{}\n---",
                end.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
    }
}

/// Erlang's port mapper, in the foreground: one that Erlang started by itself would outlive the test.
async fn start_epmd(home: &Path, ports: Ports) -> Group {
    let mut command = Command::new(program("epmd"));
    command.args(["-port", &ports.epmd.to_string()]).env("HOME", home).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut epmd = Group(command.spawn().expect("epmd is beside RINGWAY_RABBITMQ"));
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, ports.epmd)).await.is_err() {
        let ended = epmd.0.try_wait().expect("a child can be asked");
        assert_eq!(ended, None, "epmd has ended, at port {}", ports.epmd);
        look.tick().await;
    }
    epmd
}

/// Has a certificate signed for an address, and says that it is to be used there.
fn tls_config(home: &Path, address: SocketAddr, authority: &Authority) -> String {
    let signed = authority.sign(&address.ip().to_string());
    let file = |name: &str, pem: &str| {
        std::fs::write(home.join(name), pem).expect("a file");
        format!("ssl_options.{name} = {}\n", home.join(name).display())
    };
    let files = [
        file("cacertfile", authority.pem()),
        file("certfile", &signed.certificate),
        file("keyfile", &signed.key),
    ];
    format!("listeners.ssl.1 = {address}\nssl_options.verify = verify_none\n{}", files.concat())
}

/// Whether it answers as a broker does.
async fn greets(address: SocketAddr) -> bool {
    let greeting = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(AMQP_HEADER).await?;
        socket.read_u8().await
    };
    matches!(tokio::time::timeout(START_TIMEOUT, greeting).await, Ok(Ok(1)))
}

/// A program of RabbitMQ or Erlang.
fn program(name: &str) -> PathBuf {
    let server = std::env::var_os("RINGWAY_RABBITMQ").filter(|path| !path.is_empty()).map(PathBuf::from);
    let server = server.expect(
        "RINGWAY_RABBITMQ is not set: run `cargo xtask test`, or set it to a rabbitmq-server beside which are rabbitmqctl and epmd",
    );
    server.with_file_name(name)
}
