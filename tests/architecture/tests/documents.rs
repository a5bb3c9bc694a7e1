//! What the documents promise to list, they list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The string literals in `text` that are names of metrics.
fn metric_names(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |literal: &&str| {
        literal.starts_with("ringway_")
            && literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.split('"').skip(1).step_by(2).filter(is_name)
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_exists() {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("the crates") {
        sources(&entry.expect("a crate").path().join("src"), &mut files);
    }
    let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).expect("a source file")).collect();
    let recorded: BTreeSet<_> = texts.iter().flat_map(|text| text.lines()).flat_map(metric_names).collect();
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("the page");
    let documented: BTreeSet<_> =
        page.split('`').skip(1).step_by(2).filter(|name| name.starts_with("ringway_")).collect();
    assert!(recorded.len() > 20, "the metrics were not found");
    assert_eq!(recorded, documented);
}

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let mut pages = vec!["README.md".into(), "ARCHITECTURE.md".into(), "examples/README.md".into()];
    for entry in fs::read_dir(root().join("docs")).expect("the documents") {
        let name = entry.expect("a document").file_name().into_string().expect("a plain name");
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    for page in pages {
        let text = fs::read_to_string(root().join(&page)).expect("a document");
        let folder = root().join(&page).parent().expect("a file has a folder").to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split(['#', '?']).next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{page} links to {link}, which is not there");
        }
    }
}
