//! `ringway token`: a JWT for trying.

use std::time::SystemTime;

use anyhow::{Context as _, bail};
use ringway_auth::JwtSigner;
use ringway_auth::jwt::{Secret, TokenRequest};
use serde_json::json;

use crate::cli::TokenArgs;
use crate::exit::Ending;
use crate::output;

/// Signs a token and prints it.
pub(crate) fn token(args: TokenArgs) -> anyhow::Result<Ending> {
    let secret = secret(&args)?;
    let now = SystemTime::now();
    let expires_at = now.checked_add(args.ttl).context("--ttl: so late a time cannot be written")?;
    let (user, groups) = (args.user, args.groups);
    let extra = args.claim.into_iter().collect();
    let request = TokenRequest { user, groups, expires_at: Some(expires_at), extra };
    let token = JwtSigner::new(&secret).sign(&request, now)?;
    if args.json {
        let expires_at = humantime::format_rfc3339_seconds(expires_at).to_string();
        output::json(&json!({ "token": token.expose(), "expires_at": expires_at }))?;
    } else {
        output::line(token.expose())?;
    }
    Ok(Ending::Done)
}

fn secret(args: &TokenArgs) -> anyhow::Result<Secret> {
    let text = match (&args.secret, &args.secret_file) {
        (_, Some(path)) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("--secret-file {}", path.display()))?;
            text.trim().to_owned()
        }
        (Some(text), None) => text.clone(),
        (None, None) => bail!(
            "a secret is needed: --secret-file FILE, RINGWAY_AUTH_JWT_SECRET, or --secret (others on this machine may \
             see it there)"
        ),
    };
    Secret::new(text.into_bytes()).context("the secret")
}
