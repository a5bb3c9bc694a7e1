//! `ringway load ring`.

use std::path::Path;

use anyhow::ensure;
use ringway_loadtest::ring::{self, Cluster, Keys, RingConfig};
use ringway_loadtest::{Progress, check_names};

use super::{tell, write};
use crate::cli::LoadRingArgs;
use crate::exit::Ending;

/// Measures how evenly keys are spread, and what moves.
pub(super) fn ring(args: LoadRingArgs) -> anyhow::Result<Ending> {
    let LoadRingArgs { nodes, weights, node, keys, keys_from, strategy, svg, output } = args;
    for (number, kind) in strategy.iter().enumerate() {
        ensure!(!strategy[..number].contains(kind), "--strategy {kind} is given twice");
    }
    let config = RingConfig {
        cluster: if node.is_empty() { Cluster::numbered(nodes, &weights)? } else { Cluster::new(node)? },
        kinds: strategy,
        keys: match keys_from {
            None => Keys::Generated(keys),
            Some(file) if file == Path::new("-") => Keys::Stdin,
            Some(file) => Keys::File(file),
        },
    };
    check_names(&output.require, &ring::figure_names(&config))?;
    let mut progress = Progress::on_stderr();
    let report = ring::run(config, &mut progress)?;
    progress.clear();
    if let (Some(file), Some(picture)) = (&svg, report.to_svg()) {
        write(file, picture)?;
    }
    tell(&report, &output)
}
