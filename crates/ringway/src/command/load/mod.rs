//! `ringway load`: runs a test, and tells what it measured, as text, as JSON or as a page; and whether that is as required.

mod ring;
mod settings;
mod traffic;

use std::fs;
use std::io::Write as _;

use anyhow::Context as _;
use ringway_loadtest::{Report, Requirement, Verdict};

use crate::cli::{LoadArgs, LoadCommand, LoadOutput};
use crate::exit::Ending;
use crate::output;

/// Runs the test that was asked for.
pub(crate) fn load(args: LoadArgs) -> anyhow::Result<Ending> {
    match args.command {
        LoadCommand::Ring(args) => ring::ring(args),
        LoadCommand::Connect(args) => traffic::connect(*args),
        LoadCommand::Send(args) => traffic::send(*args),
        LoadCommand::Article(args) => traffic::article(*args),
        LoadCommand::Soak(args) => traffic::soak(*args),
    }
}

/// Tells what a test has measured, and ends by whether that is as required.
fn tell(report: &Report, output: &LoadOutput) -> anyhow::Result<Ending> {
    let verdicts: Vec<Verdict> = output.require.iter().map(|it: &Requirement| it.judge(report)).collect();
    if let Some(file) = &output.html {
        write(file, &report.to_html(&verdicts))?;
    }
    if output.json {
        output::json(&report.to_json(&verdicts))?;
    } else {
        output::line(report.to_text(&verdicts))?;
    }
    let missed: Vec<_> = verdicts.iter().filter(|verdict| !verdict.is_met()).collect();
    for verdict in &missed {
        // Where stderr is gone nobody is left to tell; the exit code says it, too.
        let _ = writeln!(std::io::stderr(), "ringway: {verdict}");
    }
    Ok(if missed.is_empty() { Ending::Done } else { Ending::Missed })
}

fn write(file: &std::path::Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
