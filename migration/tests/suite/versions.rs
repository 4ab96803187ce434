//! Versions: what moves them, and that they are never repeated.

use std::collections::BTreeSet;

use super::{Store, insert};

/// Two artists, each with a profile and an embedding.
async fn given(store: Store) -> Store {
    let store = store.migrated().await;
    for number in [1, 2] {
        for table in ["artists", "style_profiles", "style_embeddings"] {
            store.insert(table, number).await;
        }
    }
    store
}

/// Runs a statement and asserts that these artists, and no other, took a version later than all.
async fn assert_moves(store: &Store, sql: &str, moved: &[u32]) {
    let last = store.last_version().await;
    let before = [store.version(1).await, store.version(2).await];
    assert_ne!(store.run(sql).await, 0, "{sql}");

    for (number, before) in [1, 2].into_iter().zip(before) {
        let after = store.version(number).await;
        if moved.contains(&number) {
            assert!(last < after, "{sql}: artist {number} has {after}, the last was {last}");
        } else {
            assert_eq!(before, after, "{sql}: artist {number}");
        }
    }
    assert_ne!(store.version(1).await, store.version(2).await, "{sql}");
}

pub(crate) async fn every_change_to_an_artist_moves_its_version(store: Store) {
    let store = given(store).await;
    let id = store.id(1);

    for change in [
        "name = 'Another'",
        "name_key = 'another'",
        "name_search = 'another'",
        "research_status = 'cached'",
        "sources_count = 7",
        "confidence_score = 0.75",
        &format!("created_at = {}", store.time()),
        &format!("last_updated = {}", store.time()),
        "name = name",
        "version = version + 1",
    ] {
        let sql = format!("UPDATE artists SET {change} WHERE id = {id}");
        assert_moves(&store, &sql, &[1]).await;
    }
    assert_moves(&store, &insert("artists", &store.row("artists", 3)), &[]).await;
    assert_eq!(store.version(3).await, store.last_version().await);
}

pub(crate) async fn every_change_to_a_profile_moves_its_artist(store: Store) {
    let store = given(store).await;
    let id = store.id(1);

    for (column, value) in store.row("style_profiles", 1) {
        let sql = format!("UPDATE style_profiles SET {column} = {value} WHERE artist_id = {id}");
        assert_moves(&store, &sql, &[1]).await;
    }
    let delete = format!("DELETE FROM style_profiles WHERE artist_id = {id}");
    assert_moves(&store, &delete, &[1]).await;
    assert_moves(&store, &insert("style_profiles", &store.row("style_profiles", 1)), &[1]).await;
}

pub(crate) async fn every_change_to_an_embedding_moves_its_artist(store: Store) {
    let store = given(store).await;
    let id = store.id(1);

    let embedding = store.embedding(2);
    let update =
        format!("UPDATE style_embeddings SET embedding = {embedding} WHERE artist_id = {id}");
    assert_moves(&store, &update, &[1]).await;
    let delete = format!("DELETE FROM style_embeddings WHERE artist_id = {id}");
    assert_moves(&store, &delete, &[1]).await;
    let again = insert("style_embeddings", &store.row("style_embeddings", 1));
    assert_moves(&store, &again, &[1]).await;
}

pub(crate) async fn a_row_moved_to_another_artist_moves_both(store: Store) {
    let store = given(store).await;
    let (one, two) = (store.id(1), store.id(2));

    for table in ["style_profiles", "style_embeddings"] {
        store.run(&format!("DELETE FROM {table} WHERE artist_id = {two}")).await;
        let sql = format!("UPDATE {table} SET artist_id = {two} WHERE artist_id = {one}");
        assert_moves(&store, &sql, &[1, 2]).await;
    }
}

pub(crate) async fn research_and_history_move_nothing(store: Store) {
    let store = given(store).await;

    for table in ["research_sources", "generation_history"] {
        assert_moves(&store, &insert(table, &store.row(table, 1)), &[]).await;
        assert_moves(&store, &format!("DELETE FROM {table}"), &[]).await;
    }
}

pub(crate) async fn a_version_set_by_hand_is_replaced(store: Store) {
    let store = given(store).await;
    let last = store.last_version().await;
    assert_eq!(store.version(2).await, last);

    let id = store.id(1);
    let (small, large) = (5.to_string(), (last + 1_000_000).to_string());
    let (same, other) = (store.version(1).await.to_string(), last.to_string());
    for version in [&small, "0", "-1", &same, &other, &large] {
        let sql = format!("UPDATE artists SET version = {version} WHERE id = {id}");
        assert_moves(&store, &sql, &[1]).await;
        assert!(store.version(1).await < last + 1000);
    }
    let sql = format!("UPDATE artists SET name = 'Both', version = {large} WHERE id = {id}");
    assert_moves(&store, &sql, &[1]).await;

    // A removal holds the last version.
    store.insert("artists", 3).await;
    store.run(&format!("DELETE FROM artists WHERE id = {}", store.id(3))).await;
    let removal = store.last_version().await;
    let sql = format!("UPDATE artists SET version = {removal} WHERE id = {id}");
    assert_moves(&store, &sql, &[1]).await;

    let mut row = store.row("artists", 4);
    row.push(("version", "7".to_owned()));
    store.run(&insert("artists", &row)).await;
    assert_eq!(store.version(4).await, store.last_version().await);

    store.run("UPDATE artists SET version = 12345").await;
    let versions: Vec<i64> = store.all("SELECT DISTINCT version FROM artists").await;
    assert_eq!(versions.len(), 3);
    assert!(versions.iter().all(|version| removal < *version && *version < last + 1000));
}

pub(crate) async fn a_removed_artist_leaves_its_key(store: Store) {
    let store = given(store).await;
    let last = store.last_version().await;
    assert_eq!(store.removal("artist 1").await, None);

    store.run(&format!("DELETE FROM artists WHERE id = {}", store.id(1))).await;

    assert!(last < store.removal("artist 1").await.unwrap());
    assert_eq!(store.version(2).await, last);

    store.run("DELETE FROM artists").await;
    assert!(store.removal("artist 1").await < store.removal("artist 2").await);
}

pub(crate) async fn a_renamed_artist_leaves_its_old_key_first(store: Store) {
    let store = given(store).await;
    let last = store.last_version().await;
    let id = store.id(1);

    for (old, new) in [("artist 1", "renamed"), ("renamed", "artist 1"), ("artist 1", "renamed")] {
        store.run(&format!("UPDATE artists SET name_key = '{new}' WHERE id = {id}")).await;
        let removal = store.removal(old).await.unwrap();
        assert!(last < removal);
        assert!(removal < store.version(1).await);
    }

    // One artist takes the key another left.
    let sql = format!("UPDATE artists SET name_key = 'artist 1' WHERE id = {}", store.id(2));
    store.run(&sql).await;
    assert!(store.removal("artist 1").await.unwrap() < store.version(2).await);
    assert!(store.removal("artist 2").await.unwrap() < store.version(2).await);

    // The same key is no new name.
    let before: i64 = store.one("SELECT count(*) FROM removed_artists").await;
    store.run("UPDATE artists SET name_key = name_key, name = name || '!'").await;
    let after: i64 = store.one("SELECT count(*) FROM removed_artists").await;
    assert_eq!(before, after);
}

pub(crate) async fn an_artist_made_again_is_newer_than_its_removal(store: Store) {
    let store = given(store).await;
    let mut last = store.last_version().await;

    for _ in 0..3 {
        store.run(&format!("DELETE FROM artists WHERE id = {}", store.id(1))).await;
        let removal = store.removal("artist 1").await.unwrap();
        assert!(last < removal);

        store.insert("artists", 1).await;
        let version = store.version(1).await;
        assert!(removal < version);
        assert_eq!(store.removal("artist 1").await, Some(removal));
        last = version;
    }
}

pub(crate) async fn statements_on_many_rows_give_each_its_own(store: Store) {
    let store = store.migrated().await;
    for table in ["artists", "style_profiles", "style_embeddings"] {
        let rows: Vec<String> = (1..=100)
            .map(|number| {
                let sql = insert(table, &store.row(table, number));
                sql[sql.find("VALUES").unwrap() + 6..].to_owned()
            })
            .collect();
        let columns: Vec<_> = store.row(table, 1).iter().map(|(column, _)| *column).collect();
        let columns = columns.join(", ");
        let sql = format!("INSERT INTO {table} ({columns}) VALUES {}", rows.join(", "));
        assert_all_move(&store, &sql).await;
    }

    assert_all_move(&store, "UPDATE style_profiles SET swing_percent = 60").await;
    assert_all_move(&store, "UPDATE artists SET sources_count = 1").await;
    assert_all_move(&store, "DELETE FROM style_embeddings").await;
    assert_all_move(&store, "DELETE FROM style_profiles").await;
    assert_all_move(&store, "UPDATE artists SET name_key = name_key || '!'").await;
    let last = store.last_version().await;
    store.run("DELETE FROM artists").await;
    let sql = format!("SELECT DISTINCT version FROM removed_artists WHERE version > {last}");
    assert_eq!(store.all::<i64>(&sql).await.len(), 100);
}

async fn assert_all_move(store: &Store, sql: &str) {
    let last = store.last_version().await;
    assert_eq!(store.run(sql).await, 100, "{sql}");
    let versions: Vec<i64> = store.all("SELECT version FROM artists").await;
    assert!(versions.iter().all(|version| last < *version), "{sql}");
    assert_eq!(versions.into_iter().collect::<BTreeSet<_>>().len(), 100, "{sql}");
}

pub(crate) async fn upserts_and_replacements_count(store: Store) {
    let store = given(store).await;

    for (table, key, change) in [
        ("artists", "name_key", "sources_count = 3"),
        ("style_profiles", "artist_id", "swing_percent = 61"),
        ("style_embeddings", "artist_id", "embedding = excluded.embedding"),
    ] {
        let sql = insert(table, &store.row(table, 1));
        assert_moves(&store, &format!("{sql} ON CONFLICT ({key}) DO UPDATE SET {change}"), &[1])
            .await;
    }

    if !store.is_postgres() {
        for table in ["style_profiles", "style_embeddings", "artists"] {
            let sql = insert(table, &store.row(table, 1)).replace("INSERT", "REPLACE");
            assert_moves(&store, &sql, &[1]).await;
        }
        // The conflict clause of the outer statement is not that of the trigger's.
        for policy in ["IGNORE", "REPLACE", "ABORT", "FAIL", "ROLLBACK"] {
            for (old, new) in [("artist 1", "renamed"), ("renamed", "artist 1")] {
                let id = store.id(1);
                let sql =
                    format!("UPDATE OR {policy} artists SET name_key = '{new}' WHERE id = {id}");
                assert_moves(&store, &sql, &[1]).await;
                assert!(store.removal(old).await.unwrap() < store.version(1).await, "{policy}");
            }
        }
    }
}

/// A long mixture of changes: whatever is done, the highest version visible never goes down, no
/// version is held twice, and none comes back.
pub(crate) async fn versions_are_never_repeated(store: Store) {
    let store = store.migrated().await;
    let mut seed = 12345_u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let mut appeared = BTreeSet::new();
    let mut holders = std::collections::BTreeMap::new();
    let mut last = 0;

    for step in 0..400 {
        let number = random(8) + 1;
        let (id, other) = (store.id(number), store.id(random(8) + 1));
        let sql = match random(10) {
            0 | 1 => insert("artists", &store.row("artists", number)),
            2 => insert("style_profiles", &store.row("style_profiles", number)),
            3 => insert("style_embeddings", &store.row("style_embeddings", number)),
            4 => format!("DELETE FROM artists WHERE id = {id}"),
            5 => format!("UPDATE artists SET name_key = 'key {}' WHERE id = {id}", random(8)),
            6 => format!("UPDATE artists SET version = {last} WHERE id = {id}"),
            7 => format!("UPDATE style_profiles SET artist_id = {other} WHERE artist_id = {id}"),
            8 => format!("DELETE FROM style_embeddings WHERE artist_id = {id}"),
            _ => format!("UPDATE artists SET sources_count = {step} WHERE id = {id}"),
        };
        // Many collide or lack an artist. A refused change is no change.
        let _refused = store.try_run(&sql).await.is_err();

        let artists: Vec<i64> = store.all("SELECT version FROM artists ORDER BY id").await;
        let removed: Vec<i64> =
            store.all("SELECT version FROM removed_artists ORDER BY name_key").await;
        let all: Vec<i64> = artists.into_iter().chain(removed).collect();
        let now: BTreeSet<i64> = all.iter().copied().collect();
        assert_eq!(all.len(), now.len(), "{sql}: a version is held twice");
        for version in &now {
            if appeared.insert(*version) {
                assert!(last < *version, "{sql}: {version} appeared after {last}");
            } else {
                let gone = holders.get(version).is_some_and(|until| *until + 1 < step);
                assert!(!gone, "{sql}: {version} came back");
            }
            holders.insert(*version, step);
        }
        last = last.max(now.last().copied().unwrap_or(0));
    }
    assert!(100 < appeared.len(), "{} versions", appeared.len());
}
