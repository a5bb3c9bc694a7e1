//! Clients' permissions on the wire, between a gateway and a worker and between workers.

use ringway_proto::v1;
use ringway_session::{PatternError, Patterns, Permissions};

/// The permissions as they travel; nothing if they allow nothing.
pub fn permissions_to_proto(permissions: &Permissions) -> Option<v1::Permissions> {
    let told = v1::Permissions {
        join: permissions.join.texts(),
        send_users: permissions.send_users.texts(),
        send_groups: permissions.send_groups.texts(),
        send_own_groups: permissions.send_own_groups,
        watch: permissions.watch.texts(),
        events: permissions.events.texts(),
    };
    (told != v1::Permissions::default()).then_some(told)
}

/// The permissions that have come.
///
/// # Errors
/// [`PatternError`], if another node does not keep to the rules.
pub fn permissions_from_proto(told: Option<&v1::Permissions>) -> Result<Permissions, PatternError> {
    let Some(told) = told else { return Ok(Permissions::default()) };
    Ok(Permissions {
        join: Patterns::new(&told.join)?,
        send_users: Patterns::new(&told.send_users)?,
        send_groups: Patterns::new(&told.send_groups)?,
        send_own_groups: told.send_own_groups,
        watch: Patterns::new(&told.watch)?,
        events: Patterns::new(&told.events)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_come_back_as_they_were() {
        let list = |texts: &[&str]| Patterns::new(texts).unwrap();
        let permissions = Permissions {
            join: list(&["a"]),
            send_users: list(&["b", "b*"]),
            send_groups: list(&["c"]),
            send_own_groups: true,
            watch: list(&["d"]),
            events: list(&["*"]),
        };
        let told = permissions_to_proto(&permissions).unwrap();
        assert_eq!(permissions_from_proto(Some(&told)), Ok(permissions));
        assert_eq!(permissions_to_proto(&Permissions::default()), None);
        assert_eq!(permissions_from_proto(None), Ok(Permissions::default()));
        let broken = v1::Permissions { watch: vec![String::new()], ..told };
        assert_eq!(permissions_from_proto(Some(&broken)), Err(PatternError::Empty));
    }
}
