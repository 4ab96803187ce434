//! Who is let in, and where.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use api::{
    limits::{LimitSettings, RateSettings},
    state::StateSettings,
};
use cache::{Bounds, KeyHasher};
use domain::{
    Actor, Author, KeyLimits, KeyText, Label, NewApiKey, RequestId, Scope, Scopes, Timestamp,
};
use serde_json::{Value, json};

use super::{ARTISTS, ensure_same, take, take_time};
use crate::{
    document::operations,
    http::{Answer, Problem, Request},
    service::Service,
};

const KEYS: &str = "/api/v1/keys";
pub(super) const SECRET: &str = "an access secret that is long enough for tests";

/// No change takes that long to be known, on a slow machine either.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every route and what it needs, written down a second time: a route that is not here fails the tests, whatever the
/// service says of it.
const ROUTES: [(&str, &str, Option<Scope>); 29] = [
    ("get", "/api/v1/artists", Some(Scope::Read)),
    ("post", "/api/v1/artists", Some(Scope::Write)),
    ("get", "/api/v1/artists/{artist}", Some(Scope::Read)),
    ("delete", "/api/v1/artists/{artist}", Some(Scope::Write)),
    ("get", "/api/v1/artists/{artist}/profile", Some(Scope::Read)),
    ("put", "/api/v1/artists/{artist}/profile", Some(Scope::Write)),
    ("delete", "/api/v1/artists/{artist}/profile", Some(Scope::Write)),
    ("get", "/api/v1/artists/{artist}/sources", Some(Scope::Read)),
    ("post", "/api/v1/artists/{artist}/sources", Some(Scope::Write)),
    ("get", "/api/v1/artists/{artist}/history", Some(Scope::Read)),
    ("get", "/api/v1/similar/{artist}", Some(Scope::Read)),
    ("post", "/api/v1/similar", Some(Scope::Read)),
    ("post", "/api/v1/similar/batch", Some(Scope::Read)),
    ("post", "/api/v1/generations", Some(Scope::Generate)),
    ("get", "/api/v1/generations/{id}", Some(Scope::Read)),
    ("get", "/api/v1/stats", Some(Scope::Read)),
    ("get", "/api/v1/stats/series", Some(Scope::Read)),
    ("get", "/api/v1/keys", Some(Scope::Admin)),
    ("post", "/api/v1/keys", Some(Scope::Admin)),
    ("get", "/api/v1/keys/{id}", Some(Scope::Admin)),
    ("delete", "/api/v1/keys/{id}", Some(Scope::Admin)),
    ("post", "/api/v1/keys/{id}/rotate", Some(Scope::Admin)),
    ("get", "/api/v1/audit", Some(Scope::Admin)),
    ("get", "/health", Some(Scope::Read)),
    ("get", "/health/live", None),
    ("get", "/health/ready", None),
    ("get", "/metrics", Some(Scope::Read)),
    ("get", "/openapi.json", None),
    ("get", "/docs", None),
];

/// A service that asks for keys.
pub fn with_access(secret: &str) -> anyhow::Result<StateSettings> {
    let access = Some(KeyHasher::new(secret)?);
    // These tests present more bad keys from one address than anybody should.
    let rates = RateSettings { failed_per_second: 0, ..RateSettings::default() };
    let limits = LimitSettings { rates, ..LimitSettings::default() };
    Ok(StateSettings { access, limits, ..StateSettings::default() })
}

/// Asks again until the answer has this status.
pub async fn until(service: &Service, status: u16, request: &Request) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let answer = service.send(request).await?;
        if answer.status == status {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{request}: waited in vain for {status}: {answer:?}");
    }
}

async fn guarded(service: &Service) -> anyhow::Result<Service> {
    service.another(with_access(SECRET)?).await
}

/// A key that is in the store, made beside the service.
pub(super) async fn stored(
    service: &Service,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
) -> anyhow::Result<KeyText> {
    stored_with(service, scopes, expires_at, KeyLimits::default()).await
}

/// The same with limits of its own.
pub(super) async fn stored_with(
    service: &Service,
    scopes: &[Scope],
    expires_at: Option<Timestamp>,
    limits: KeyLimits,
) -> anyhow::Result<KeyText> {
    let fresh = KeyHasher::new(SECRET)?.fresh_key()?;
    let new = NewApiKey {
        public_id: fresh.text.public_id().clone(),
        hash: fresh.hash,
        name: Label::try_from("a key")?,
        scopes: Scopes::new(scopes.iter().copied())?,
        limits,
        expires_at,
    };
    let author = Author { actor: Actor::Command, request: RequestId::generate() };
    service.store().api_keys().insert(&new, &author).await?;
    Ok(fresh.text)
}

async fn revoked(service: &Service) -> anyhow::Result<KeyText> {
    let key = stored(service, &Scope::ALL, None).await?;
    let author = Author { actor: Actor::Command, request: RequestId::generate() };
    service.store().api_keys().revoke(key.public_id(), &author).await?;
    Ok(key)
}

pub(super) fn keyed(request: Request, key: &KeyText) -> Request {
    request.with("authorization", format!("Bearer {}", key.expose()))
}

/// A request of an operation that is let in or not, whatever becomes of it then.
fn request_of(method: &str, path: &str) -> anyhow::Result<Request> {
    let id =
        if path.contains("/keys/") { "zzzzzzzz" } else { "01890a5d-ac96-774b-bcce-b302099a8057" };
    let target = path.replace("{artist}", "Nobody").replace("{id}", id);
    ensure!(!target.contains('{'), "{target}");
    Ok(match method {
        "get" => Request::get(target),
        "delete" => Request::delete(target),
        "put" => Request::put(target, "{}"),
        "post" => Request::post(target, "{}"),
        other => anyhow::bail!("{other}"),
    })
}

/// Each route with no key, with each bad one, and with each scope alone.
pub async fn every_route_is_open_to_those_who_need_it(service: &Service) -> anyhow::Result<()> {
    let past = Some(Timestamp::from_unix_micros(1)?);
    let known = stored(service, &Scope::ALL, None).await?;
    let secret = |text: String| text.rsplit('_').next().map(str::to_owned).context("a secret");
    let other = KeyHasher::new(SECRET)?.fresh_key()?.text;
    let swapped = format!("{}_{}", known.public_id().prefix(), secret(other.expose())?);
    let bad = [
        (None, "key_missing"),
        (Some("gb_".to_owned()), "key_invalid"),
        (Some(other.expose()), "key_invalid"),
        (Some(swapped), "key_invalid"),
        (Some(revoked(service).await?.expose()), "key_revoked"),
        (Some(stored(service, &Scope::ALL, past).await?.expose()), "key_expired"),
    ];
    let mut scoped = Vec::new();
    for scope in Scope::ALL {
        scoped.push((scope, stored(service, &[scope], None).await?));
    }
    let guarded = guarded(service).await?;

    let found: BTreeSet<(&str, &str)> =
        operations().map(|operation| (operation.method, operation.path)).collect();
    let listed: BTreeSet<(&str, &str)> =
        ROUTES.into_iter().map(|(method, path, _)| (method, path)).collect();
    ensure!(found == listed, "{found:?}\n{listed:?}");
    for (method, path, need) in ROUTES {
        let mut texts = BTreeSet::new();
        for (key, code) in &bad {
            let request = request_of(method, path)?;
            let request = match key {
                Some(key) => request.with("x-api-key", key.clone()),
                None => request,
            };
            let answer = guarded.send(&request).await?;
            if need.is_none() {
                ensure!(!matches!(answer.status, 401 | 403), "{request}: {answer:?}");
                continue;
            }
            ensure!(answer.required("www-authenticate")? == "Bearer", "{answer:?}");
            let problem = Problem::read(answer, 401, code, &request)?;
            if *code == "key_invalid" {
                texts.insert(problem.message()?.to_owned());
            }
        }
        ensure!(texts.len() <= 1, "a stranger learns something: {texts:?}");
        for (scope, key) in &scoped {
            let request = keyed(request_of(method, path)?, key);
            let answer = guarded.send(&request).await?;
            let is_open = need.is_none_or(|need| *scope == need || *scope == Scope::Admin);
            if is_open {
                ensure!(!matches!(answer.status, 401 | 403), "{request}: {answer:?}");
            } else {
                let problem = Problem::read(answer, 403, "scope_missing", &request)?;
                let need = need.context("it needs something")?.as_str();
                ensure!(problem.message()?.contains(need), "{problem:?}");
            }
        }
    }
    guarded.stop().await;
    Ok(())
}

/// Not even that it is none, unless they have a key, whatever it opens.
pub async fn what_is_no_route_is_told_to_nobody(service: &Service) -> anyhow::Result<()> {
    let key = stored(service, &[Scope::Generate], None).await?;
    let guarded = guarded(service).await?;

    for (request, status, code) in [
        (Request::get("/"), 404, "route_not_found"),
        (Request::get("/api/v1/nothing"), 404, "route_not_found"),
        (Request::get("/health/live/"), 404, "route_not_found"),
        (Request::put("/api/v1/artists", "{}"), 405, "method_not_allowed"),
        (Request::new("OPTIONS", "/api/v1/artists"), 405, "method_not_allowed"),
        (Request::delete("/health/live"), 405, "method_not_allowed"),
    ] {
        Problem::read(guarded.send(&request).await?, 401, "key_missing", &request)?;
        let request = keyed(request, &key);
        Problem::read(guarded.send(&request).await?, status, code, &request)?;
    }
    let head = guarded.ask(401, Request::new("HEAD", ARTISTS)).await?;
    ensure!(head.required("www-authenticate")? == "Bearer");
    // What swagger loads is open, and a path that only looks like it is not.
    guarded.ask(200, Request::get("/docs/")).await?;
    guarded.ask(401, Request::get("/docsx")).await?;
    guarded.ask(401, Request::get("//health/live")).await?;
    guarded.ask(401, Request::get("/health%2Flive")).await?;
    guarded.stop().await;
    Ok(())
}

/// Nobody makes the service read what it will not take.
pub async fn a_stranger_is_refused_before_the_body(service: &Service) -> anyhow::Result<()> {
    let guarded = guarded(service).await?;

    // The body is announced and never sent, so whoever wants it waits.
    let request = Request::new("POST", ARTISTS)
        .with("content-type", "application/json")
        .with("content-length", "1000");
    let answer = guarded.send(&request).await?;

    Problem::read(answer, 401, "key_missing", &request)?;
    guarded.stop().await;
    Ok(())
}

/// A key is made over HTTP, shown in the one answer, and listed without its secret.
pub async fn a_key_is_shown_once(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let guarded = guarded(service).await?;
    let new = json!({
        "name": " ci ",
        "scopes": ["write", "read", "read"],
        "limits": {"burst": 7},
        "expires_at": "2099-01-01T00:00:00Z",
    });

    let answer = guarded.ask(201, keyed(Request::post(KEYS, new), &admin)).await?;

    ensure!(answer.required("cache-control")? == "no-store", "{answer:?}");
    let mut made = answer.json()?;
    let key: KeyText = take(&mut made, "key")?.as_str().context("a text")?.parse()?;
    let path = answer.required("location")?.to_owned();
    ensure!(path == format!("{KEYS}/{}", key.public_id()), "{path}");
    let shown = guarded.ask(200, keyed(Request::get(&path), &admin)).await?.json()?;
    ensure_same(&shown, &made)?;
    take_time(&mut made, "created_at")?;
    take(&mut made, "version")?;
    let expected = json!({
        "id": key.public_id().as_str(),
        "prefix": key.public_id().prefix(),
        "name": "ci",
        "scopes": ["read", "write"],
        "status": "active",
        "limits": {"requests_per_second": null, "burst": 7, "requests_per_hour": null},
        "expires_at": "2099-01-01T00:00:00Z",
        "revoked_at": null,
        "last_used_at": null,
    });
    ensure_same(&made, &expected)?;
    // It is good at once.
    guarded.ask(200, keyed(Request::get(ARTISTS), &key)).await?;

    let listed = guarded.ask(200, keyed(Request::get(KEYS), &admin)).await?;
    let secret = key.expose();
    let secret = secret.rsplit('_').next().context("a secret")?;
    ensure!(!listed.text()?.contains(secret), "{listed:?}");
    ensure!(listed.at("/keys/1/id")? == key.public_id().as_str(), "{listed:?}");
    let page = guarded.ask(200, keyed(Request::get(format!("{KEYS}?limit=1")), &admin)).await?;
    let cursor = page.at("/next_cursor")?;
    let rest = format!("{KEYS}?limit=1&cursor={}", cursor.as_str().context("more")?);
    let rest = guarded.ask(200, keyed(Request::get(rest), &admin)).await?;
    ensure!(rest.at("/keys/0/id")? == key.public_id().as_str(), "{rest:?}");
    ensure!(rest.at("/next_cursor")? == Value::Null, "{rest:?}");
    guarded.stop().await;
    Ok(())
}

/// What is wrong is named, and no key is made.
pub async fn bad_keys_are_refused(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let guarded = guarded(service).await?;
    let refuse = async |body: Value, named: &[(&str, &str)]| {
        let request = keyed(Request::post(KEYS, &body), &admin);
        let answer = guarded.send(&request).await?;
        Problem::read(answer, 400, "invalid_body", &request)?.names(named)
    };

    refuse(json!({}), &[("", "lacks the member 'name'"), ("", "lacks the member 'scopes'")])
        .await?;
    refuse(
        json!({"name": "", "scopes": [], "expires_at": "2001-01-01T00:00:00Z", "limits": {"burst": 0, "x": 1}, "y": 2}),
        &[
            ("/name", "must not be empty"),
            ("/scopes", "a key has at least one scope: read, write, generate or admin"),
            ("/limits/burst", "must be a whole number from 1 to 1000000000"),
            ("/limits/x", "is not a known member"),
            ("/expires_at", "must lie in the future"),
            ("/y", "is not a known member"),
        ],
    )
    .await?;
    refuse(
        json!({"name": "a", "scopes": ["read", "root", 7]}),
        &[
            ("/scopes/1", "a scope is read, write, generate or admin"),
            ("/scopes/2", "must be a string, not a number"),
        ],
    )
    .await?;
    for (request, status, code) in [
        (Request::get(format!("{KEYS}/short")), 400, "invalid_path"),
        (Request::get(format!("{KEYS}/zzzzzzzz")), 404, "key_not_found"),
        (Request::delete(format!("{KEYS}/zzzzzzzz")), 404, "key_not_found"),
        (Request::new("POST", format!("{KEYS}/zzzzzzzz/rotate")), 404, "key_not_found"),
        (
            Request::new("POST", format!("{KEYS}/zzzzzzzz/rotate?grace_seconds=-1")),
            400,
            "invalid_parameter",
        ),
    ] {
        let request = keyed(request, &admin);
        Problem::read(guarded.send(&request).await?, status, code, &request)?;
    }
    let listed = guarded.ask(200, keyed(Request::get(KEYS), &admin)).await?.json()?;
    ensure!(listed["keys"].as_array().is_some_and(|keys| keys.len() == 1), "{listed}");
    guarded.stop().await;
    Ok(())
}

/// Without a grace the old key opens nothing at once.
pub async fn a_rotated_key_goes_on_for_a_while(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let first = stored(service, &[Scope::Read], None).await?;
    let guarded = guarded(service).await?;
    let rotate = async |key: &KeyText, query: &str| {
        let target = format!("{KEYS}/{}/rotate{query}", key.public_id());
        let answer = guarded.ask(201, keyed(Request::new("POST", target), &admin)).await?;
        ensure!(answer.required("cache-control")? == "no-store", "{answer:?}");
        Ok(answer.at("/key")?.as_str().context("a text")?.parse::<KeyText>()?)
    };
    let ask = |key: &KeyText| keyed(Request::get(ARTISTS), key);

    let second = rotate(&first, "?grace_seconds=3600").await?;
    guarded.ask(200, ask(&first)).await?;
    guarded.ask(200, ask(&second)).await?;
    let third = rotate(&second, "").await?;
    let answer = guarded.ask(401, ask(&second)).await?;
    Problem::read(answer, 401, "key_expired", &ask(&second))?;
    guarded.ask(200, ask(&third)).await?;

    let again =
        keyed(Request::new("POST", format!("{KEYS}/{}/rotate", second.public_id())), &admin);
    Problem::read(guarded.send(&again).await?, 409, "conflict", &again)?;
    guarded.stop().await;
    Ok(())
}

/// The instance that revokes knows at once, every other one a moment later.
pub async fn a_revocation_is_known_everywhere(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let key = stored(service, &[Scope::Read], None).await?;
    let (here, there) = (guarded(service).await?, guarded(service).await?);
    let ask = || keyed(Request::get(ARTISTS), &key);
    here.ask(200, ask()).await?;
    there.ask(200, ask()).await?;

    let target = format!("{KEYS}/{}", key.public_id());
    here.ask(204, keyed(Request::delete(&target), &admin)).await?;
    let answer = here.ask(401, ask()).await?;
    Problem::read(answer, 401, "key_revoked", &ask())?;
    until(&there, 401, &ask()).await?;

    here.ask(204, keyed(Request::delete(&target), &admin)).await?;
    let shown = here.ask(200, keyed(Request::get(&target), &admin)).await?.json()?;
    ensure!(shown["status"] == "revoked" && shown["revoked_at"].is_string(), "{shown}");
    here.stop().await;
    there.stop().await;
    Ok(())
}

/// A key that one instance made opens every other one.
pub async fn a_new_key_is_known_everywhere(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let (here, there) = (guarded(service).await?, guarded(service).await?);

    let new = json!({"name": "a", "scopes": ["read"]});
    let answer = here.ask(201, keyed(Request::post(KEYS, new), &admin)).await?;
    let key: KeyText = answer.at("/key")?.as_str().context("a text")?.parse()?;

    here.ask(200, keyed(Request::get(ARTISTS), &key)).await?;
    until(&there, 200, &keyed(Request::get(ARTISTS), &key)).await?;
    here.stop().await;
    there.stop().await;
    Ok(())
}

/// At once where it happened, and in the store when the service ends. No version moves.
pub async fn the_last_use_is_noted(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let key = stored(service, &[Scope::Read], None).await?;
    let keys = service.store().api_keys();
    let before = keys.find(key.public_id()).await?.context("stored")?;
    let guarded = guarded(service).await?;
    let target = format!("{KEYS}/{}", key.public_id());
    let asked = service.store().now();

    guarded.ask(403, keyed(Request::delete(ARTISTS.to_owned() + "/Nobody"), &key)).await?;
    guarded.ask(200, keyed(Request::get(ARTISTS), &key)).await?;
    let shown = guarded.ask(200, keyed(Request::get(&target), &admin)).await?.json()?;
    guarded.stop().await;

    let shown: Timestamp = shown["last_used_at"].as_str().context("used")?.parse()?;
    let after = keys.find(key.public_id()).await?.context("stored")?;
    ensure!(asked <= shown && after.last_used_at == Some(shown), "{after:?} {shown}");
    ensure!(after.version == before.version && before.last_used_at.is_none(), "{after:?}");
    Ok(())
}

/// Who, what and for which request; what was refused leaves nothing.
pub async fn every_write_is_audited_with_its_key(service: &Service) -> anyhow::Result<()> {
    let admin = stored(service, &[Scope::Admin], None).await?;
    let key = stored(service, &[Scope::Write, Scope::Generate], None).await?;
    let guarded = guarded(service).await?;
    let path = crate::http::artist("J Dilla", "");
    let body = crate::given::body::profile();
    let generations = json!([crate::given::body::generation(), crate::given::body::generation()]);
    for (status, request) in [
        (201, Request::put(format!("{path}/profile"), &body)),
        (200, Request::put(format!("{path}/profile"), &body)),
        (400, Request::put(format!("{path}/profile"), "{}")),
        (201, Request::post(super::GENERATIONS, generations).with("idempotency-key", "k")),
        (200, Request::post(ARTISTS, json!({"name": "j dilla"}))),
        (204, Request::delete(&path)),
        (404, Request::delete(&path)),
    ] {
        let request = request.with("x-request-id", format!("request-{status}"));
        guarded.ask(status, keyed(request, &key)).await?;
    }

    let target = format!("/api/v1/audit?key={}", key.public_id());
    let log = guarded.ask(200, keyed(Request::get(&target), &admin)).await?.json()?;
    let records = log["records"].as_array().context("records")?;
    let told: Vec<(&str, &str)> = records
        .iter()
        .filter_map(|record| Some((record["action"].as_str()?, record["request_id"].as_str()?)))
        .collect();
    // The key itself was made beside the service.
    let expected = [
        ("artist.removed", "request-204"),
        ("generations.recorded", "request-201"),
        ("profile.saved", "request-200"),
        ("profile.saved", "request-201"),
    ];
    ensure!(told.get(..4) == Some(&expected[..]), "{told:?}");
    ensure!(told.get(4).is_some_and(|last| last.0 == "key.created") && told.len() == 5, "{told:?}");
    let actor = json!({"kind": "key", "key": key.public_id().as_str(), "name": "a key"});
    ensure!(records.iter().take(4).all(|record| record["actor"] == actor), "{log}");
    ensure!(records[0]["version_before"] == records[2]["version_after"], "{log}");
    ensure!(records[2]["version_before"] == records[3]["version_after"], "{log}");
    ensure!(records[3]["version_before"].is_null() && records[1]["count"] == 2, "{log}");
    let artist =
        guarded.ask(200, keyed(Request::get("/api/v1/audit?artist=J%20%20DILLA&limit=1"), &admin));
    ensure!(artist.await?.at("/records/0/action")? == "artist.removed");
    let bad = keyed(Request::get("/api/v1/audit?from=now&key=x"), &admin);
    Problem::read(guarded.send(&bad).await?, 400, "invalid_parameter", &bad)?;
    guarded.stop().await;
    Ok(())
}

/// How long ago the keys were known to be complete, and how many there are.
pub async fn what_is_known_of_keys_is_told(service: &Service) -> anyhow::Result<()> {
    let has = |text: &str, line: &str| text.lines().any(|found| found == line);
    let off = service.ask(200, Request::get("/metrics")).await?;
    ensure!(has(off.text()?, "groovebase_access_keys -1"), "{off:?}");
    ensure!(has(off.text()?, "groovebase_access_age_seconds -1.0"), "{off:?}");
    let key = stored(service, &[Scope::Read], None).await?;
    stored(service, &[Scope::Write], None).await?;
    revoked(service).await?;
    let guarded = guarded(service).await?;

    let becomes = async |state: &str| -> anyhow::Result<Answer> {
        let began = Instant::now();
        loop {
            let health = guarded.send(&keyed(Request::get("/health"), &key)).await?;
            if health.at("/access/state")? == state {
                return Ok(health);
            }
            ensure!(began.elapsed() < PATIENCE, "never {state}: {:?}", health.text());
        }
    };
    let health = becomes("ok").await?;
    let metrics = guarded.ask(200, keyed(Request::get("/metrics"), &key)).await?;

    let mut access = health.at("/access")?;
    let age = take(&mut access, "age_ms")?;
    ensure!(age.as_u64().is_some_and(|age| age < 60_000), "{age}");
    ensure_same(&access, &json!({"state": "ok", "keys": 3}))?;
    ensure!(health.at("/status")? == "ok", "{health:?}");
    let metrics = metrics.text()?;
    ensure!(has(metrics, "groovebase_access_keys 3"), "{metrics}");
    ensure!(has(metrics, "groovebase_access_failing 0"), "{metrics}");
    let age = metrics.lines().find_map(|it| it.strip_prefix("groovebase_access_age_seconds "));
    ensure!(0.0 < age.context("an age")?.parse::<f64>()?, "{metrics}");

    guarded.lose_database().await;
    ensure!(becomes("late").await?.status == 503);
    guarded.stop().await;
    Ok(())
}

/// Nobody has proved to be an admin. What there is can be seen and taken back all the same.
pub async fn while_access_is_off_no_key_is_made(service: &Service) -> anyhow::Result<()> {
    let key = stored(service, &[Scope::Read], None).await?;
    let target = format!("{KEYS}/{}", key.public_id());
    let new = json!({"name": "a", "scopes": ["admin"]});

    service.refuse(409, "access_off", Request::post(KEYS, new)).await?;
    service.refuse(409, "access_off", Request::new("POST", format!("{target}/rotate"))).await?;
    service.ask(200, Request::get(KEYS)).await?;
    service.ask(204, Request::delete(&target)).await?;
    let shown = service.ask(200, Request::get(target)).await?;
    ensure!(shown.at("/status")? == "revoked", "{shown:?}");
    // A key that nobody asks for does no harm.
    service.ask(200, keyed(Request::get(ARTISTS), &key)).await?;
    Ok(())
}

/// For as long as stale answers may be given, and no longer.
pub async fn keys_outlive_the_database_for_a_while(service: &Service) -> anyhow::Result<()> {
    let key = stored(service, &[Scope::Read], None).await?;
    let at = |max_stale_if_error| -> anyhow::Result<StateSettings> {
        let max_staleness = Duration::from_millis(50);
        let bounds = Bounds { max_staleness, max_stale_if_error };
        Ok(StateSettings { bounds, ..with_access(SECRET)? })
    };
    let long = service.another(at(Duration::from_hours(1))?).await?;
    let short = service.another(at(Duration::ZERO)?).await?;
    // It needs no database itself.
    let ask = || keyed(Request::get("/metrics"), &key);
    long.ask(200, ask()).await?;
    short.ask(200, ask()).await?;

    long.lose_database().await;
    short.lose_database().await;

    until(&short, 503, &ask()).await?;
    let answer = short.send(&ask()).await?;
    ensure!(answer.header("retry-after").is_some(), "{answer:?}");
    Problem::read(answer, 503, "database_unavailable", &ask())?;
    long.ask(200, ask()).await?;
    long.ask(401, Request::get("/metrics")).await?;
    short.ask(200, Request::get("/health/live")).await?;
    long.stop().await;
    short.stop().await;
    Ok(())
}
