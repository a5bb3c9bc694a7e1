//! Log lines: pretty for people, JSON for programs, always on stderr, so that stdout belongs to results.

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, LogSection};

/// Starts logging for a process that serves.
///
/// # Errors
/// When the filter cannot be understood.
pub(crate) fn start_logs(section: &LogSection) -> anyhow::Result<()> {
    let json = match section.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Pretty => false,
        LogFormat::Json => true,
    };
    let builder = builder(&section.filter)?;
    if json {
        let json = builder.json().flatten_event(true).with_current_span(true).with_span_list(false);
        json.finish().try_init()?;
    } else {
        builder.compact().with_ansi(colourful()).finish().try_init()?;
    }
    Ok(())
}

/// Starts logging for a command that is over soon: warnings only, unless `RINGWAY_LOG` says otherwise.
///
/// # Errors
/// When the filter cannot be understood.
pub(crate) fn start_quiet_logs() -> anyhow::Result<()> {
    let filter = std::env::var("RINGWAY_LOG").unwrap_or_else(|_| "off".to_owned());
    builder(&filter)?.compact().with_ansi(colourful()).finish().try_init()?;
    Ok(())
}

type Builder = SubscriberBuilder<
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    EnvFilter,
    fn() -> io::Stderr,
>;

fn builder(filter: &str) -> anyhow::Result<Builder> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("RINGWAY_LOG={filter:?}"))?;
    let writer = io::stderr as fn() -> io::Stderr;
    // When nobody reads stderr any more, lines are lost. To say so on stderr, as is the default, would be a panic.
    Ok(tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false))
}

fn colourful() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
