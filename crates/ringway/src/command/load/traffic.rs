//! `ringway load connect`, `send`, `article` and `soak`: the tests that need a cluster.

use ringway_loadtest::{ArticleConfig, ConnectConfig, Progress, Report, SendConfig, SoakConfig, check_names};

use super::{settings, tell};
use crate::cli::{LoadArticleArgs, LoadConnectArgs, LoadOutput, LoadSendArgs, LoadSoakArgs};
use crate::exit::Ending;
use crate::telemetry;

pub(super) fn connect(mut args: LoadConnectArgs) -> anyhow::Result<Ending> {
    let output = checked(&mut args.output, &ConnectConfig::figure_names())?;
    let config = settings::connect(args)?;
    tell(&run(config.run(&mut Progress::on_stderr()))?, &output)
}

pub(super) fn send(mut args: LoadSendArgs) -> anyhow::Result<Ending> {
    let output = checked(&mut args.output, &SendConfig::figure_names())?;
    let config = settings::send(args)?;
    tell(&run(config.run(&mut Progress::on_stderr()))?, &output)
}

pub(super) fn article(mut args: LoadArticleArgs) -> anyhow::Result<Ending> {
    let output = checked(&mut args.output, &ArticleConfig::figure_names())?;
    let config = settings::article(args)?;
    tell(&run(config.run(&mut Progress::on_stderr()))?, &output)
}

pub(super) fn soak(mut args: LoadSoakArgs) -> anyhow::Result<Ending> {
    let mut output = checked(&mut args.output, &SoakConfig::figure_names())?;
    let config = settings::soak(args)?;
    output.require.extend(config.requirements());
    tell(&run(config.run(&mut Progress::on_stderr()))?, &output)
}

/// How it is to be told, when there are figures of all names that are required.
fn checked(output: &mut LoadOutput, names: &[String]) -> anyhow::Result<LoadOutput> {
    check_names(&output.require, names)?;
    Ok(std::mem::take(output))
}

/// Runs a test on all processors.
fn run(test: impl Future<Output = anyhow::Result<Report>>) -> anyhow::Result<Report> {
    telemetry::start_quiet_logs()?;
    tokio::runtime::Runtime::new()?.block_on(Box::pin(test))
}
