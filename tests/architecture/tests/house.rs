//! The workspace keeps the rules of the house.

use std::path::Path;

use ringway_architecture::{Workspace, complaints};

#[test]
fn the_workspace_keeps_the_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = Workspace::read(&root).expect("the workspace can be read");
    assert!(workspace.packages.len() > 5, "the workspace was not found at {}", root.display());
    let complaints = complaints(&workspace);
    assert!(complaints.is_empty(), "\n- {}", complaints.join("\n- "));
}
