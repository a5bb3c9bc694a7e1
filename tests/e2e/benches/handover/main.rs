//! What a ring change costs while messages flow: real processes, ten thousand clients, one worker that drains, comes back,
//! is killed and comes back again.
//!
//! `cargo bench -p ringway-e2e --bench handover` builds the binary and measures it; `-- --help` shows what can be changed.
//! `docs/benchmarks.md` says what the figures mean. It fails when a message was lost, came twice or late, or a client's
//! socket ended, in a change in which none may.

mod binary;
mod buckets;
mod course;
mod crowd;
mod figures;
mod listener;
mod load;
mod machine;
mod message;
mod options;
mod passage;
mod pump;
mod report;
mod site;
mod stage;
mod stand;
mod users;

use std::process::ExitCode;

use clap::Parser as _;

use options::Options;
use passage::{Change, Passage};
use report::Report;
use stand::Stand;

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        eprintln!("handover: measures only as `cargo bench -p ringway-e2e --bench handover`");
        return ExitCode::SUCCESS;
    }
    let binary = binary::path();
    ringway_e2e::raise_file_limit();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime.block_on(measure(&options, &binary));
    report.print(options.json);
    if report.is_flawless() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All rounds, on one cluster with the same clients.
async fn measure(options: &Options, binary: &std::path::Path) -> Report {
    let began = machine::Busy::now();
    let mut stand = Stand::build(options, binary).await;
    let mut passages: Vec<Passage> = Vec::new();
    for round in 1..=options.rounds {
        for change in Change::ALL {
            let passage = stand.pass(change).await;
            eprintln!("round {round}: {passage}");
            passages.push(passage);
        }
    }
    let machine = machine::Facts::of(&stand.site, binary, &began);
    Report { options: options.clone(), machine, passages }
}
