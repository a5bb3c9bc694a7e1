//! Who tokens stand for: the settings of sections `auth.plain` and `auth.jwt`, made into an authenticator.

use std::path::PathBuf;
use std::sync::Arc;

use ringway_auth::jwt::Secret;
use ringway_auth::{Jwt, JwtConfig, KeySource, Plain};

use super::Settings;
use super::check::set_too;
use super::reader::Reader;
use super::words::AuthMode;

/// The keys that each say whom to trust.
const KEY_SOURCES: [&str; 4] =
    ["auth.jwt.secret", "auth.jwt.secret_file", "auth.jwt.public_key_file", "auth.jwt.jwks_file"];

/// An authenticator, by its kind, since one of them has keys to read again.
#[derive(Clone, Debug)]
pub(crate) enum Verifier {
    /// Mode `plain`.
    Plain(Plain),
    /// Mode `jwt`.
    Jwt(Arc<Jwt>),
}

/// Makes the authenticator. Mistakes go to the reader; then the answer is `plain`, and nobody may use it.
pub(crate) fn verifier(settings: &Settings, reader: &mut Reader) -> Verifier {
    let plain = || Verifier::Plain(Plain { group_suffix: settings.plain.group_suffix });
    let given: Vec<&'static str> = KEY_SOURCES.into_iter().filter(|key| reader.is_set(key)).collect();
    match (settings.auth.mode, given.as_slice()) {
        (AuthMode::Plain, keys) => {
            for key in keys {
                let problem = "auth.mode is \"plain\", which verifies nothing: set auth.mode = \"jwt\"";
                reader.contradict(key, &["auth.mode"], problem);
            }
            plain()
        }
        (AuthMode::Jwt, [key]) => jwt(settings, key, reader).unwrap_or_else(plain),
        (AuthMode::Jwt, []) => {
            reader.object("auth.mode", format!("it needs a key: set one of {}", KEY_SOURCES.join(", ")));
            plain()
        }
        (AuthMode::Jwt, [_, others @ ..]) => {
            for key in others {
                reader.object(key, set_too(given[0], reader));
            }
            plain()
        }
    }
}

fn jwt(settings: &Settings, key: &'static str, reader: &mut Reader) -> Option<Verifier> {
    let keys = key_source(settings, key, reader)?;
    let jwt = &settings.jwt;
    let config = JwtConfig {
        keys,
        algorithms: jwt.algorithms.clone(),
        require_exp: jwt.require_exp,
        leeway: jwt.leeway,
        audience: jwt.audiences.clone(),
        issuer: jwt.issuers.clone(),
        user_claim: jwt.user_claim.clone(),
        groups_claim: jwt.groups_claim.clone(),
        groups_max: jwt.groups_max,
        permissions_claim: jwt.permissions_claim.clone(),
    };
    let verifier = Jwt::new(config).map_err(|error| reader.object(key, error)).ok()?;
    Some(Verifier::Jwt(Arc::new(verifier)))
}

fn key_source(settings: &Settings, key: &'static str, reader: &mut Reader) -> Option<KeySource> {
    let jwt = &settings.jwt;
    let path = |path: &Option<PathBuf>| path.clone();
    let text = match key {
        "auth.jwt.secret" => jwt.secret.as_ref()?.expose().to_owned(),
        "auth.jwt.secret_file" => reader.file_text(key, jwt.secret_file.as_ref()?)?,
        "auth.jwt.public_key_file" => {
            return Some(KeySource::PublicKeyPem { path: path(&jwt.public_key_file)? });
        }
        _ => return Some(KeySource::Jwks { path: path(&jwt.jwks_file)? }),
    };
    let secret = Secret::new(text.into_bytes());
    secret.map(KeySource::Secret).map_err(|error| reader.object(key, error)).ok()
}
