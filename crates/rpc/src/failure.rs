//! From an error of the transport to a refusal.
//!
//! The law: `Unreachable` is said only when the call surely never reached the node, for that permits a retry. Whatever
//! is not known to be so is `ConnectionLost`.

use std::error::Error;

use ringway_proto::{Reason, Refusal};

use crate::NodeUrl;

/// What a caller reads when its call to `url` failed before the answer began.
pub(crate) fn refusal(url: &NodeUrl, error: &(dyn Error + 'static)) -> Refusal {
    let cause = innermost(error);
    if chain(error).any(<dyn Error>::is::<tonic::TimeoutExpired>) {
        return Refusal::new(Reason::DeadlineExceeded, format!("{url} did not answer before the deadline"));
    }
    if chain(error).any(never_sent) {
        return Refusal::new(Reason::Unreachable, format!("{url} cannot be reached: {cause}"));
    }
    Refusal::new(Reason::ConnectionLost, format!("the connection to {url} broke during the call: {cause}"))
}

/// Whether this error says that the call did not leave, or that the node did not look at it.
fn never_sent(error: &(dyn Error + 'static)) -> bool {
    if error.is::<tonic::ConnectError>() {
        return true;
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        // hyper says "canceled" of a request that it hands back unsent.
        return error.is_canceled();
    }
    // RFC 9113 section 8.7: a refused stream was not processed.
    error
        .downcast_ref::<h2::Error>()
        .is_some_and(|error| error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Box<dyn Error + Send + Sync>);

    #[test]
    fn only_a_call_that_surely_was_not_sent_is_unreachable() {
        let refused: Box<dyn Error + Send + Sync> = "connection refused".into();
        let cases: Vec<(Box<dyn Error + Send + Sync>, Reason)> = vec![
            (Box::new(tonic::ConnectError(refused)), Reason::Unreachable),
            (Box::new(h2::Error::from(h2::Reason::REFUSED_STREAM)), Reason::ConnectionLost),
            (Box::new(h2::Error::from(h2::Reason::CANCEL)), Reason::ConnectionLost),
            (Box::new(std::io::Error::other("broken pipe")), Reason::ConnectionLost),
        ];
        let url: NodeUrl = "http://10.0.0.1:7070".parse().unwrap();
        for (error, expected) in cases {
            let refusal = refusal(&url, &Outer(error));
            assert_eq!(refusal.reason, expected, "{refusal}");
            assert!(refusal.message.contains("http://10.0.0.1:7070"));
        }
    }
}
