//! What is asked, and the members that an answer names.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{RData, RecordType};
use ringway_cluster::Member;
use ringway_ring::MemberId;
use ringway_rpc::NodeUrl;

/// Which records name the members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// SRV records (RFC 2782): a member for each target, called as its host.
    Services {
        /// The name, such as `_rpc._tcp.workers.example`.
        name: String,
    },
    /// A and AAAA records: a member for each address, called as the address.
    Addresses {
        /// The name, such as `workers.example`.
        name: String,
        /// The port of all of them.
        port: u16,
    },
}

/// A name that no question can be made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QuestionError {
    /// The name is that of addresses, and they need a port.
    #[error("a name of addresses needs their port")]
    PortMissing,
    /// The name is that of services, and its records have ports of their own.
    #[error("SRV records have ports of their own")]
    PortTwice,
}

/// Why an answer names no members.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("{0}")]
    Failed(#[from] NetError),
    #[error("no records")]
    Empty,
    #[error("the target {0:?} is no host to be called")]
    Target(String),
}

/// The members that an answer names, and until when it counts.
pub(crate) struct Answer {
    pub(crate) members: Vec<Member>,
    pub(crate) valid_until: Instant,
}

impl Question {
    /// By the form of the name: `_service._proto.name` asks for services, any other for addresses.
    ///
    /// # Errors
    /// [`QuestionError`] if there is a port and should not be, or the other way round.
    pub fn new(name: &str, port: Option<u16>) -> Result<Self, QuestionError> {
        let name = name.to_owned();
        match (name.starts_with('_'), port) {
            (true, None) => Ok(Self::Services { name }),
            (true, Some(_)) => Err(QuestionError::PortTwice),
            (false, Some(port)) => Ok(Self::Addresses { name, port }),
            (false, None) => Err(QuestionError::PortMissing),
        }
    }

    /// The name that is asked for.
    pub fn name(&self) -> &str {
        match self {
            Self::Services { name } | Self::Addresses { name, .. } => name,
        }
    }

    pub(crate) async fn ask(&self, resolver: &TokioResolver) -> Result<Answer, AnswerError> {
        let (members, valid_until) = match self {
            Self::Services { name } => services(resolver, name).await?,
            Self::Addresses { name, port } => addresses(resolver, name, *port).await?,
        };
        if members.is_empty() { Err(AnswerError::Empty) } else { Ok(Answer { members, valid_until }) }
    }
}

async fn services(resolver: &TokioResolver, name: &str) -> Result<(Vec<Member>, Instant), AnswerError> {
    let lookup = resolver.lookup(name, RecordType::SRV).await?;
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        // The target `.` says that there is no service (RFC 2782).
        RData::SRV(service) if !service.target.is_root() => Some(service),
        _ => None,
    });
    let members = records.map(service).collect::<Result<_, _>>()?;
    Ok((members, lookup.valid_until()))
}

fn service(service: &SRV) -> Result<Member, AnswerError> {
    let host = service.target.to_utf8().trim_end_matches('.').to_ascii_lowercase();
    let url = format!("http://{host}:{}", service.port).parse::<NodeUrl>();
    match (MemberId::new(host.clone()), url) {
        (Ok(id), Ok(url)) => Ok(Member::new(id, url)),
        _ => Err(AnswerError::Target(host)),
    }
}

/// Both families are asked, and only both together are an answer: half of one would take the members of the other half off
/// the list.
async fn addresses(
    resolver: &TokioResolver,
    name: &str,
    port: u16,
) -> Result<(Vec<Member>, Instant), AnswerError> {
    let (four, six) =
        tokio::join!(resolver.lookup(name, RecordType::A), resolver.lookup(name, RecordType::AAAA));
    let lookups = [present(four)?, present(six)?];
    let lookups = lookups.iter().flatten();
    let valid_until = lookups.clone().map(|lookup| lookup.valid_until()).min().ok_or(AnswerError::Empty)?;
    let ips = lookups.flat_map(|lookup| lookup.answers()).filter_map(|record| record.data.ip_addr());
    let members = ips.map(|ip| address(ip, port)).collect::<Result<_, _>>()?;
    Ok((members, valid_until))
}

/// That a name has no records of one family is an answer too.
fn present<T>(lookup: Result<T, NetError>) -> Result<Option<T>, NetError> {
    match lookup {
        Ok(lookup) => Ok(Some(lookup)),
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn address(ip: IpAddr, port: u16) -> Result<Member, AnswerError> {
    let id = MemberId::new(ip.to_string()).map_err(|_| AnswerError::Target(ip.to_string()))?;
    Ok(Member::new(id, NodeUrl::from(SocketAddr::new(ip, port))))
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    #[test]
    fn the_form_of_the_name_says_what_is_asked() {
        let services = Question::Services { name: "_rpc._tcp.w.example".to_owned() };
        let addresses = Question::Addresses { name: "w.example".to_owned(), port: 7071 };
        let cases = [
            ("_rpc._tcp.w.example", None, Ok(services)),
            ("_rpc._tcp.w.example", Some(7071), Err(QuestionError::PortTwice)),
            ("w.example", Some(7071), Ok(addresses)),
            ("w.example", None, Err(QuestionError::PortMissing)),
        ];
        for (name, port, expected) in cases {
            assert_eq!(Question::new(name, port), expected, "{name} {port:?}");
        }
    }

    #[test]
    fn a_target_is_a_member_called_as_its_host() {
        let target = |name: &str| service(&SRV::new(0, 0, 7071, Name::from_ascii(name).unwrap()));
        let member = target("W1.Example.").unwrap();
        assert_eq!((member.id.as_str(), member.rpc_url.as_str()), ("w1.example", "http://w1.example:7071"));
    }

    #[test]
    fn an_address_is_a_member_called_as_itself() {
        let named = |ip: &str| address(ip.parse().unwrap(), 7071).unwrap();
        assert_eq!(named("10.0.0.1").rpc_url.as_str(), "http://10.0.0.1:7071");
        let six = named("fd00::1");
        assert_eq!((six.id.as_str(), six.rpc_url.as_str()), ("fd00::1", "http://[fd00::1]:7071"));
    }
}
