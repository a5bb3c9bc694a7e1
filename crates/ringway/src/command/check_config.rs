//! `ringway check-config`: only looks, and tells every mistake.

use crate::cli::CheckConfigArgs;
use crate::config::{self, Config, Role, Sources};
use crate::exit::Ending;
use crate::output;

/// Checks a file as a process that is started here would.
pub(crate) fn check_config(args: CheckConfigArgs) -> anyhow::Result<Ending> {
    let file = args.file.display().to_string();
    let sources =
        Sources { file: Some(args.file), environment: std::env::vars_os().collect(), flags: Vec::new() };
    let config = Config::load(sources, args.role.unwrap_or(Role::Any))?;
    if args.show {
        output::raw(config::show(&config.effective).as_bytes())?;
    } else {
        output::line(format_args!("{file}: no mistakes"))?;
    }
    Ok(Ending::Done)
}
