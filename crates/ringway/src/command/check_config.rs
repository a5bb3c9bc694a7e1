//! `ringway check-config`: only looks, and tells every mistake.

use serde_json::json;

use crate::cli::CheckConfigArgs;
use crate::config::{self, Config, Role, Sources};
use crate::exit::Ending;
use crate::output;

/// Checks a file as a process that is started here would.
pub(crate) fn check_config(args: CheckConfigArgs) -> anyhow::Result<Ending> {
    let Some(file) = args.file else {
        let defaults = Config::load(Sources::default(), Role::Any)?;
        output::raw(config::template(&defaults.effective).as_bytes())?;
        return Ok(Ending::Done);
    };
    let name = file.display().to_string();
    let environment = std::env::vars_os().collect();
    let sources = Sources { file: Some(file), environment, flags: Vec::new() };
    let config = Config::load(sources, args.role.unwrap_or(Role::Any))?;
    if args.json {
        let mut told = json!({ "file": name, "mistakes": [] });
        if args.show {
            told["settings"] = config::to_json(&config.effective);
        }
        output::json(&told)?;
    } else if args.show {
        output::raw(config::show(&config.effective).as_bytes())?;
    } else {
        output::line(format_args!("{name}: no mistakes"))?;
    }
    Ok(Ending::Done)
}
