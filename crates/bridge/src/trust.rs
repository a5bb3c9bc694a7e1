//! Whom TLS trusts: the certificate authorities of the system, or those of a file instead. The name in the URL must be in the
//! server's certificate in either case (RFC 9525).

use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};

/// Whose certificates are believed.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those that the system's authorities have signed.
    #[default]
    System,
    /// Those that these have signed, and nobody else.
    Only(Arc<RootCertStore>),
}

/// Why a file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It has none.
    #[error("there is no certificate in it: expected PEM, which begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// It is damaged.
    #[error("it cannot be read as PEM: {0}")]
    Pem(tokio_rustls::rustls::pki_types::pem::Error),
    /// A certificate in it is none that could sign others.
    #[error("a certificate in it cannot be used: {0}")]
    Unusable(TlsError),
}

impl Trust {
    /// Trusts the certificates in this text (PEM), and nothing else.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn only(pem: &str) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(TrustError::Pem)?).map_err(TrustError::Unusable)?;
        }
        if roots.is_empty() { Err(TrustError::Empty) } else { Ok(Trust::Only(Arc::new(roots))) }
    }

    /// What TLS needs to know. The system's authorities are read now.
    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        let roots = match self {
            Trust::Only(roots) => Arc::clone(roots),
            Trust::System => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                Arc::new(roots)
            }
        };
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}

/// The same error with what to do about it, if it is one of TLS: the library's words name the symptom.
pub(crate) fn explained(error: io::Error) -> io::Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match tls.and_then(hint) {
        Some(hint) => io::Error::new(error.kind(), format!("{error}: {hint}")),
        None => error,
    }
}

fn hint(error: &TlsError) -> Option<&'static str> {
    let TlsError::InvalidCertificate(error) = error else {
        let is_no_tls = matches!(error, TlsError::InvalidMessage(_));
        return is_no_tls.then_some("what answers there speaks no TLS");
    };
    match error {
        // A bad signature: whoever is trusted has the signer's name and another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Some("nobody who is trusted has signed the server's certificate; ca_file names whom to trust")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some("the server's certificate is for another name than the URL's host")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("the server's certificate has expired, or this machine's clock is wrong")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_told() {
        let cases = [
            ("", "no certificate in it"),
            ("hello", "no certificate in it"),
            ("-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n", "cannot be read as PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
        ];
        for (pem, expected) in cases {
            let told = Trust::only(pem).map(drop).map_err(|error| error.to_string());
            assert!(told.as_ref().is_err_and(|told| told.contains(expected)), "{pem:?}: {told:?}");
        }
    }

    #[test]
    fn what_tls_does_not_like_is_explained() {
        let tls = |error: CertificateError| TlsError::InvalidCertificate(error);
        let cases = [
            (tls(CertificateError::UnknownIssuer), "ca_file names whom to trust"),
            (tls(CertificateError::BadSignature), "ca_file names whom to trust"),
            (tls(CertificateError::NotValidForName), "another name than the URL's host"),
            (tls(CertificateError::Expired), "has expired"),
            (TlsError::HandshakeNotComplete, "handshake not complete"),
        ];
        for (error, expected) in cases {
            let told = explained(io::Error::new(io::ErrorKind::InvalidData, error)).to_string();
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(explained(io::Error::other("gone")).to_string(), "gone");
    }
}
