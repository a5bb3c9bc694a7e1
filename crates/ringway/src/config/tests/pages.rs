//! Who may use the pages, and where they are not served rather than served to everybody.

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
