//! Members as instances of a Nacos service.
//!
//! Metadata are texts. Their names begin with `ringway.`, so that an operator may add others.

use std::collections::BTreeMap;

use ringway_cluster::{Member, MemberState};
use ringway_rpc::NodeUrl;

use crate::message::Instance;

/// Which join it was: a later one has a greater stamp.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Stamp(u64);

const VERSION: &str = "1";
const LABEL: &str = "ringway.label.";

/// Why an instance is no member.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstanceError {
    #[error("it is no instance of ringway: it has no metadata {0}")]
    Missing(&'static str),
    #[error("it has version {0}, this ringway reads version {VERSION}")]
    Version(String),
    #[error("its metadata {name} is refused: {problem}")]
    Refused { name: &'static str, problem: String },
}

impl Stamp {
    /// A stamp for a join now, greater than the greatest that was seen. Two that join at the same moment have different
    /// ones all the same.
    pub(crate) fn after(greatest: Option<Self>) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let drawn = Self((millis << 16) | u64::from(rand::random::<u16>()));
        greatest.map_or(drawn, |greatest| drawn.max(Self(greatest.0.saturating_add(1))))
    }
}

/// The instance that shows a member.
pub(crate) fn write(member: &Member, stamp: Stamp, cluster: &str) -> Instance {
    let mut metadata: BTreeMap<String, String> = [
        ("ringway.version", VERSION.to_owned()),
        ("ringway.stamp", stamp.0.to_string()),
        ("ringway.id", member.id.to_string()),
        ("ringway.incarnation", member.incarnation.to_string()),
        ("ringway.rpc_url", member.rpc_url.to_string()),
        ("ringway.weight", u32::from(member.weight).to_string()),
        ("ringway.state", member.state.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let optional = [("ringway.client_url", &member.client_url), ("ringway.zone", &member.zone)];
    metadata.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    metadata.extend(member.labels.iter().map(|(name, value)| (format!("{LABEL}{name}"), value.clone())));
    let (ip, port) = address(&member.rpc_url);
    Instance { ip, port, enabled: true, cluster_name: Some(cluster.to_owned()), metadata }
}

/// The member that an instance shows. One that the operator has disabled drains.
pub(crate) fn read(instance: &Instance) -> Result<(Stamp, Member), InstanceError> {
    let version = text(instance, "ringway.version")?;
    if version != VERSION {
        return Err(InstanceError::Version(version.to_owned()));
    }
    let optional = |name| instance.metadata.get(name).cloned();
    let labels = instance.metadata.iter();
    let labels =
        labels.filter_map(|(name, value)| Some((name.strip_prefix(LABEL)?.to_owned(), value.clone())));
    let member = Member {
        id: parsed(instance, "ringway.id")?,
        incarnation: parsed(instance, "ringway.incarnation")?,
        rpc_url: parsed(instance, "ringway.rpc_url")?,
        weight: parsed(instance, "ringway.weight")?,
        state: if instance.enabled { parsed(instance, "ringway.state")? } else { MemberState::Draining },
        client_url: optional("ringway.client_url"),
        zone: optional("ringway.zone"),
        labels: labels.collect(),
    };
    Ok((Stamp(parsed(instance, "ringway.stamp")?), member))
}

fn text<'a>(instance: &'a Instance, name: &'static str) -> Result<&'a str, InstanceError> {
    instance.metadata.get(name).map(String::as_str).ok_or(InstanceError::Missing(name))
}

fn parsed<T>(instance: &Instance, name: &'static str) -> Result<T, InstanceError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let refused = |error: T::Err| InstanceError::Refused { name, problem: error.to_string() };
    text(instance, name)?.parse().map_err(refused)
}

/// Host and port of a URL, as Nacos has them: without the brackets of an IPv6 address.
fn address(url: &NodeUrl) -> (String, u16) {
    let default = if url.as_str().starts_with("https") { 443 } else { 80 };
    let parts = url.authority().rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.unwrap_or((url.authority(), default));
    (host.trim_matches(['[', ']']).to_owned(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        let labels = [("rack".to_owned(), "ü \"12\"\n".to_owned())].into();
        let (id, rpc_url) = ("w/1".parse().expect("a name"), "http://[::1]:7000".parse().expect("a url"));
        Member { incarnation: u64::MAX, zone: Some("z".to_owned()), labels, ..Member::new(id, rpc_url) }
    }

    #[test]
    fn a_member_comes_back_as_it_was() {
        let instance = write(&member(), Stamp(7), "C");
        assert_eq!((instance.ip.as_str(), instance.port), ("::1", 7000));
        assert_eq!(read(&instance).expect("it is ours"), (Stamp(7), member()));
        let disabled = Instance { enabled: false, ..instance };
        assert_eq!(read(&disabled).expect("it is ours").1.state, MemberState::Draining);
    }

    #[test]
    fn what_is_no_member_says_why() {
        for (name, value, expected) in [
            ("ringway.version", "2", "it has version 2"),
            ("ringway.id", "", "its metadata ringway.id is refused"),
            ("ringway.weight", "1000", "its metadata ringway.weight is refused"),
            ("ringway.state", "asleep", "its metadata ringway.state is refused: \"asleep\" is none of"),
            ("ringway.stamp", "x", "its metadata ringway.stamp is refused"),
        ] {
            let mut instance = write(&member(), Stamp(7), "C");
            instance.metadata.insert(name.to_owned(), value.to_owned());
            let error = read(&instance).expect_err(name).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let stranger = Instance { metadata: BTreeMap::new(), ..write(&member(), Stamp(7), "C") };
        assert!(
            read(&stranger).expect_err("not ours").to_string().starts_with("it is no instance of ringway")
        );
    }

    #[test]
    fn a_later_stamp_is_greater() {
        let future = Stamp(u64::MAX - 5);
        assert!(Stamp::after(Some(future)) > future);
        assert!(Stamp::after(None) > Stamp(1 << 50));
    }
}
