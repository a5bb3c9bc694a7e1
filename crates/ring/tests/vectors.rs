//! The committed golden vectors are those that the crate computes, and the specification's examples are among
//! them.

use ringway_ring::vectors;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/placement.json");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/placement.md");

/// Set this variable to write the file anew, after a new version of the specification.
const WRITE: &str = "RINGWAY_WRITE_VECTORS";

#[test]
fn the_committed_vectors_are_the_computed_ones() {
    let computed = vectors::to_json();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(VECTORS, &computed).unwrap();
    }
    let committed = std::fs::read_to_string(VECTORS).unwrap();
    let differs =
        committed.lines().zip(computed.lines()).position(|(committed, computed)| committed != computed);
    assert_eq!(differs.map(|line| line + 1), None, "{VECTORS} differs from this line on");
    assert_eq!(committed.len(), computed.len(), "{VECTORS} has another end");
}

#[test]
fn the_page_s_worked_examples_are_among_the_vectors() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let examples: Vec<_> =
        vectors::generate().rings.into_iter().filter(|ring| ring.name == "three members").collect();
    assert_eq!(examples.len(), 2, "one for each strategy");
    for ring in examples {
        for value in [ring.version.to_string(), ring.table_digest] {
            assert!(page.contains(&value), "{PAGE} does not have {value} of strategy {}", ring.strategy);
        }
    }
}
