//! The audit log: each write that changes something leaves one record, in the same transaction.

use anyhow::{Context, ensure};
use domain::{
    Actor, ApiKey, ApiKeyId, AuditAction, AuditFilter, AuditRecord, Author, Expected, KeyHash,
    Label, Limit, NewGeneration, ProfileRecord, PublicKeyId, RepositoryError, RequestId, Rotation,
    SourceType, TimeRange,
};
use storage::Store;

use super::api_keys::new_key;
use crate::{fixture::Fixture, given};

/// Somebody with a key, who says what the request is.
fn author(request: &str) -> anyhow::Result<Author> {
    let actor = Actor::Key {
        id: ApiKeyId::generate(),
        public_id: PublicKeyId::from_random([5; 8]),
        name: Label::try_from("an import")?,
    };
    Ok(Author { actor, request: RequestId::try_from(request.as_bytes())? })
}

/// All records, oldest first.
async fn log(store: &Store) -> anyhow::Result<Vec<AuditRecord>> {
    let page = store.audit_log().page(&AuditFilter::default(), None, Limit::LARGEST).await?;
    ensure!(page.next.is_none());
    Ok(page.items.into_iter().rev().collect())
}

fn actions(records: &[AuditRecord]) -> Vec<AuditAction> {
    records.iter().map(|record| record.entry.action).collect()
}

/// Who, what, for which request, and the versions before and after.
pub async fn every_write_leaves_a_record(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let name = given::name("J Dilla")?;
    let me = author("request-1")?;
    let before = store.now();

    let artist = fixture.artists().find_or_create(&name, &me).await?.artist;
    let saved = fixture
        .style_profiles()
        .save(&given::profile("J Dilla", "text")?, Expected::Any, &me)
        .await?;
    let sources = vec![
        given::source(SourceType::Article, "https://example.org/1")?,
        given::source(SourceType::Paper, "https://example.org/2")?,
    ];
    store.research_sources().add(artist.id, sources, &me).await?;
    let bare = fixture.style_profiles().remove(name.key(), Expected::Any, &me).await?;
    let gone = fixture.artists().remove(name.key(), &me).await?;

    let records = log(store).await?;
    ensure!(
        actions(&records)
            == [
                AuditAction::ArtistCreated,
                AuditAction::ProfileSaved,
                AuditAction::SourcesAdded,
                AuditAction::ProfileRemoved,
                AuditAction::ArtistRemoved,
            ],
        "{records:?}"
    );
    let versions: Vec<_> =
        records.iter().map(|record| (record.entry.before, record.entry.after)).collect();
    let saved = Some(saved.profile.version);
    ensure!(
        versions
            == [
                (None, Some(artist.version)),
                (Some(artist.version), saved),
                (None, None),
                (saved, bare),
                (bare, gone),
            ],
        "{versions:?}"
    );
    for record in &records {
        ensure!(record.author == me && before <= record.at && record.at <= store.now());
        ensure!(record.entry.subject.artist.as_ref() == Some(name.key()), "{record:?}");
    }
    ensure!(records.get(2).and_then(|it| it.entry.subject.entries) == Some(2), "{records:?}");
    Ok(())
}

/// A request that changed nothing is not worth a word.
pub async fn what_changes_nothing_leaves_none(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let (name, nobody) = (given::name("J Dilla")?, given::name("Nobody")?);
    let me = author("request-1")?;
    fixture.artists().find_or_create(&name, &me).await?;
    let entry = given::generation("openai")?;
    store.generations().record(vec![entry.clone()], &me).await?;
    let batch = || vec![ProfileRecord::Artist { artist: name.clone(), sources: Vec::new() }];
    let key = store.api_keys().insert(&new_key(1)?, &me).await?;
    store.api_keys().revoke(&key.public_id, &me).await?;
    let before = log(store).await?;

    fixture.artists().find_or_create(&name, &me).await?;
    fixture.artists().remove(nobody.key(), &me).await?;
    fixture.style_profiles().remove(name.key(), Expected::Any, &me).await?;
    let profile = given::profile("J Dilla", "text")?;
    let refused = fixture.style_profiles().save(&profile, Expected::Present, &me).await;
    ensure!(matches!(refused, Err(RepositoryError::VersionMismatch { .. })), "{refused:?}");
    store.generations().record(vec![entry], &me).await?;
    fixture.bulk_load().load(batch(), &me).await?;
    store.api_keys().revoke(&key.public_id, &me).await?;
    let taken = store.api_keys().insert(&new_key(1)?, &me).await;
    ensure!(taken.is_err());

    ensure!(log(store).await? == before);
    Ok(())
}

/// Neither is there without the other.
pub async fn a_write_that_fails_late_leaves_none(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    fixture.refuse_embeddings().await?;

    let mut profile = given::profile("J Dilla", "text")?;
    profile.embedding = Some(given::embedding(1)?);
    let refused =
        fixture.style_profiles().save(&profile, Expected::Any, &author("request-1")?).await;

    ensure!(refused.is_err() && log(store).await?.is_empty());
    Ok(())
}

/// Whoever records has one record, with the first of what is new and how many there are, also among others of one
/// commit; who is refused has none.
pub async fn recording_leaves_one_record_a_request(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let generations = store.generations();
    let known = given::generation("openai")?;
    generations.record(vec![known.clone()], &author("first")?).await?;

    let mut tasks = Vec::new();
    for number in 0..20 {
        let generations = store.generations();
        let mut entries: Vec<NewGeneration> = vec![known.clone()];
        for _ in 0..=number {
            entries.push(given::generation("google")?);
        }
        if number % 5 == 4 {
            let artist = Some(given::name("Nobody")?);
            entries.push(NewGeneration { artist, ..given::generation("google")? });
        }
        let author = author(&format!("request-{number}"))?;
        tasks.push(tokio::spawn(async move {
            let first = entries.get(1).map(|entry| entry.id);
            let recorded = generations.record(entries, &author).await.is_ok();
            (author.request, first, number + 1, recorded)
        }));
    }
    let mut expected = Vec::new();
    for task in tasks {
        let (request, first, count, recorded) = task.await?;
        ensure!(recorded == (count % 5 != 0), "{request:?}");
        if recorded {
            expected.push((request.to_string(), first, Some(count)));
        }
    }

    let mut found: Vec<_> = log(store)
        .await?
        .into_iter()
        .filter(|record| record.author.request.as_str() != "first")
        .map(|record| {
            let subject = record.entry.subject;
            (record.author.request.to_string(), subject.generation, subject.entries)
        })
        .collect();
    found.sort();
    expected.sort();
    ensure!(found == expected, "{found:?}\n{expected:?}");
    Ok(())
}

/// One record a batch, with how many artists it changed.
pub async fn an_import_leaves_one_record_a_batch(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let record = |artist: &str| -> anyhow::Result<ProfileRecord> {
        let profile = Box::new(given::profile(artist, "text")?);
        Ok(ProfileRecord::Profile { profile, sources: Vec::new() })
    };
    let me = author("batch-1")?;

    fixture.bulk_load().load(vec![record("A")?, record("B")?], &me).await?;
    fixture.bulk_load().load(vec![record("A")?, record("C")?], &author("batch-2")?).await?;

    let records = log(store).await?;
    ensure!(actions(&records) == [AuditAction::ProfilesImported; 2], "{records:?}");
    let counts: Vec<_> = records.iter().map(|record| record.entry.subject.entries).collect();
    ensure!(counts == [Some(2), Some(1)], "{counts:?}");
    ensure!(records.first().map(|record| &record.author) == Some(&me));
    Ok(())
}

/// Keys are writes too.
pub async fn keys_leave_records(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let keys = store.api_keys();
    let me = Author::at_the_command_line();
    let made = keys.insert(&new_key(1)?, &me).await?;
    let public_id = PublicKeyId::from_random([2; 8]);
    let rotation = Rotation { public_id, hash: KeyHash::new([2; 32]), grace_micros: 1_000_000_000 };
    let rotated = keys.rotate(&made.public_id, &rotation, &me).await?.context("known")?;
    let revoked = keys.revoke(&rotated.old.public_id, &me).await?.context("known")?;

    let records = log(store).await?;
    let found: Vec<_> = records
        .iter()
        .map(|record| {
            let entry = &record.entry;
            (entry.action, entry.subject.api_key.clone(), entry.before, entry.after)
        })
        .collect();
    let after = |action, key: &ApiKey, before| {
        (action, Some(key.public_id.clone()), before, Some(key.version))
    };
    ensure!(
        found
            == [
                after(AuditAction::KeyCreated, &made, None),
                after(AuditAction::KeyCreated, &rotated.new, None),
                after(AuditAction::KeyRotated, &rotated.old, Some(made.version)),
                after(AuditAction::KeyRevoked, &revoked, Some(rotated.old.version)),
            ],
        "{found:?}"
    );
    ensure!(records.iter().all(|record| record.author == me), "{records:?}");
    Ok(())
}

/// Newest first, by artist, by key and by time.
pub async fn pages_of_what_is_asked_for(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let (me, other) = (author("mine")?, Author::at_the_command_line());
    for artist in ["A", "B", "C"] {
        fixture.artists().find_or_create(&given::name(artist)?, &me).await?;
        fixture.artists().remove(given::name(artist)?.key(), &other).await?;
    }
    let all = log(store).await?;
    let read = async |filter: AuditFilter| -> anyhow::Result<Vec<AuditRecord>> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = store.audit_log().page(&filter, after, Limit::new(2)?).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                found.reverse();
                return Ok(found);
            }
        }
    };
    let those = |admit: &dyn Fn(&AuditRecord) -> bool| -> Vec<AuditRecord> {
        all.iter().filter(|record| admit(record)).cloned().collect()
    };

    ensure!(all.len() == 6 && read(AuditFilter::default()).await? == all);
    let artist = Some(given::key("b")?);
    let found = read(AuditFilter { artist: artist.clone(), ..AuditFilter::default() }).await?;
    ensure!(found == those(&|record| record.entry.subject.artist == artist), "{found:?}");
    let api_key = Some(PublicKeyId::from_random([5; 8]));
    let found = read(AuditFilter { api_key, ..AuditFilter::default() }).await?;
    ensure!(found.len() == 3 && found == those(&|record| record.author == me), "{found:?}");
    let (from, to) = (all.get(1).context("six")?.at, all.get(4).context("six")?.at);
    let found = read(AuditFilter { range: TimeRange::new(from, to)?, ..AuditFilter::default() });
    let found = found.await?;
    ensure!(found == those(&|record| from <= record.at && record.at < to), "{found:?}");
    Ok(())
}

/// Not by hand either.
pub async fn nothing_in_it_is_changed_or_removed(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    fixture.artists().find_or_create(&given::name("A")?, &author("mine")?).await?;
    let before = log(store).await?;

    for sql in [
        "UPDATE audit_log SET request_id = 'yours'",
        "UPDATE audit_log SET request_id = 'yours' WHERE 1 = 0",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
        "TRUNCATE audit_log",
        "TRUNCATE audit_log CASCADE",
    ] {
        let done = fixture.by_hand(sql).await;
        // On SQLite a statement that touches no row fires no trigger.
        ensure!(done.is_err() || sql.ends_with("1 = 0"), "{sql}");
    }

    ensure!(before.len() == 1 && log(store).await? == before);
    Ok(())
}
