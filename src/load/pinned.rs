//! Trust in a server's own certificate, where that stands in the file of authorities.
//!
//! `openssl req -x509` makes a certificate that is an authority and the server's own in one, which webpki takes for an
//! authority only. Byte for byte the same as one in the file, it is as trustworthy as what that one could sign.

use std::sync::Arc;

use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        VerifierBuilderError, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// What webpki says of an authority that shows its own certificate.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Verifies as webpki does, and knows the certificates of the file when it sees them.
#[derive(Debug)]
pub(super) struct Pinned {
    webpki: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Pinned {
    /// Trusts what these authorities have signed, and these certificates.
    ///
    /// # Errors
    /// There is no authority.
    pub(super) fn new(roots: RootCertStore, own: Vec<CertificateDer<'static>>) -> Result<Self, VerifierBuilderError> {
        let webpki = WebPkiServerVerifier::builder(Arc::new(roots)).build()?;
        Ok(Self { webpki, own })
    }
}

/// Whether nothing but the issuer is amiss: webpki has looked at the time of validity before it says so.
fn is_about_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => other.0.to_string() == AUTHORITY_AS_SERVER,
        _ => false,
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .webpki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(error) if is_about_issuer(&error) && self.own.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
