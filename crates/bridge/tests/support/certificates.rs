//! Certificates of the test's own: an authority, and what it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Somebody who signs. No two are the same.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and its key, both PEM.
pub struct Signed {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// One that nobody knows yet.
    #[allow(clippy::new_without_default, reason = "it is another one each time")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("there are no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not the name of those that it signs: OpenSSL would take them for signed by themselves.
        params.distinguished_name.push(DnType::CommonName, "the authority of a test");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate: who trusts it believes what it signed.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a server's certificate for a name or an IP address.
    pub fn sign(&self, name: &str) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed").pem();
        Signed { certificate, key: key.serialize_pem() }
    }
}
