//! What the page about load tests says of their figures, held against the figures themselves.
#![allow(missing_docs)]

use ringway_loadtest::{ArticleConfig, ConnectConfig, SendConfig, SoakConfig};

const PAGE: &str = include_str!("../../../docs/load.md");

/// The part of the page about one test.
fn section(test: &str) -> &'static str {
    let (_, behind) = PAGE.split_once(&format!("\n## `load {test}`")).expect("each test has a section");
    behind.split("\n## ").next().expect("a first part")
}

/// Whether one of these parts names a figure.
fn is_told(name: &str, sections: &[&str]) -> bool {
    sections.iter().any(|section| section.contains(&format!("`{name}`")))
}

#[test]
fn every_figure_is_explained_where_its_test_is() {
    for (test, names, beside) in [
        ("connect", ConnectConfig::figure_names(), None),
        ("send", SendConfig::figure_names(), None),
        ("article", ArticleConfig::figure_names(), None),
        ("soak", SoakConfig::figure_names(), Some(["send", "connect"])),
    ] {
        let mut sections = vec![section(test)];
        sections.extend(beside.into_iter().flatten().map(section));
        let missing: Vec<_> = names.iter().filter(|name| !is_told(name, &sections)).collect();
        assert!(missing.is_empty(), "docs/load.md says nothing of {missing:?} where `load {test}` is");
    }
}
