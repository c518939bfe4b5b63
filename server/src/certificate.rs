//! Certificate and key from PEM files, and the end of a certificate.

use crate::config::TlsFiles;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{path} cannot be read: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is empty", path = .0.display())]
    Empty(PathBuf),
    #[error("{path} holds no PEM certificate", path = .0.display())]
    NoCertificate(PathBuf),
    #[error("{path} holds no PEM private key", path = .0.display())]
    NoKey(PathBuf),
    #[error(
        "the key in {path} is encrypted; store it decrypted and readable by this account alone, as `openssl pkey -in \
         FILE -out FILE` writes it", path = .0.display()
    )]
    EncryptedKey(PathBuf),
}

/// A certificate chain, the own certificate first, and its private key.
pub fn read_pair(
    files: &TlsFiles,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), FileError> {
    let chain = read_chain(&files.cert)?;
    let path = &files.key;
    let pem = read(path)?;
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Ok((chain, key)),
        Err(_) if is_encrypted(&pem) => Err(FileError::EncryptedKey(path.clone())),
        Err(_) => Err(FileError::NoKey(path.clone())),
    }
}

/// All certificates of a file.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(FileError::NoCertificate(path.to_owned())),
    }
}

/// Seconds since 1970 after which the certificate is not valid any more; `None` if it cannot be parsed.
pub fn end(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

/// The end of the certificate in a file that ends first.
pub fn first_end(path: &Path) -> Option<i64> {
    read_chain(path).ok()?.iter().filter_map(end).min()
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    match fs::read(path) {
        Ok(pem) if pem.trim_ascii().is_empty() => Err(FileError::Empty(path.to_owned())),
        Ok(pem) => Ok(pem),
        Err(source) => Err(FileError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// In PKCS #8 and in the older form of OpenSSL.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_files_are_named_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            cert: directory.path().join("cert.pem"),
            key: directory.path().join("key.pem"),
        };
        let failure = || read_pair(&files).unwrap_err().to_string();
        assert!(failure().contains("cert.pem cannot be read: "));
        fs::write(&files.cert, "\n").unwrap();
        assert!(failure().ends_with("cert.pem is empty"));
        fs::write(&files.cert, "certificate").unwrap();
        assert!(failure().ends_with("cert.pem holds no PEM certificate"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&files.cert, made.cert.pem()).unwrap();
        fs::write(&files.key, made.cert.pem()).unwrap();
        assert!(failure().ends_with("key.pem holds no PEM private key"));
        let key = made.signing_key.serialize_pem();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        fs::write(&files.key, encrypted).unwrap();
        assert!(failure().contains("key.pem is encrypted; store it decrypted"));
        fs::write(&files.key, key).unwrap();
        read_pair(&files).unwrap();
        assert_eq!(
            first_end(&files.cert),
            // The default of rcgen: the year 4096.
            Some(67_090_118_400)
        );
    }
}
