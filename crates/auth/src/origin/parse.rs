//! An origin as a value: parsed, normalised, comparable.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest host name (RFC 1035 section 2.3.4), which bounds what a header can make us keep.
const HOST_BYTES_MAX: usize = 255;

/// An origin (RFC 6454 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Scheme, host and port, normalised.
    Triple { scheme: String, host: Host, port: Option<u16> },
    /// `null`: a page that has no origin it would tell.
    Opaque,
}

/// The host of an origin, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Origin {
    /// Reads `scheme://host[:port]` or `null`; the error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "null" {
            return Ok(Self::Opaque);
        }
        let (scheme, authority) =
            text.split_once("://").ok_or("it does not start with a scheme and `://`")?;
        let scheme = parse_scheme(scheme)?;
        if authority.contains(['/', '?', '#']) {
            return Err("an origin ends after the host and port: leave out the path and the trailing slash");
        }
        if authority.contains('@') {
            return Err("an origin has no user name");
        }
        let (host, port) = split_port(authority)?;
        let port = port.or_else(|| default_port(&scheme));
        Ok(Self::Triple { scheme, host: Host::parse(host)?, port })
    }

    /// Whether the host is an address and not a name.
    pub(super) fn is_address(&self) -> bool {
        matches!(self, Self::Triple { host: Host::V4(_) | Host::V6(_), .. })
    }

    /// Whether this origin's host is a subdomain of the parent's, with the same scheme and port.
    pub(super) fn is_below(&self, parent: &Self) -> bool {
        let (
            Self::Triple { scheme, host: Host::Name(host), port },
            Self::Triple { scheme: parent_scheme, host: Host::Name(parent_host), port: parent_port },
        ) = (self, parent)
        else {
            return false;
        };
        // What stands before the dot is not empty: `check_name` refuses empty labels.
        let below = host.strip_suffix(parent_host.as_str()).is_some_and(|rest| rest.ends_with('.'));
        scheme == parent_scheme && port == parent_port && below
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address.parse().map(Self::V6).map_err(|_| "the brackets do not hold an IPv6 address");
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        check_name(text)?;
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Triple { scheme, host, port } = self else { return f.write_str("null") };
        match host {
            Host::Name(name) => write!(f, "{scheme}://{name}")?,
            Host::V4(address) => write!(f, "{scheme}://{address}")?,
            Host::V6(address) => write!(f, "{scheme}://[{address}]")?,
        }
        match port {
            Some(port) if default_port(scheme) != Some(*port) => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// RFC 3986 section 3.1.
fn parse_scheme(text: &str) -> Result<String, &'static str> {
    let rest_ok = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) || !rest_ok || text.len() > 32 {
        return Err("its scheme is not a letter followed by letters, digits, `+`, `-` or `.`");
    }
    Ok(text.to_ascii_lowercase())
}

/// Splits `host:port`, minding the colons of an IPv6 address in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let host_end = authority.find(']').map_or(0, |at| at + 1);
    let Some(colon) = authority[host_end..].find(':') else { return Ok((authority, None)) };
    let (host, port) = (&authority[..host_end + colon], &authority[host_end + colon + 1..]);
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port > 0 => Ok((host, Some(port))),
        _ => Err("its port is not a number from 1 to 65535 (an IPv6 address stands in brackets)"),
    }
}

fn check_name(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("its host is empty");
    }
    if host.len() > HOST_BYTES_MAX {
        return Err("its host is longer than 255 bytes");
    }
    if host.contains('*') {
        return Err("a `*` may only stand for all subdomains, as in `https://*.example.com`");
    }
    if !host.is_ascii() {
        return Err("its host is not ASCII: write it as browsers send it, in Punycode (`xn--…`)");
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err("its host has a character that no host name has");
    }
    if host.split('.').any(str::is_empty) {
        return Err("its host has an empty label (two dots, or one at an end)");
    }
    Ok(())
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}
