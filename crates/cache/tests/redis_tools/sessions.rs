//! Sessions, hot and persistent.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deadpool_redis::redis::cmd;
use groovebase_cache::{
    InvalidKey, InvalidSessionLifetimes, MAX_SESSION_BYTES, Redis, SessionError, Sessions,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::given::{
    Server, eventually, lasting, login_and_address, namespace, nowhere, server_and_cluster,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Visit {
    user: String,
    pages: Vec<u32>,
}

fn visit(user: &str) -> Visit {
    Visit { user: user.to_owned(), pages: vec![1, 2, 3] }
}

fn sessions(redis: Redis) -> Sessions<Visit> {
    Sessions::new(redis, namespace("web"))
}

/// The hot and the persistent key of the session `id`.
fn keys(server: &Server) -> (String, String) {
    (server.key("session:web:{id}:hot"), server.key("session:web:{id}"))
}

#[tokio::test]
async fn are_saved_loaded_and_removed() {
    for redis in server_and_cluster() {
        let sessions = sessions(redis);
        for id in ["a", "}", "{}", "a{b}c", "}{", "100%", "%7D", "坂本 龍一", &"i".repeat(512)]
        {
            assert_eq!(sessions.load(id).await.unwrap(), None, "{id}");
            sessions.save(id, &visit(id)).await.unwrap();
            assert_eq!(sessions.load(id).await.unwrap(), Some(visit(id)), "{id}");
            assert!(sessions.touch(id).await.unwrap(), "{id}");
            assert!(sessions.remove(id).await.unwrap(), "{id}");
            assert_eq!(sessions.load(id).await.unwrap(), None, "{id}");
            assert!(!sessions.remove(id).await.unwrap(), "{id}");
        }
    }
}

#[tokio::test]
async fn identities_that_look_alike_are_apart() {
    let sessions = sessions(Server::open().await.redis());
    sessions.save("}", &visit("brace")).await.unwrap();
    sessions.save("%7D", &visit("escaped")).await.unwrap();

    assert_eq!(sessions.load("}").await.unwrap(), Some(visit("brace")));
    assert_eq!(sessions.load("%7D").await.unwrap(), Some(visit("escaped")));
}

#[tokio::test]
async fn are_hot_for_half_an_hour_and_kept_for_a_week() {
    let server = Server::open().await;
    let (hot, persistent) = keys(&server);

    sessions(server.redis()).save("id", &visit("a")).await.unwrap();

    let (hot, persistent) = (server.expires_in(&hot).await, server.expires_in(&persistent).await);
    assert!((1_700_000..=1_800_000).contains(&hot), "{hot}");
    assert!((604_700_000..=604_800_000).contains(&persistent), "{persistent}");
}

#[tokio::test]
async fn nothing_is_lost_when_the_hot_key_expires() {
    for redis in server_and_cluster() {
        let sessions = sessions(redis)
            .with_lifetimes(lasting(Duration::from_millis(20)), lasting(Duration::from_hours(1)))
            .unwrap();
        sessions.save("id", &visit("a")).await.unwrap();

        // Several times as long as it is hot, so that most of these reads find it cold.
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(15)).await;
            assert_eq!(sessions.load("id").await.unwrap(), Some(visit("a")));
        }
    }
}

#[tokio::test]
async fn a_read_restores_the_hot_key_and_renews_the_persistent_one() {
    let server = Server::open().await;
    let ((hot, persistent), sessions) = (keys(&server), sessions(server.redis()));
    sessions.save("id", &visit("a")).await.unwrap();
    server.set_expiry(&persistent, 60_000).await;
    server.set_expiry(&hot, 1).await;
    eventually("the hot key expires", async || server.expires_in(&hot).await == -2).await;

    let loaded = sessions.load("id").await.unwrap();

    assert_eq!(loaded, Some(visit("a")));
    assert!(1_700_000 < server.expires_in(&hot).await);
    assert!(604_700_000 < server.expires_in(&persistent).await);
}

#[tokio::test]
async fn a_read_of_a_hot_session_writes_nothing() {
    let server = Server::open().await;
    let ((hot, persistent), sessions) = (keys(&server), sessions(server.redis()));
    sessions.save("id", &visit("a")).await.unwrap();
    server.set_expiry(&hot, 50_000).await;
    server.set_expiry(&persistent, 60_000).await;

    sessions.load("id").await.unwrap();

    assert!(server.expires_in(&hot).await <= 50_000);
    assert!(server.expires_in(&persistent).await <= 60_000);
}

#[tokio::test]
async fn a_read_restores_a_persistent_key_that_was_evicted() {
    let server = Server::open().await;
    let ((_, persistent), sessions) = (keys(&server), sessions(server.redis()));
    sessions.save("id", &visit("a")).await.unwrap();
    server.remove(&persistent).await;

    sessions.load("id").await.unwrap();

    assert!(604_700_000 < server.expires_in(&persistent).await);
}

#[tokio::test]
async fn a_session_that_cannot_become_hot_is_read_all_the_same() {
    let server = Server::open().await;
    let ((hot, _), sessions) = (keys(&server), sessions(server.redis()));
    sessions.save("id", &visit("a")).await.unwrap();
    server.remove(&hot).await;
    let user = format!("reader-{}", server.key("").trim_end_matches(':'));
    let mut rights = cmd("ACL");
    rights.arg("SETUSER").arg(&user).arg(&["on", ">secret", "~*", "+@all", "-set"]);
    server.ask::<()>(&rights).await;
    let (_, address) = login_and_address();
    let reader = server.redis_at(&format!("redis://{user}:secret@{address}"));

    let loaded = self::sessions(reader).load("id").await.unwrap();

    assert_eq!(loaded, Some(visit("a")));
    assert_eq!(server.expires_in(&hot).await, -2);
}

#[tokio::test]
async fn touching_renews_both_keys() {
    let server = Server::open().await;
    let ((hot, persistent), sessions) = (keys(&server), sessions(server.redis()));
    sessions.save("id", &visit("a")).await.unwrap();
    server.set_expiry(&persistent, 60_000).await;
    server.remove(&hot).await;

    assert!(sessions.touch("id").await.unwrap());
    assert!(!sessions.touch("nobody").await.unwrap());

    assert!(1_700_000 < server.expires_in(&hot).await);
    assert!(604_700_000 < server.expires_in(&persistent).await);
}

#[tokio::test]
async fn a_removal_leaves_neither_key() {
    let server = Server::open().await;
    let ((hot, persistent), sessions) = (keys(&server), sessions(server.redis()));
    sessions.save("id", &visit("a")).await.unwrap();

    assert!(sessions.remove("id").await.unwrap());

    assert_eq!((server.expires_in(&hot).await, server.expires_in(&persistent).await), (-2, -2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_bring_a_removed_session_back() {
    let server = Server::open().await;
    let (hot, persistent) = keys(&server);
    // So short that most reads find the session cold.
    let sessions = sessions(server.redis())
        .with_lifetimes(lasting(Duration::from_millis(1)), lasting(Duration::from_hours(1)))
        .unwrap();
    let sessions = Arc::new(sessions);
    for _ in 0..100 {
        sessions.save("id", &visit("a")).await.unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let mut readers = JoinSet::new();
        for _ in 0..4 {
            let (sessions, reads) = (Arc::clone(&sessions), Arc::clone(&reads));
            readers.spawn(async move {
                // Bounded, because a session that came back would be read for ever.
                for _ in 0..1_000 {
                    if sessions.load("id").await.unwrap().is_none() {
                        break;
                    }
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eventually("it is being read", async || 20 <= reads.load(Ordering::Relaxed)).await;

        sessions.remove("id").await.unwrap();
        readers.join_all().await;

        assert_eq!((server.expires_in(&hot).await, server.expires_in(&persistent).await), (-2, -2));
    }
}

#[tokio::test]
async fn an_update_changes_what_is_there_and_makes_nothing() {
    let server = Server::open().await;
    let ((hot, _), sessions) = (keys(&server), sessions(server.redis()));

    assert!(!sessions.update("id", &visit("a")).await.unwrap());
    assert_eq!(sessions.load("id").await.unwrap(), None);
    sessions.save("id", &visit("b")).await.unwrap();
    server.remove(&hot).await;
    assert!(sessions.update("id", &visit("c")).await.unwrap());
    assert_eq!(sessions.load("id").await.unwrap(), Some(visit("c")));
}

#[tokio::test]
async fn refuses_what_is_too_large_and_keeps_what_was_there() {
    let sessions = sessions(Server::open().await.redis());
    sessions.save("id", &visit("a")).await.unwrap();
    let large = visit(&"x".repeat(MAX_SESSION_BYTES));

    let refused = sessions.save("id", &large).await;

    let Err(SessionError::TooLarge { bytes }) = refused else { panic!("got {refused:?}") };
    assert!(MAX_SESSION_BYTES < bytes);
    assert_eq!(sessions.load("id").await.unwrap(), Some(visit("a")));
}

#[tokio::test]
async fn refuses_a_value_that_is_no_json() {
    let server = Server::open().await;
    let sessions: Sessions<HashMap<Vec<u8>, u8>> = Sessions::new(server.redis(), namespace("web"));

    let refused = sessions.save("id", &HashMap::from([(vec![1], 1)])).await;

    assert!(matches!(refused, Err(SessionError::Unwritable(_))), "got {refused:?}");
}

#[tokio::test]
async fn tells_what_is_no_such_session() {
    let server = Server::open().await;
    let sessions = sessions(server.redis());
    server.ask::<()>(cmd("SET").arg(keys(&server).0).arg(r#"{"user":1}"#)).await;

    let refused = sessions.load("id").await;

    assert!(matches!(refused, Err(SessionError::Unreadable(_))), "got {refused:?}");
    assert!(sessions.remove("id").await.unwrap());
}

#[tokio::test]
async fn says_when_redis_is_away() {
    let sessions = sessions(nowhere().await);

    assert!(matches!(sessions.save("a", &visit("a")).await, Err(SessionError::Redis(_))));
    assert!(matches!(sessions.update("a", &visit("a")).await, Err(SessionError::Redis(_))));
    assert!(matches!(sessions.load("a").await, Err(SessionError::Redis(_))));
    assert!(matches!(sessions.touch("a").await, Err(SessionError::Redis(_))));
    assert!(matches!(sessions.remove("a").await, Err(SessionError::Redis(_))));
}

#[tokio::test]
async fn refuses_identities_and_lifetimes_that_are_none() {
    let sessions = sessions(nowhere().await);
    let long = "i".repeat(513);
    let hour = lasting(Duration::from_hours(1));

    assert!(matches!(sessions.load("").await, Err(SessionError::Key(InvalidKey::Empty))));
    assert!(matches!(
        sessions.touch(&long).await,
        Err(SessionError::Key(InvalidKey::TooLong { .. }))
    ));
    assert_eq!(sessions.with_lifetimes(hour, hour).err(), Some(InvalidSessionLifetimes));
}
