//! A certificate and its private key: both or neither, and of one pair.

use std::path::PathBuf;

use ringway_gateway::{TlsError, TlsFiles};

use super::reader::Reader;

/// Where the two are set.
pub(super) struct CertificateKeys {
    pub(super) cert: &'static str,
    pub(super) key: &'static str,
}

impl CertificateKeys {
    /// Objects to the one that is set without the other.
    pub(super) fn both_or_neither(
        &self,
        cert_file: Option<&PathBuf>,
        key_file: Option<&PathBuf>,
        reader: &mut Reader,
    ) {
        let (set, missing) = match (cert_file, key_file) {
            (Some(_), None) => (self.cert, self.key),
            (None, Some(_)) => (self.key, self.cert),
            (Some(_), Some(_)) | (None, None) => return,
        };
        reader.contradict(set, &[missing], format!("{missing} is missing: set both or neither"));
    }
}

/// Checks that the files are both set or neither, and that a listener can be served with them.
pub(super) fn certificate(
    keys: &CertificateKeys,
    (cert_file, key_file): (Option<&PathBuf>, Option<&PathBuf>),
    reader: &mut Reader,
) {
    keys.both_or_neither(cert_file, key_file, reader);
    let Some((cert, key)) = cert_file.zip(key_file) else { return };
    let files = TlsFiles { certificates: cert.clone(), key: key.clone() };
    if let Err(error) = files.check() {
        let key = match &error {
            TlsError::Key { .. } => keys.key,
            TlsError::Certificates { .. } | TlsError::NoCertificate { .. } | TlsError::Unusable { .. } => {
                keys.cert
            }
        };
        reader.object(key, error);
    }
}
