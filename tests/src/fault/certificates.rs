//! Certificates of a test's own authority.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};

/// What a server of this machine needs to speak TLS, in PEM. Nobody but the test trusts it.
pub(super) struct Certificates {
    /// The authority's certificate.
    pub(super) authority: String,
    /// The server's certificate, for 127.0.0.1 and `localhost` unless it was made for another name.
    pub(super) server: String,
    /// The key to it.
    pub(super) key: String,
}

impl Certificates {
    /// Makes an authority and has it sign.
    pub(super) fn make() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        Self::sign(&params)
    }

    /// The same for a server of another name.
    pub(super) fn make_for(name: &str) -> anyhow::Result<Self> {
        Self::sign(&CertificateParams::new(vec![name.to_owned()])?)
    }

    fn sign(server: &CertificateParams) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "Groovebase's tests");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let key = KeyPair::generate()?;
        let server = server.signed_by(&key, &authority)?;
        Ok(Self { authority: authority.pem(), server: server.pem(), key: key.serialize_pem() })
    }
}
