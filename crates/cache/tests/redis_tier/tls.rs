//! TLS: spoken with whoever has a certificate that is trusted, and with nobody else.

use std::sync::Arc;

use groovebase_cache::{
    InvalidRedisSettings, Redis, RedisAway, RedisSettings, RedisStyleProfiles, RedisTrouble,
    SharedProfiles as _,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    given::{profile, settings, url},
    stand_in::{host_and_port, moved},
};

/// A TLS door before the Redis, with a certificate for this name. It ends with the returned set.
async fn door(name: &str) -> (String, String, JoinSet<()>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = host_and_port(&url()).to_owned();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            connections.spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(target).await.unwrap();
                drop(copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    (moved(&url(), port).replace("redis://", "rediss://"), cert.pem(), tasks)
}

fn trusting(url: &str, certificate: &str) -> RedisSettings {
    RedisSettings { ca_certificate: Some(certificate.to_owned()), ..settings(url) }
}

#[tokio::test]
async fn a_certificate_of_an_authority_of_our_own_is_trusted() {
    let (url, certificate, _door) = door("127.0.0.1").await;
    let tier = RedisStyleProfiles::new(Redis::open(&trusting(&url, &certificate)).unwrap());
    let profile = profile("J Dilla", 1);

    tier.put(&profile).await;

    assert_eq!(tier.find(profile.artist.key(), profile.version).await, Some(profile));
}

#[tokio::test]
async fn other_certificates_are_not() {
    let (address, certificate, _door) = door("127.0.0.1").await;
    let (elsewhere, for_another_name, _other_door) = door("cache.example").await;
    let untrusted = Err(RedisAway::Failed(RedisTrouble::Untrusted));

    for settings in [
        settings(&address),
        trusting(&address, &for_another_name),
        trusting(&elsewhere, &for_another_name),
        trusting(&elsewhere, &certificate),
    ] {
        assert_eq!(Redis::open(&settings).unwrap().ping().await, untrusted);
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let plain = url().replace("redis://", "rediss://");

    let refused = Redis::open(&settings(&plain)).unwrap().ping().await;

    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn certificates_that_cannot_be_used_are_refused() {
    let opened = |url: &str, pem: &str| Redis::open(&trusting(url, pem)).err();

    assert_eq!(opened("rediss://cache", "not PEM"), Some(InvalidRedisSettings::InvalidCertificate));
    assert_eq!(
        opened("rediss://cache", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        Some(InvalidRedisSettings::InvalidCertificate)
    );
    assert_eq!(
        opened("redis://cache", "-----BEGIN CERTIFICATE-----"),
        Some(InvalidRedisSettings::CertificateWithoutTls)
    );
}
