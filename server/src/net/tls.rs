//! TLS: a given certificate, or an authority of our own that is made once and pinned by the enrolment codes.

use super::{ServeError, Transport};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

const AUTHORITY_CERTIFICATE: &str = "authority.der";
const AUTHORITY_KEY: &str = "authority.key";

/// SHA-256 of our own authority's certificate, for the enrolment codes; none where there is no authority yet.
pub fn authority_fingerprint(folder: &Path) -> Option<[u8; 32]> {
    let certificate = std::fs::read(folder.join(AUTHORITY_CERTIFICATE)).ok()?;
    Some(Sha256::digest(certificate).into())
}

/// Makes our own authority, unless the folder holds one, and tells its fingerprint.
///
/// # Errors
/// Where the folder cannot be written.
pub fn make_authority(folder: &Path) -> Result<[u8; 32], ServeError> {
    let (certificate, _) = authority(folder)?;
    Ok(Sha256::digest(certificate).into())
}

/// What takes TLS off a connection; none for plain HTTP.
pub(super) fn acceptor(transport: &Transport, listen: SocketAddr) -> Result<Option<TlsAcceptor>, ServeError> {
    let (chain, key) = match transport {
        Transport::Plain | Transport::BehindProxy => return Ok(None),
        Transport::Tls { certificate, key } => given(certificate, key)?,
        Transport::TlsSelf { folder, names } => own(folder, names, listen)?,
    };
    let unusable = |_| ServeError::Tls("certificate and key do not fit");
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn given(certificate: &Path, key: &Path) -> Result<ChainAndKey, ServeError> {
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|_| ServeError::TlsFile("the file of the certificate's key cannot be read as PEM"))?;
    Ok((chain, key))
}

/// SHA-256 of the authority in a PEM file (a chain's last certificate), for the enrolment codes of a server whose
/// certificate is signed by an authority that devices do not know.
///
/// # Errors
/// Where the file cannot be read or holds no certificate.
pub fn fingerprint_of_file(chain: &Path) -> Result<[u8; 32], ServeError> {
    let chain = certificates(chain)?;
    let authority = chain.last().map(|authority| Sha256::digest(authority).into());
    authority.ok_or(ServeError::TlsFile("the certificate file holds no certificate"))
}

fn certificates(certificate: &Path) -> Result<Vec<CertificateDer<'static>>, ServeError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_| ServeError::TlsFile("the certificate file cannot be read as PEM"))?;
    if chain.is_empty() {
        return Err(ServeError::TlsFile("the certificate file holds no certificate"));
    }
    Ok(chain)
}

/// A leaf for this run, under the authority that devices pinned.
fn own(folder: &Path, names: &[String], listen: SocketAddr) -> Result<ChainAndKey, ServeError> {
    let failed = |_| ServeError::Tls("no certificate can be made");
    let (authority, authority_key) = authority(folder)?;
    let issuer = Issuer::new(authority_parameters()?, authority_key);
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.ip().is_unspecified() {
        all.push(listen.ip().to_string());
    }
    all.extend(names.iter().cloned());
    all.sort();
    all.dedup();
    let mut parameters = CertificateParams::new(all).map_err(failed)?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Vereda server");
    let key = KeyPair::generate().map_err(failed)?;
    let leaf = parameters.signed_by(&key, &issuer).map_err(failed)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((vec![leaf.der().clone(), authority], key))
}

fn authority_parameters() -> Result<CertificateParams, ServeError> {
    let mut parameters = CertificateParams::new(Vec::<String>::new())
        .map_err(|_| ServeError::Tls("no certificate can be made"))?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Vereda authority");
    Ok(parameters)
}

/// The authority in the folder, made if there is none. Its key lies in a file of mode 0600.
fn authority(folder: &Path) -> Result<(CertificateDer<'static>, KeyPair), ServeError> {
    let unusable = ServeError::Tls("the folder of the authority cannot be used");
    let (certificate_path, key_path) = (folder.join(AUTHORITY_CERTIFICATE), folder.join(AUTHORITY_KEY));
    if let (Ok(certificate), Ok(key)) = (std::fs::read(&certificate_path), std::fs::read(&key_path)) {
        let key = KeyPair::try_from(key.as_slice()).map_err(|_| unusable)?;
        return Ok((CertificateDer::from(certificate), key));
    }
    let failed = |_| ServeError::Tls("no certificate can be made");
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = authority_parameters()?.self_signed(&key).map_err(failed)?;
    std::fs::create_dir_all(folder).map_err(|_| ServeError::Tls("the folder cannot be made"))?;
    write_secret(&key_path, &key.serialize_der())
        .and_then(|()| std::fs::write(&certificate_path, certificate.der()))
        .map_err(|_| unusable)?;
    Ok((certificate.der().clone(), key))
}

fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
