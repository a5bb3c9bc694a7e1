//! Chromium, driven over its DevTools protocol (<https://chromedevtools.github.io/devtools-protocol/>).

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::PATIENCE;
use crate::process::Process;
use crate::required;

/// A browser without a window, with one page.
pub struct Browser {
    _process: Process,
    devtools: WebSocketStream<TcpStream>,
    session: String,
    calls: u64,
    /// The documents that have been loaded.
    loaded: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts it and opens a page; `None` if browsers were left out.
    pub async fn open(url: &str) -> Option<Self> {
        let chromium = required::chromium()?;
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(chromium);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let mut process = Process::spawn("chromium", command);
        let told =
            process.error_line("the DevTools address", |line| line.contains("DevTools listening on ")).await;
        let address = told.split_whitespace().last().unwrap_or_default().to_owned();
        let devtools = connect(&address).await;
        let mut browser = Self {
            _process: process,
            devtools,
            session: String::new(),
            calls: 0,
            loaded: Vec::new(),
            _profile: profile,
        };
        browser.open_page(url).await;
        Some(browser)
    }

    /// Runs a script in the page and gives its value, a promise's too.
    pub async fn run(&mut self, script: &str) -> Value {
        let parameters = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", parameters).await;
        assert!(result.get("exceptionDetails").is_none(), "{script}: {result:#}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page; it is looked at with every frame that the page draws.
    pub async fn until(&mut self, expression: &str) {
        let patience = PATIENCE.as_millis();
        let script = format!(
            "new Promise((resolve, reject) => {{
                const late = performance.now() + {patience};
                const look = () => {{
                    if ({expression}) resolve(true);
                    else if (performance.now() > late) reject(new Error(document.body.innerText));
                    else setTimeout(look, 20);
                }};
                look();
            }})"
        );
        self.run(&script).await;
    }

    async fn open_page(&mut self, url: &str) {
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", attach).await;
        session["sessionId"].as_str().expect("a session").clone_into(&mut self.session);
        self.call("Page.enable", json!({})).await;
        self.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true })).await;
        let document = self.call("Page.navigate", json!({ "url": url })).await["loaderId"].take();
        let loaded = async {
            while !self.loaded.contains(&document) {
                self.message().await;
            }
        };
        tokio::time::timeout(2 * PATIENCE, loaded).await.unwrap_or_else(|_| panic!("{url} is not loaded"));
    }

    /// Calls a method and waits for its result, passing over events.
    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.devtools.send(Message::text(call.to_string())).await.expect("the browser listens");
        let answer = tokio::time::timeout(2 * PATIENCE, self.answer(self.calls)).await;
        answer.unwrap_or_else(|_| panic!("the browser does not answer {method}"))
    }

    async fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut message = self.message().await;
            if message["id"] == json!(id) {
                assert!(message.get("error").is_none(), "{message:#}");
                return message["result"].take();
            }
        }
    }

    /// The next answer or event. Which documents are loaded is remembered, whenever it is told.
    async fn message(&mut self) -> Value {
        loop {
            let message = self.devtools.next().await.expect("the browser lives").expect("the browser talks");
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("DevTools speaks JSON");
            if message["method"] == "Page.lifecycleEvent" && message["params"]["name"] == "load" {
                self.loaded.push(message["params"]["loaderId"].clone());
            }
            return message;
        }
    }
}

/// No window, no sandbox (containers have none to give), and no traffic of the browser's own.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
];

async fn connect(url: &str) -> WebSocketStream<TcpStream> {
    let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let stream = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    client_async(url, stream).await.expect("DevTools takes the handshake").0
}
