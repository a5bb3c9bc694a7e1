//! `ringway load ring`.

use ringway_loadtest::{Progress, check_names, ring};

use super::tell;
use crate::cli::LoadRingArgs;
use crate::exit::Ending;

pub(super) fn ring(args: LoadRingArgs) -> anyhow::Result<Ending> {
    check_names(&args.output.require, &ring::figure_names())?;
    let report = ring::run(&mut Progress::on_stderr())?;
    tell(&report, &args.output)
}
