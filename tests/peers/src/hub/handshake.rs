//! The server's side of a handshake (RFC 6455 section 4.2), as little of it as is needed.

use tungstenite::handshake::derive_accept_key;

/// The answer to a complete head, and the name in its query parameter `token`.
pub(super) fn answer(head: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let path = lines.next()?.split(' ').nth(1)?;
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let token = query.split('&').find_map(|parameter| parameter.strip_prefix("token="));
    let key = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    })?;
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Some((answer, token.unwrap_or_default().to_owned()))
}
