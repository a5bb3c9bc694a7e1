//! Who may use the pages, if they are served, and whether anything else is where they are.

use ringway_gateway::OPERATOR_PATHS;
use ringway_pages::{Access, AdminToken};

use super::Settings;
use super::check::{Role, set_too};
use super::reader::Reader;

/// Who may use them; nothing if they are not served.
pub(super) fn access(settings: &Settings, role: Role, reader: &mut Reader) -> Option<Access> {
    let (is_path, token) = (path(settings, reader), token(settings, reader));
    let access = for_whom(settings, token, role, reader);
    if is_path && access.is_some() {
        overlap(settings, reader);
    }
    access
}

fn for_whom(
    settings: &Settings,
    token: Option<AdminToken>,
    role: Role,
    reader: &mut Reader,
) -> Option<Access> {
    let is_local = role == Role::Up && settings.gateway.listen.ip().is_loopback();
    match (settings.pages.enabled, token) {
        // A worker that takes clients itself serves no pages, and so takes no passes.
        (Some(false), _) => None,
        _ if role == Role::Worker => None,
        (Some(true), Some(token)) => Some(Access::Admin(token)),
        (None, Some(token)) => (role == Role::Up).then_some(Access::Admin(token)),
        (_, None) if is_local => Some(Access::ThisMachine),
        (None, None) => None,
        (Some(true), None) => {
            let is_said =
                ["pages.admin_token", "pages.admin_token_file"].iter().any(|key| reader.is_set(key));
            if matches!(role, Role::Up | Role::Gateway) && !is_said {
                reader.demand(
                    "pages.admin_token is missing: set it (RINGWAY_PAGES_ADMIN_TOKEN) or pages.admin_token_file, since \
                     others can reach the pages; `openssl rand -hex 32` makes one",
                );
            }
            None
        }
    }
}

fn path(settings: &Settings, reader: &mut Reader) -> bool {
    let path = &settings.pages.path;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    if !path.starts_with('/') || path.ends_with('/') || path.contains("//") || !path.bytes().all(is_plain) {
        let problem =
            "expected a path that begins with a slash and does not end with one, such as \"/ringway\"";
        reader.object("pages.path", problem);
        return false;
    }
    true
}

/// What a gateway looks for at a path before it looks for pages there would hide them.
fn overlap(settings: &Settings, reader: &mut Reader) {
    let pages = &settings.pages.path;
    if OPERATOR_PATHS.contains(&pages.as_str()) {
        let problem = "this path is answered for operators: expected another one, such as \"/ringway\"";
        reader.object("pages.path", problem);
    }
    let is_in = |path: &str| {
        path.strip_prefix(pages.as_str()).is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'/', ..]))
    };
    let hides = |path: &str| match path.strip_prefix('*') {
        Some(end) => pages.ends_with(end),
        None => is_in(path),
    };
    // Who has left the path of the pages as it is has written the other one.
    let key = if reader.is_set("pages.path") { "pages.path" } else { "gateway.paths" };
    for path in settings.gateway.paths.iter().map(|path| &path.0).filter(|path| hides(path)) {
        let problem = format!(
            "clients open their sockets at {path:?} in gateway.paths, and the pages are at pages.path = {pages:?} and below: \
             expected paths of which neither is in the other, such as \"*/ws\" and \"/ringway\""
        );
        reader.contradict(key, &["pages.path", "gateway.paths"], problem);
    }
}

fn token(settings: &Settings, reader: &mut Reader) -> Option<AdminToken> {
    let (text, key) = match (&settings.pages.admin_token, &settings.pages.admin_token_file) {
        (Some(_), Some(_)) => {
            reader.object("pages.admin_token_file", set_too("pages.admin_token", reader));
            return None;
        }
        (Some(token), None) => (token.expose().to_owned(), "pages.admin_token"),
        (None, Some(path)) => (reader.file_text("pages.admin_token_file", path)?, "pages.admin_token_file"),
        (None, None) => return None,
    };
    AdminToken::new(&text).map_err(|error| reader.object(key, error)).ok()
}
