//! A master that sentinels know.

use groovebase_cache::{Redis, RedisAway, RedisStyleProfiles, RedisTrouble, SharedProfiles as _};

use crate::{
    given::{profile, settings, url},
    stand_in::{Parrot, free_port, host_and_port},
};

/// A sentinel that wants a login of its own and knows the Redis as `main`.
async fn sentinel() -> Parrot {
    let (host, port) = host_and_port(&url()).rsplit_once(':').map(owned).unwrap();
    Parrot::saying(move |command| match command {
        [auth, user, password] if auth == "AUTH" && user == "watch" && password == "man" => {
            "+OK\r\n".to_owned()
        }
        [sentinel, masters] if sentinel == "SENTINEL" && masters == "MASTERS" => {
            let master = ["name", "main", "ip", &host, "port", &port, "flags", "master"];
            let words = master.map(|word| format!("${}\r\n{word}\r\n", word.len()));
            format!("*1\r\n*8\r\n{}", words.concat())
        }
        [role] if role == "ROLE" => "*2\r\n$8\r\nsentinel\r\n*1\r\n$4\r\nmain\r\n".to_owned(),
        _ => "-ERR not for sentinels\r\n".to_owned(),
    })
    .await
}

fn owned((host, port): (&str, &str)) -> (String, String) {
    (host.to_owned(), port.to_owned())
}

/// The address by way of these sentinels, with the login of the Redis itself.
fn address(sentinels: &str, master: &str) -> String {
    let (login, _) = url().rsplit_once('@').map(owned).unwrap();
    let login = login.replace("redis://", "redis+sentinel://");
    format!("{login}@{sentinels}/{master}/0?sentinel_user=watch&sentinel_password=man")
}

#[tokio::test]
async fn the_master_is_found_by_whichever_sentinel_answers() {
    let sentinel = sentinel().await;
    let sentinels = format!("127.0.0.1:{},127.0.0.1:{}", free_port().await, sentinel.port);
    let redis = Redis::open(&settings(&address(&sentinels, "main"))).unwrap();
    let tier = RedisStyleProfiles::new(redis);
    let profile = profile("J Dilla", 1);

    tier.put(&profile).await;

    assert_eq!(tier.find(profile.artist.key(), profile.version).await, Some(profile));
}

#[tokio::test]
async fn a_master_that_no_sentinel_knows_is_down() {
    let sentinel = sentinel().await;
    let sentinels = format!("127.0.0.1:{}", sentinel.port);
    let redis = Redis::open(&settings(&address(&sentinels, "other"))).unwrap();

    let refused = redis.ping().await;

    assert_eq!(refused, Err(RedisAway::Failed(RedisTrouble::ClusterDown)));
}
