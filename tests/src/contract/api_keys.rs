//! API keys: what is stored of them, and how those hear of changes who keep them in memory.

use std::time::Duration;

use anyhow::{Context, ensure};
use api::access::{NoAccessSecret, access_secret};
use domain::{
    Actor, ApiKey, ApiKeys, Author, KeyChange, KeyHash, KeyLimits, KeyStanding, Label, Limit,
    NewApiKey, PublicKeyId, Quota, RepositoryError, RequestId, Rotated, Rotation, Scope, Scopes,
    Timestamp, Version,
};

use crate::fixture::Fixture;

fn author() -> Author {
    Author { actor: Actor::Command, request: RequestId::generate() }
}

/// A key to store, different for each number.
pub fn new_key(number: u8) -> anyhow::Result<NewApiKey> {
    Ok(NewApiKey {
        public_id: PublicKeyId::from_random([number; 8]),
        hash: KeyHash::new([number; 32]),
        name: Label::try_from(format!("key {number}").as_str())?,
        scopes: Scopes::new([Scope::Read, Scope::Generate])?,
        limits: KeyLimits {
            requests_per_second: Some(Quota::try_from(5)?),
            burst: None,
            requests_per_hour: Some(Quota::try_from(u64::from(Quota::MOST))?),
        },
        expires_at: None,
    })
}

async fn stored(keys: &dyn ApiKeys, number: u8) -> anyhow::Result<ApiKey> {
    Ok(keys.insert(&new_key(number)?, &author()).await?)
}

fn rotation(number: u8, grace_micros: u64) -> Rotation {
    let (public_id, hash) = (PublicKeyId::from_random([number; 8]), KeyHash::new([number; 32]));
    Rotation { public_id, hash, grace_micros }
}

async fn since(keys: &dyn ApiKeys, version: Version) -> anyhow::Result<Vec<ApiKey>> {
    let changes = keys.since(version, 100).await?;
    changes
        .into_iter()
        .map(|change| match change {
            KeyChange::Present(key) => Ok(key),
            KeyChange::Unreadable { .. } => anyhow::bail!("{change:?}"),
        })
        .collect()
}

/// Everything comes back, whether it is asked for by what people know it by or listed.
pub async fn returns_what_was_stored(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let mut new = new_key(1)?;
    new.name = Label::try_from("ein Schlüssel für 坂本龍一 🥁")?;
    new.expires_at = Some("2099-01-01T00:00:00.000001Z".parse()?);

    let key = keys.insert(&new, &author()).await?;

    let NewApiKey { public_id, hash, name, scopes, limits, expires_at } = new.clone();
    ensure!(key.public_id == public_id && key.hash == hash && key.name == name, "{key:?}");
    ensure!(key.scopes == scopes && key.limits == limits && key.expires_at == expires_at);
    ensure!(key.revoked_at.is_none() && key.last_used_at.is_none());
    ensure!(keys.find(&public_id).await?.as_ref() == Some(&key));
    ensure!(keys.find(&PublicKeyId::from_random([9; 8])).await?.is_none());
    let again = keys.insert(&new, &author()).await;
    ensure!(matches!(again, Err(RepositoryError::Conflict)), "{again:?}");
    Ok(())
}

/// Pages are in the order in which keys were made.
pub async fn pages_oldest_first(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let mut made = Vec::new();
    for number in 1..=5 {
        made.push(stored(&*keys, number).await?);
    }

    let first = keys.page(None, Limit::new(2)?).await?;
    let second = keys.page(first.next, Limit::new(2)?).await?;
    let third = keys.page(second.next, Limit::new(2)?).await?;

    ensure!(third.next.is_none());
    let listed: Vec<ApiKey> =
        [first, second, third].into_iter().flat_map(|page| page.items).collect();
    ensure!(listed == made, "{listed:?}");
    Ok(())
}

/// Revoking again changes nothing.
pub async fn a_key_is_revoked_once(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let key = stored(&*keys, 1).await?;

    let revoked = keys.revoke(&key.public_id, &author()).await?.context("known")?;
    let again = keys.revoke(&key.public_id, &author()).await?.context("known")?;

    ensure!(revoked.revoked_at.is_some() && key.version < revoked.version, "{revoked:?}");
    ensure!(revoked.standing(fixture.store().now()) == KeyStanding::Revoked);
    ensure!(again == revoked, "{again:?}");
    ensure!(keys.revoke(&PublicKeyId::from_random([9; 8]), &author()).await?.is_none());
    Ok(())
}

/// The new key has what the old one had, the old one goes on for as long as was said, and no longer than before.
pub async fn rotating_hands_on_what_a_key_opens(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let key = stored(&*keys, 1).await?;

    let before = fixture.store().now();
    let rotated = keys.rotate(&key.public_id, &rotation(2, 3_600_000_000), &author()).await?;
    let Rotated { new, old } = rotated.context("known")?;

    ensure!(new.name == key.name && new.scopes == key.scopes && new.limits == key.limits);
    ensure!(new.hash != key.hash && new.id != key.id && new.expires_at.is_none(), "{new:?}");
    let end = old.expires_at.context("it expires")?.unix_micros() - before.unix_micros();
    ensure!((3_600_000_000..3_660_000_000).contains(&end), "{end}");
    ensure!(old.standing(fixture.store().now()) == KeyStanding::Good);
    ensure!(keys.find(&key.public_id).await?.as_ref() == Some(&old));
    ensure!(keys.find(&new.public_id).await?.as_ref() == Some(&new));

    // One that has an end has it still, though that is earlier than the grace; its successor lasts as long as it.
    let end = Timestamp::from_unix_micros(before.unix_micros() + 60_000_000)?;
    let short = NewApiKey { expires_at: Some(end), ..new_key(3)? };
    let short = keys.insert(&short, &author()).await?;
    let once_more = keys.rotate(&short.public_id, &rotation(5, u64::MAX), &author()).await?;
    let Rotated { new: third, old: still } = once_more.context("known")?;
    ensure!(still.expires_at == short.expires_at, "{still:?}");
    let lifetime =
        |key: &ApiKey| key.expires_at.map(|end| end.unix_micros() - key.created_at.unix_micros());
    ensure!(lifetime(&third) == lifetime(&still) && third.created_at > still.created_at);
    // At once.
    let gone = keys.rotate(&third.public_id, &rotation(4, 0), &author()).await?;
    let gone = gone.context("known")?.old;
    ensure!(gone.standing(fixture.store().now()) == KeyStanding::Expired, "{gone:?}");
    ensure!(
        keys.rotate(&PublicKeyId::from_random([9; 8]), &rotation(5, 0), &author()).await?.is_none()
    );
    Ok(())
}

/// Nobody gets a good key for a bad one.
pub async fn a_key_that_opens_nothing_is_not_rotated(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let revoked = stored(&*keys, 1).await?.public_id;
    keys.revoke(&revoked, &author()).await?;
    let past = Some(Timestamp::from_unix_micros(1)?);
    let expired = NewApiKey { expires_at: past, ..new_key(2)? };
    keys.insert(&expired, &author()).await?;
    let good = stored(&*keys, 3).await?;
    // It is good for another hour, and has a successor.
    let rotated = stored(&*keys, 4).await?.public_id;
    keys.rotate(&rotated, &rotation(5, 3_600_000_000), &author()).await?;
    let before = keys.since(Version::ZERO, 100).await?;

    for key in [&revoked, &expired.public_id, &rotated] {
        let refused = keys.rotate(key, &rotation(7, 0), &author()).await;
        ensure!(matches!(refused, Err(RepositoryError::Conflict)), "{refused:?}");
    }
    // An identity that is taken stops all of it.
    let taken = keys.rotate(&good.public_id, &rotation(1, 0), &author()).await;
    ensure!(matches!(taken, Err(RepositoryError::Conflict)), "{taken:?}");
    ensure!(keys.since(Version::ZERO, 100).await? == before);
    Ok(())
}

/// Versions are those of the change feed.
pub async fn tells_what_changed_in_order(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let one = stored(&*keys, 1).await?;
    let artist =
        fixture.artists().find_or_create(&crate::given::name("J Dilla")?, &author()).await?.artist;
    let two = stored(&*keys, 2).await?;
    ensure!(one.version < artist.version && artist.version < two.version);
    ensure!(since(&*keys, Version::ZERO).await? == [one.clone(), two.clone()]);

    let one = keys.revoke(&one.public_id, &author()).await?.context("known")?;

    ensure!(since(&*keys, Version::ZERO).await? == [two.clone(), one.clone()]);
    ensure!(since(&*keys, two.version).await? == std::slice::from_ref(&one));
    ensure!(since(&*keys, one.version).await?.is_empty());
    ensure!(keys.since(Version::ZERO, 1).await? == [KeyChange::Present(two)]);
    Ok(())
}

/// It moves no version, and an earlier use does not hide a later one.
pub async fn using_a_key_is_no_change(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let mut made = Vec::new();
    for number in 1..=100 {
        made.push(stored(&*keys, number).await?);
    }
    let at = |micros| Timestamp::from_unix_micros(micros);
    let uses = |micros| -> anyhow::Result<Vec<_>> {
        made.iter().map(|key| Ok((key.id, at(micros)?))).collect()
    };

    keys.note_uses(&uses(7_000_001)?).await?;
    keys.note_uses(&uses(7_000_000)?).await?;
    keys.note_uses(&[]).await?;

    let now = since(&*keys, Version::ZERO).await?;
    ensure!(now.len() == made.len());
    for (before, now) in made.iter().zip(&now) {
        ensure!(now.version == before.version, "{now:?}");
        ensure!(now.last_used_at == Some(at(7_000_001)?), "{now:?}");
    }
    Ok(())
}

/// Whoever keeps keys hears of what a person does at a prompt; a row that was gone nobody would hear of.
pub async fn edits_by_hand_count_and_none_is_removed(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let key = stored(&*keys, 1).await?;

    fixture.by_hand("UPDATE api_keys SET scopes = 'admin'").await?;
    let edited = since(&*keys, key.version).await?;
    fixture.by_hand("UPDATE api_keys SET version = 7").await?;
    let versioned = since(&*keys, key.version).await?;
    let removed = fixture.by_hand("DELETE FROM api_keys").await;

    let first = edited.first().context("told")?;
    ensure!(first.scopes == Scopes::of(Scope::Admin), "{edited:?}");
    ensure!(first.version < versioned.first().context("told")?.version, "{versioned:?}");
    ensure!(removed.is_err());
    ensure!(fixture.by_hand("UPDATE api_keys SET scopes = 'root'").await.is_err());
    ensure!(keys.find(&key.public_id).await?.is_some());
    Ok(())
}

/// What a person made of a key by hand and cannot be opens nothing, and stops nobody from hearing of others.
pub async fn what_is_no_key_hides_no_other(fixture: &impl Fixture) -> anyhow::Result<()> {
    let keys = fixture.store().api_keys();
    let bad = stored(&*keys, 1).await?;
    let good = stored(&*keys, 2).await?;

    fixture.by_hand("UPDATE api_keys SET name = 'a\nb' WHERE name = 'key 1'").await?;

    let changes = keys.since(Version::ZERO, 100).await?;
    let [KeyChange::Present(first), KeyChange::Unreadable { version, id }] = changes.as_slice()
    else {
        anyhow::bail!("{changes:?}");
    };
    ensure!(*first == good && *id == bad.id && good.version < *version, "{changes:?}");
    Ok(())
}

/// A file has it beside it; a server cannot, and says what to do.
pub async fn the_access_secret_is_found_or_asked_for(fixture: &impl Fixture) -> anyhow::Result<()> {
    let Some(file) = fixture.store().file() else {
        let missing = access_secret(None, fixture.store()).await;
        ensure!(matches!(missing, Err(NoAccessSecret::NotSet)), "{missing:?}");
        return Ok(());
    };
    access_secret(None, fixture.store()).await?;
    // It is there for as long as the database is.
    let probe = fixture.store().probe(Duration::from_secs(10)).await;
    ensure!(probe.answer.is_some(), "{probe:?}");
    let mut beside = file.into_os_string();
    beside.push(".secret");
    let first = std::fs::read_to_string(&beside)?;
    access_secret(None, fixture.store()).await?;

    ensure!(first.len() == 43 && std::fs::read_to_string(&beside)? == first);
    std::fs::write(&beside, "short")?;
    let damaged = access_secret(None, fixture.store()).await;
    ensure!(matches!(damaged, Err(NoAccessSecret::Damaged { .. })), "{damaged:?}");
    Ok(())
}
