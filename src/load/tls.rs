//! TLS: whom to trust, and which HTTP to offer.

use std::{fs, path::Path, sync::Arc};

use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

use super::{LoadError, lookup::Checked, pinned::Pinned};
use crate::plan::{Http, Target};

/// Makes TLS connections to a target: trusts its own certificate authorities if it has some, else the system's.
///
/// # Errors
/// The file of certificates is not readable, or the system has none.
pub(super) fn connector(target: &Target) -> Result<TlsConnector, LoadError> {
    use_ring();
    let mut config = match &target.ca_file {
        Some(path) => trusting(path)?,
        None => ClientConfig::with_platform_verifier().map_err(|source| LoadError::Setup {
            what: "the system's certificates",
            source: source.into(),
        })?,
    };
    config.alpn_protocols = offers(target.http);
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The client for everything that is not measured; it follows no redirect and asks no proxy, as the measured requests.
pub(super) fn web_client(target: &Target, scheme: &str) -> Result<reqwest::Client, LoadError> {
    use_ring();
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(Checked)
        .redirect(reqwest::redirect::Policy::none());
    if scheme == "http" {
        // A machine without certificates can still measure a server without TLS.
        builder = builder.tls_certs_only([]);
        if target.http == Http::Two {
            builder = builder.http2_prior_knowledge();
        }
    } else if let Some(path) = &target.ca_file {
        let mut config = trusting(path)?;
        config.alpn_protocols = offers(target.http);
        builder = builder.tls_backend_preconfigured(config);
    }
    builder.build().map_err(|source| LoadError::Setup {
        what: "the HTTP client",
        source: source.into(),
    })
}

/// Fails where a provider is installed already, which serves as well.
fn use_ring() {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}

/// The protocols that a server may choose from, the best first.
fn offers(http: Http) -> Vec<Vec<u8>> {
    let names: &[&[u8]] = match http {
        Http::One => &[b"http/1.1"],
        Http::Auto => &[b"h2", b"http/1.1"],
        Http::Two => &[b"h2"],
    };
    names.iter().map(|name| name.to_vec()).collect()
}

/// Trusts what the certificates of a file have signed, and them themselves.
fn trusting(path: &str) -> Result<ClientConfig, LoadError> {
    let own = certificates(path, &read(path)?)?;
    let mut roots = RootCertStore::empty();
    for certificate in &own {
        let added = roots.add(certificate.clone());
        added.map_err(|error| refuse(path, error.to_string()))?;
    }
    let verifier = Pinned::new(roots, own).map_err(|error| refuse(path, error.to_string()))?;
    Ok(ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn read(path: &str) -> Result<Vec<u8>, LoadError> {
    fs::read(Path::new(path)).map_err(|error| refuse(path, error.to_string()))
}

fn certificates(path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| refuse(path, error.to_string()))?;
    if certificates.is_empty() {
        return Err(refuse(path, "it holds no certificate".into()));
    }
    Ok(certificates)
}

fn refuse(path: &str, problem: String) -> LoadError {
    LoadError::CaFile {
        path: path.to_owned(),
        problem,
    }
}
