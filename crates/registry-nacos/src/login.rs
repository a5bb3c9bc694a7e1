//! Passwords for tokens: `POST /nacos/v1/auth/login`, or `/nacos/v3/auth/user/login` where version 1 is gone.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::config::Credentials;
use crate::error::NacosError;

const PATHS: [&str; 2] = ["/nacos/v1/auth/login", "/nacos/v3/auth/user/login"];
/// How long a login may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may be.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The token, while it is good.
pub(crate) struct Login {
    credentials: Option<Credentials>,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: String,
    /// When half of its life is over.
    renew_at: Instant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    access_token: String,
    /// In seconds.
    #[serde(default)]
    token_ttl: u64,
}

impl Login {
    pub(crate) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, token: Mutex::new(None) }
    }

    /// A token that is good for a while, from this server if there is none. `None` if nobody is to log in.
    pub(crate) async fn token(&self, server: &str) -> Result<Option<String>, NacosError> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let mut token = self.token.lock().await;
        if let Some(known) = token.as_ref().filter(|token| Instant::now() < token.renew_at) {
            return Ok(Some(known.text.clone()));
        }
        let asked = Instant::now();
        let granted = tokio::time::timeout(LOGIN_TIMEOUT, log_in(server, credentials)).await;
        let granted = granted.map_err(|_| NacosError::late(server))??;
        let renew_at = asked + Duration::from_secs(granted.token_ttl) / 2;
        *token = Some(Token { text: granted.access_token.clone(), renew_at });
        Ok(Some(granted.access_token))
    }

    /// The token is not good any more.
    pub(crate) async fn forget(&self) {
        *self.token.lock().await = None;
    }
}

async fn log_in(server: &str, credentials: &Credentials) -> Result<Granted, NacosError> {
    for path in PATHS {
        let (status, body) = post(server, path, credentials).await?;
        let said = String::from_utf8_lossy(&body);
        match status {
            StatusCode::NOT_FOUND => {}
            StatusCode::OK => {
                let odd = |_| {
                    NacosError::Refused(format!(
                        "{server}: it answers a login with something that is no token"
                    ))
                };
                return serde_json::from_slice(&body).map_err(odd);
            }
            status if status.is_server_error() && !said.contains("unknown user") => {
                return Err(NacosError::Unreachable(format!("{server}: login: {status} {said}")));
            }
            status => {
                let user = &credentials.user;
                return Err(NacosError::Refused(format!("{server}: login as {user}: {status} {said}")));
            }
        }
    }
    Err(NacosError::Refused(format!("{server}: it has no login that we know ({})", PATHS.join(", "))))
}

/// Sends the password as a form.
async fn post(
    server: &str,
    path: &str,
    credentials: &Credentials,
) -> Result<(StatusCode, Bytes), NacosError> {
    let failed = |error: &dyn std::error::Error| NacosError::transport(server, error);
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let form = format!("username={}&password={}", encoded(&credentials.user), encoded(&credentials.password));
    let request = Request::post(path)
        .header(http::header::HOST, server)
        .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(form))
        .map_err(|error| failed(&error))?;
    let stream = TcpStream::connect(server).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| failed(&*error))?.to_bytes()))
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        done = &mut exchange => done,
        // The connection is over when its answer is read, so what it carries is there.
        _ = &mut connection => exchange.await,
    }
}
