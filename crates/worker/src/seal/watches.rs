//! Whom a session's client watches, as it travels: each user after a sign of what the client was told last.

use ringway_session::{UserId, Watch};

use super::SealError;

pub(super) fn to_text(watch: &Watch) -> String {
    let sign = match watch.told {
        Some(true) => '+',
        Some(false) => '-',
        None => '?',
    };
    format!("{sign}{}", watch.user)
}

pub(super) fn from_text(text: &str) -> Result<Watch, SealError> {
    let unreadable = || SealError::Unreadable("a watch begins with +, - or ?".to_owned());
    let sign = text.chars().next().ok_or_else(unreadable)?;
    let told = match sign {
        '+' => Some(true),
        '-' => Some(false),
        '?' => None,
        _ => return Err(unreadable()),
    };
    let user = UserId::new(&text[1..]).map_err(|error| SealError::Unreadable(error.to_string()))?;
    Ok(Watch { user, told })
}
