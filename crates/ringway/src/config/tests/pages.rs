//! Who may use the pages, where they are not served rather than served to everybody, and that nothing else is where they are.

use ringway_pages::Access;

use super::*;

const TOKEN: &str = "0123456789abcdef";

/// `admin`, `this machine`, or nothing.
fn access(role: Role, flags: &[(&str, &str)]) -> Option<&'static str> {
    let flags: Vec<_> = flags.iter().map(|(key, text)| ("--set", *key, *text)).collect();
    let config =
        load(&Given { flags: &flags, role, environment: &[("RINGWAY_CLUSTER_SECRET", SECRET)], ..NOTHING });
    config.unwrap().checked.pages.map(|access| match access {
        Access::Admin(_) => "admin",
        Access::ThisMachine => "this machine",
    })
}

#[test]
fn pages_are_served_to_whoever_is_meant() {
    let (nodes, everywhere) = (("cluster.nodes", "http://a:1"), ("gateway.listen", "0.0.0.0:8080"));
    let (on, off, token) =
        (("pages.enabled", "true"), ("pages.enabled", "false"), ("pages.admin_token", TOKEN));
    for (role, flags, expected) in [
        (Role::Up, &[][..], Some("this machine")),
        (Role::Up, &[on], Some("this machine")),
        (Role::Up, &[token], Some("admin")),
        (Role::Up, &[off], None),
        (Role::Up, &[everywhere], None),
        (Role::Up, &[everywhere, token], Some("admin")),
        (Role::Gateway, &[nodes], None),
        (Role::Gateway, &[nodes, token], None),
        (Role::Gateway, &[nodes, on, token], Some("admin")),
    ] {
        assert_eq!(access(role, flags), expected, "{role:?} {flags:?}");
    }
}

#[test]
fn pages_that_others_can_reach_need_a_token() {
    let told = needs(
        Role::Gateway,
        &[("RINGWAY_CLUSTER_SECRET", SECRET)],
        &[("--set", "cluster.nodes", "http://a:1"), ("--set", "pages.enabled", "true")],
    );
    assert!(told.iter().any(|line| line.starts_with("pages.admin_token is missing: set it")), "{told:?}");
    check_file(
        "[pages]\nadmin_token = 'short'\npath = 'ringway/'",
        &[
            "ringway.toml:2: pages.admin_token = \"(hidden)\": the admin token must have 16 to 1024 visible ASCII characters",
            "ringway.toml:3: pages.path = \"ringway/\": expected a path that begins with a slash and does not end with one, \
             such as \"/ringway\"",
        ],
    );
}

/// What is said of these paths where pages are served: the key, and the path that is in the way.
fn in_the_way(role: Role, pages: &str, paths: &str) -> Option<(&'static str, String)> {
    let flags = [("--set", "pages.path", pages), ("--set", "gateway.paths", paths)];
    let flags: Vec<_> = flags.into_iter().filter(|(_, _, text)| !text.is_empty()).collect();
    let environment = &[("RINGWAY_CLUSTER_SECRET", SECRET), ("RINGWAY_CLUSTER_NODES", "http://a:1")];
    let told = load(&Given { flags: &flags, role, environment, ..NOTHING }).err()?;
    let line = told.lines().find(|line| line.contains("expected")).unwrap_or_else(|| panic!("{told}"));
    let key = ["pages.path", "gateway.paths"]
        .into_iter()
        .find(|key| line.trim().starts_with(&format!("flag --set: {key} = ")));
    let path = line.split("at \"").nth(1).and_then(|rest| rest.split('"').next());
    Some((key.unwrap_or_else(|| panic!("{line}")), path.unwrap_or("operators").to_owned()))
}

#[test]
fn nothing_else_is_where_the_pages_are() {
    let (up, gateway) = (Role::Up, Role::Gateway);
    let (pages, sockets) = ("pages.path", "gateway.paths");
    for (role, path, paths, expected) in [
        (up, "", "", None),
        (up, "/metrics", "", Some((pages, "operators"))),
        (up, "/healthz", "", Some((pages, "operators"))),
        (up, "/readyz", "", Some((pages, "operators"))),
        (up, "/metrics/pages", "", None),
        (up, "/ws", "", Some((pages, "*/ws"))),
        (up, "/tools/ws", "", Some((pages, "*/ws"))),
        (up, "/ws/tools", "", None),
        (up, "/news", "", None),
        (up, "/a", "/a", Some((pages, "/a"))),
        (up, "/a", "*/ws, /a/b", Some((pages, "/a/b"))),
        (up, "/a", "/ab, /b/a, /", None),
        (up, "/a/b", "/a", None),
        (up, "", "/ringway/ws", Some((sockets, "/ringway/ws"))),
        (up, "", "*/ringway", Some((sockets, "*/ringway"))),
        // Served nowhere, so that nothing is in the way.
        (gateway, "/a", "/a", None),
    ] {
        let expected = expected.map(|(key, path): (_, &str)| (key, path.to_owned()));
        assert_eq!(in_the_way(role, path, paths), expected, "{role:?} {path:?} {paths:?}");
    }
    check_file(
        "[pages]\nenabled = true\nadmin_token = '0123456789abcdef'\npath = '/a'\n[gateway]\npaths = ['/a/ws']",
        &[
            "ringway.toml:4: pages.path = \"/a\": clients open their sockets at \"/a/ws\" in gateway.paths, and the pages are at \
             pages.path = \"/a\" and below: expected paths of which neither is in the other, such as \"*/ws\" and \"/ringway\"",
        ],
    );
}

#[test]
fn no_socket_is_where_operators_ask() {
    for (path, expected) in [
        ("/healthz", true),
        ("*/metrics", true),
        ("/readyz", true),
        ("/metrics/ws", false),
        ("*/metric", false),
    ] {
        let told = load(&Given { flags: &[("--set", "gateway.paths", path)], ..NOTHING }).err();
        let words = format!("{path:?} is answered for operators: expected another path in its stead");
        assert_eq!(told.as_ref().is_some_and(|told| told.contains(&words)), expected, "{path}: {told:?}");
        assert_eq!(told.is_some(), expected, "{path}: {told:?}");
    }
}
