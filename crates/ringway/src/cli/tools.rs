//! The arguments of what needs no cluster: `token`, `check-config`, `completions`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap_complete::Shell;

use crate::config::Role;

const TOKEN_EXAMPLES: &str = "\
Examples:
  ringway token --user alice --groups news,room7 --secret 'at least 32 bytes of secret text'
  ringway token --user alice --secret-file jwt.secret --ttl 10m --claim aud=chat
  ringway connect --token \"$(ringway token --user alice --secret-file jwt.secret)\"";

const CHECK_EXAMPLES: &str = "\
Examples:
  ringway check-config ringway.toml
  ringway check-config ringway.toml --for worker   # is everything there that a worker needs?
  ringway check-config ringway.toml --show         # what is in force, and where it was set
  ringway check-config ringway.toml --json         # the mistakes, each with its place, for programs
  ringway check-config --template > ringway.toml   # a file to begin with

Environment variables RINGWAY_… count, as they do for a server. Exit codes: 0 no mistakes, 1 mistakes.";

/// `ringway token`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_EXAMPLES)]
pub(crate) struct TokenArgs {
    /// Whom the token names (claim sub)
    #[arg(long, value_name = "USER")]
    pub(crate) user: String,
    /// The groups that it names, separated by commas (claim groups)
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,
    /// The shared secret that signs it, at least 32 bytes (HS256)
    #[arg(long, value_name = "SECRET", env = "RINGWAY_AUTH_JWT_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// The file with the shared secret
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    pub(crate) secret_file: Option<PathBuf>,
    /// How long it is valid (claim exp)
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) ttl: Duration,
    /// A further claim; a value that is JSON is taken as such; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    pub(crate) claim: Vec<(String, serde_json::Value)>,
    /// Print the token and when it ends as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway check-config`
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct CheckConfigArgs {
    /// The configuration file
    #[arg(value_name = "FILE", required_unless_present = "template")]
    pub(crate) file: Option<PathBuf>,
    /// Check for this kind of process too, which may need more
    #[arg(long = "for", value_name = "ROLE")]
    pub(crate) role: Option<Role>,
    /// Print every setting in force, with secrets hidden
    #[arg(long)]
    pub(crate) show: bool,
    /// Print a configuration file to begin with: every setting explained, at its default
    #[arg(long, conflicts_with_all = ["file", "show", "role", "json"])]
    pub(crate) template: bool,
    /// Print JSON: the mistakes, and with --show the settings
    #[arg(long)]
    pub(crate) json: bool,
}

/// `ringway completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

fn claim(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::from(value));
    Ok((name.to_owned(), value))
}
