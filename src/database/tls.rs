//! Encrypted connections: what `sslmode` demands of the server's certificate.
//!
//! In: a mode and, if named, a file of root certificates; otherwise those of the operating system count. Out: the settings of a connection.
//! `prefer` and `require` encrypt without asking who the server is, as the database's own tools do. Does not know about URLs.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Mode;
use crate::error::Error;

/// Makes the PostgreSQL driver's connector for a mode.
pub fn connector(mode: Mode, roots: Option<&Path>) -> Result<MakeRustlsConnect, Error> {
    Ok(MakeRustlsConnect::new(settings(mode, roots, rustls::DEFAULT_VERSIONS)?))
}

/// Makes the settings of a connection for a mode.
pub fn settings(mode: Mode, roots: Option<&Path>, versions: &[&'static SupportedProtocolVersion]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|e| unusable(&e.to_string()))?;
    let authorities = match mode {
        Mode::VerifyCa | Mode::VerifyFull => {
            let roots = Arc::new(root_certificates(roots)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
            Some(verifier.map_err(|e| unusable(&e.to_string()))?)
        }
        Mode::Disable | Mode::Prefer | Mode::Require => None,
    };
    let verifier = Arc::new(Verifier { authorities, any_name: mode != Mode::VerifyFull, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn root_certificates(file: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if let Some(path) = file {
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = read.map_err(|e| unusable(&format!("`{}`: {e}", path.display())))?;
        store.add_parsable_certificates(certificates);
        if store.is_empty() {
            return Err(unusable(&format!("`{}` holds no certificate", path.display())));
        }
        return Ok(store);
    }
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(unusable("the operating system has no root certificates"));
    }
    Ok(store)
}

fn unusable(why: &str) -> Error {
    Error::new("X0505", format!("root certificates cannot be used: {why}"))
        .help("Name a file of root certificates in PEM form with `sslrootcert=...` in the target's `url`.")
}

/// Judges a server's certificate as far as the mode wants it judged.
#[derive(Debug)]
struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    any_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        match authorities.verify_server_cert(certificate, between, name, ocsp, now) {
            // The name is judged last: the authority has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
