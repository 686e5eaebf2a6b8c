//! A Redis server that speaks TLS alone, with a certificate of an authority of its own.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::redis::{Group, IN_MEMORY, lines};
use super::{Failure, Launched, free_ports};
use crate::Kind;

pub(crate) fn launch(settings: &[(&str, &str)]) -> Result<Launched, Failure> {
    let group = Group::new("redis-server")?;
    let [port] = free_ports()?;
    let [authority, certificate, key] =
        certificates().map_err(|error| Failure::Broken(error.to_string()))?;
    let ca = group.guard.write("ca.pem", &authority)?;
    let certificate = group.guard.write("server.pem", &certificate)?;
    let key = group.guard.write("server.key", &key)?;
    let mut lines = lines(&IN_MEMORY, settings);
    lines.extend([
        "port 0".into(),
        format!("tls-port {port}"),
        "tls-auth-clients no".into(),
        format!("tls-ca-cert-file {}", ca.display()),
        format!("tls-cert-file {}", certificate.display()),
        format!("tls-key-file {}", key.display()),
    ]);
    let node = group.start("server", port, &lines)?;
    Ok(Launched {
        ca: Some(ca),
        ..group.launched(Kind::RedisTls, vec![node], 1)
    })
}

/// The authority's certificate, the server's, and the server's key, in PEM.
pub(super) fn certificates() -> Result<[String; 3], rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let root = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    Ok([root.pem(), certificate.pem(), key.serialize_pem()])
}
