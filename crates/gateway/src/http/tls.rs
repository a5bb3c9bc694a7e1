//! TLS for the listeners, with a certificate that can be replaced while connections come in.
//!
//! A new key is taken as soon as its files have changed and fit each other. Files that cannot be used (half written, or
//! just wrong) change nothing: the key before them stays, and the log says why.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::config::TlsFiles;

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read, or is not PEM.
    #[error("{}: no certificates in PEM can be read from it: {source}", .file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{}: there is no certificate in it", .file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The key file cannot be read, or is not PEM.
    #[error("{}: no private key in PEM can be read from it: {source}", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The two do not fit each other, or the key is of an unknown kind.
    #[error("{} and {}: {source}", .files.certificates.display(), .files.key.display())]
    Unusable {
        /// Both files.
        files: TlsFiles,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

/// The certificate of a listener, as it is now.
pub(crate) struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    key: ArcSwap<CertifiedKey>,
    /// When the files were written, as of just before they were first read.
    first_written_at: WrittenAt,
}

/// When the two files were last written; nothing for a file that is not there.
type WrittenAt = [Option<SystemTime>; 2];

impl Certificates {
    /// Reads the files.
    pub(crate) fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let first_written_at = written_at(&files);
        let key = ArcSwap::from_pointee(read(&files, &provider)?);
        Ok(Arc::new(Self { files, provider, key, first_written_at }))
    }

    /// Decrypts with whatever certificate there is at the time.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let unusable = |source| TlsError::Unusable { files: self.files.clone(), source };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn reload(&self) {
        match read(&self.files, &self.provider) {
            Ok(key) => {
                self.key.store(Arc::new(key));
                info!(file = %self.files.certificates.display(), "the certificate was replaced");
            }
            Err(error) => warn!(%error, "the new certificate cannot be used, the old one stays"),
        }
    }
}

/// Looks at the files again and again, for ever.
pub(crate) async fn watch_files(certificates: Arc<Certificates>, poll_interval: Duration) {
    let mut seen = certificates.first_written_at;
    loop {
        tokio::time::sleep(poll_interval).await;
        let watched = Arc::clone(&certificates);
        let look = tokio::task::spawn_blocking(move || {
            // Before the files are read: a change that comes later is seen by the next look.
            let now = written_at(&watched.files);
            if now != seen {
                watched.reload();
            }
            now
        });
        // A panic in there, or a runtime that ends: there is nothing to watch for any more.
        let Ok(now) = look.await else { return };
        seen = now;
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let unreadable = |source| TlsError::Certificates { file: files.certificates.clone(), source };
    let chain = CertificateDer::pem_file_iter(&files.certificates).map_err(unreadable)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: files.certificates.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|source| TlsError::Key { file: files.key.clone(), source })?;
    CertifiedKey::from_der(chain, key, provider)
        .map_err(|source| TlsError::Unusable { files: files.clone(), source })
}

fn written_at(files: &TlsFiles) -> WrittenAt {
    [&files.certificates, &files.key]
        .map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
}
