//! What a node tells of itself in the text format of Prometheus. A plain HTTP/1.0 request: the answer ends with its connection.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// and how long it may be.
const BYTES_MAX: u64 = 8 << 20;

/// Where metrics are, such as `http://127.0.0.1:9090/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsUrl {
    /// The address.
    pub address: SocketAddr,
    path: String,
}

/// Why there are no metrics at a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no URL of metrics such as http://127.0.0.1:9090/metrics")]
pub struct MetricsUrlError(String);

impl MetricsUrl {
    /// Those that a gateway shows at its clients' address, if it does.
    pub(crate) fn beside(clients: SocketAddr) -> Self {
        Self { address: clients, path: "/metrics".to_owned() }
    }

    /// The sum of a metric's series now; none: the node does not tell.
    pub(crate) async fn sum(&self, name: &str) -> Option<f64> {
        let text = timeout(ANSWER_WITHIN, self.get()).await.ok()?.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.split_whitespace().nth(1).filter(|status| *status == "200")?;
        sum(body, name)
    }

    async fn get(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", self.path, self.address);
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.take(BYTES_MAX).read_to_string(&mut text).await?;
        Ok(text)
    }
}

impl FromStr for MetricsUrl {
    type Err = MetricsUrlError;

    fn from_str(text: &str) -> Result<Self, MetricsUrlError> {
        let wrong = || MetricsUrlError(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
        let (name, port) = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
        let address = (name, port).to_socket_addrs().ok().and_then(|mut found| found.next());
        let path = match uri.path() {
            "/" => "/metrics",
            path => path,
        };
        Ok(Self { address: address.ok_or_else(wrong)?, path: path.to_owned() })
    }
}

fn sum(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = if rest.starts_with('{') { rest.rsplit_once('}')?.1 } else { rest };
        value.strip_prefix(' ')?.split(' ').next()?.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn series_are_added_up() {
        let text = "# TYPE a gauge\na 2\nab 7\nb{worker=\"w 1\"} 3\nb{worker=\"w2\"} 4.5\n";
        assert_eq!(sum(text, "a"), Some(2.0));
        assert_eq!(sum(text, "b"), Some(7.5));
        assert_eq!(sum(text, "c"), None);
    }

    #[test]
    fn a_url_names_an_address() {
        let read =
            |text: &str| text.parse::<MetricsUrl>().ok().map(|url| (url.address.to_string(), url.path));
        let expected = |path: &str| Some(("127.0.0.1:9090".to_owned(), path.to_owned()));
        assert_eq!(read("http://127.0.0.1:9090"), expected("/metrics"));
        assert_eq!(read("http://127.0.0.1:9090/m"), expected("/m"));
        for wrong in ["127.0.0.1:9090", "https://127.0.0.1/", "http://nowhere.invalid/", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_server_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = MetricsUrl::beside(listener.local_addr().unwrap());
        for (answer, expected) in [
            ("HTTP/1.0 200 OK\r\n\r\nringway_process_tasks 12\n", Some(12.0)),
            ("HTTP/1.0 404 Not Found\r\n\r\nringway_process_tasks 12\n", None),
        ] {
            let serving = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 1_000];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /metrics HTTP/1.0\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            assert_eq!(tokio::join!(url.sum("ringway_process_tasks"), serving).0, expected);
        }
    }
}
