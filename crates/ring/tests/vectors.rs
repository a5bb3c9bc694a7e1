//! The committed golden vectors are those that the crate computes.

use ringway_ring::vectors;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/placement.json");

/// Set this variable to write the file anew, after a new version of the specification.
const WRITE: &str = "RINGWAY_WRITE_VECTORS";

#[test]
fn the_committed_vectors_are_the_computed_ones() {
    let computed = vectors::to_json();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PATH, &computed).unwrap();
    }
    let committed = std::fs::read_to_string(PATH).unwrap();
    let difference =
        committed.lines().zip(computed.lines()).position(|(committed, computed)| committed != computed);
    assert_eq!(difference.map(|line| line + 1), None, "{PATH} differs from this line on");
    assert_eq!(committed.len(), computed.len(), "{PATH} has another end");
}
