//! What somebody at a terminal should do about a handshake that failed: the libraries' words name the symptom, not the cause.

use std::io;

use tokio_rustls::rustls::{CertificateError, Error as TlsError};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::output;

/// The same error, with what to do about it on a line of its own if that is known.
pub(super) fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.chain().find_map(hint) {
        Some(hint) => anyhow::anyhow!("{}\n  {hint}", output::chain(&error)),
        None => error,
    }
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if let Some(Error::Protocol(ProtocolError::HttparseError(_))) = cause.downcast_ref() {
        return Some(
            "what answers there speaks no HTTP/1.1: with TLS the URL begins with wss://, and a node's gRPC address takes \
             no clients",
        );
    }
    let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let tls = cause.downcast_ref().or_else(|| wrapped.and_then(|inner| inner.downcast_ref::<TlsError>()));
    match tls? {
        TlsError::InvalidMessage(_) => {
            Some("what answers there speaks no TLS: without it the URL begins with ws://")
        }
        TlsError::InvalidCertificate(error) => Some(certificate_hint(error)),
        _ => None,
    }
}

fn certificate_hint(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnknownIssuer => {
            "nobody who is trusted here has signed the server's certificate: --ca-file FILE names whom to trust, and may name \
             the certificate itself"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name: connect to a name that is in it"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired, or this machine's clock is wrong"
        }
        // The library for certificates has no variant for it.
        error if error.to_string().contains("CaUsedAsEndEntity") => {
            "the server shows a certificate that is meant for signing others (CA:TRUE), as `openssl req -x509` makes them; make \
             it with -addext basicConstraints=critical,CA:FALSE, and trust it with --ca-file FILE"
        }
        _ => "the server's certificate cannot be trusted: --ca-file FILE names whom to trust instead",
    }
}
