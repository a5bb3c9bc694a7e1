//! Generates the gRPC code from `/proto`, without protoc.

use std::path::Path;

use prost::Message as _;

const FILES: &[&str] =
    &["message", "delivery", "ring", "sessions", "presence", "link", "peer", "state", "node", "events"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files: Vec<_> = FILES.iter().map(|name| root.join(format!("ringway/v1/{name}.proto"))).collect();
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let descriptors = protox::compile(&files, [&root])?;
    let out_dir = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out_dir).join("ringway.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".ringway.v1").compile_fds(descriptors)?;
    Ok(())
}
