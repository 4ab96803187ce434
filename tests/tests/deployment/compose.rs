//! `compose.yaml`: who may do what, with which secrets, and how little each container may.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::file;

fn compose() -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&file("compose.yaml")?)?)
}

fn services(compose: &Value) -> anyhow::Result<&serde_json::Map<String, Value>> {
    compose["services"].as_object().context("services")
}

/// Every `${…}` of the file: its name, and what follows the name.
fn variables(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split("${").skip(1))
        .filter_map(|rest| rest.split_once('}'))
        .map(|(inner, _)| {
            let end = inner
                .find(|letter: char| !letter.is_ascii_uppercase() && letter != '_')
                .unwrap_or(inner.len());
            inner.split_at(end)
        })
}

#[test]
fn no_secret_has_a_default() -> anyhow::Result<()> {
    let text = file("compose.yaml")?;
    let example = file(".env.example")?;
    let mut secrets = BTreeSet::new();

    for (name, otherwise) in variables(&text) {
        if name.ends_with("_PASSWORD") || name.ends_with("_SECRET") {
            ensure!(otherwise.starts_with(":?"), "{name} is not required: {otherwise}");
            secrets.insert(name);
        } else {
            ensure!(otherwise.starts_with(":-"), "{name}: {otherwise}");
        }
    }

    let left_empty: BTreeSet<_> =
        example.lines().filter_map(|line| line.strip_suffix('=')).collect();
    assert_eq!(secrets, left_empty, ".env.example has each of them, without a value");
    assert_eq!(secrets.len(), 6);
    // The service reads .env too, and refuses a setting that it does not know.
    ensure!(!example.lines().any(|line| line.starts_with("GROOVEBASE_")), "{example}");
    ensure!(file(".gitignore")?.lines().any(|line| line == "/.env"));
    ensure!(file(".dockerignore")?.lines().any(|line| line == ".env"));
    Ok(())
}

#[test]
fn each_step_has_the_role_that_it_needs_and_no_more() -> anyhow::Result<()> {
    let compose = compose()?;
    let roles: BTreeMap<_, _> = ["roles", "migrate", "groovebase"]
        .into_iter()
        .map(|name| {
            let url = compose["services"][name]["environment"]["GROOVEBASE_DATABASE_URL"]
                .as_str()
                .with_context(|| name.to_owned())?;
            let user = url.strip_prefix("postgres://").and_then(|rest| rest.split(':').next());
            Ok((name, user.context("a user")?))
        })
        .collect::<anyhow::Result<_>>()?;
    let service = &compose["services"]["groovebase"];
    let environment = &service["environment"];

    assert_eq!(
        roles,
        BTreeMap::from([
            ("roles", "postgres"),
            ("migrate", "groovebase_owner"),
            ("groovebase", "groovebase_app"),
        ])
    );
    let read = environment["GROOVEBASE_DATABASE_READ_URL"].as_str().context("a reader")?;
    ensure!(read.starts_with("postgres://groovebase_readonly:"), "{read}");
    let redis = environment["GROOVEBASE_REDIS_URL"].as_str().context("a Redis")?;
    ensure!(redis.starts_with("redis://groovebase:"), "{redis}");
    assert_eq!(environment["GROOVEBASE_ACCESS"], "on");
    let after = |name: &str, before: &str| {
        compose["services"][name]["depends_on"][before]["condition"].clone()
    };
    assert_eq!(after("roles", "postgres"), "service_healthy");
    assert_eq!(after("migrate", "roles"), "service_completed_successfully");
    assert_eq!(after("groovebase", "migrate"), "service_completed_successfully");
    assert_eq!(after("groovebase", "redis"), "service_started");
    Ok(())
}

#[test]
fn no_container_may_do_more_than_it_has_to() -> anyhow::Result<()> {
    let compose = compose()?;
    for (name, service) in services(&compose)? {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        let user = service["user"].as_str().with_context(|| name.clone())?;
        ensure!(user.split(':').next().is_some_and(|id| id != "0"), "{name} runs as {user}");
        for limit in ["cpus", "memory", "pids"] {
            let limits = &service["deploy"]["resources"]["limits"];
            ensure!(!limits[limit].is_null(), "{name} has no limit of {limit}");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().context("text")?;
            ensure!(port.starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
        let is_inside = service["networks"].as_array().is_some_and(|all| all == &[json!("inside")]);
        let serves = ["groovebase", "prometheus", "grafana"].contains(&name.as_str());
        ensure!(is_inside != serves, "{name}: {}", service["networks"]);
    }
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    for name in ["postgres", "redis", "groovebase"] {
        let test = &compose["services"][name]["healthcheck"]["test"];
        ensure!(test.is_array(), "{name} tells nobody how it is");
    }
    // As the image has it.
    let image = file("Dockerfile")?;
    let user = compose["services"]["groovebase"]["user"].as_str().context("a user")?;
    ensure!(image.lines().any(|line| line == format!("USER {user}")), "{image}");
    ensure!(image.contains("\nHEALTHCHECK "));
    Ok(())
}

#[test]
fn redis_has_one_user_and_an_end() -> anyhow::Result<()> {
    let compose = compose()?;
    let settings = file("docs/redis/redis.conf")?;
    let users = file("docs/redis/users.acl")?;
    let documented = file("docs/caching.md")?;

    for setting in ["maxmemory 256mb", "maxmemory-policy allkeys-lru", "appendonly yes"] {
        ensure!(settings.lines().any(|line| line == setting), "{setting}");
    }
    ensure!(settings.lines().any(|line| line.starts_with("save ")), "{settings}");
    ensure!(settings.lines().any(|line| line == "aclfile /run/redis/users.acl"));
    let lines: Vec<_> = users.lines().collect();
    let [default, ours] = lines.as_slice() else { anyhow::bail!("{users}") };
    ensure!(default.starts_with("user default off "), "{default}");
    let rights = ours.strip_prefix("user groovebase on #PASSWORD_SHA256 ").context("its user")?;
    ensure!(documented.contains(&format!("ACL SETUSER groovebase on >PASSWORD {rights}\n")));
    let redis = &compose["services"]["redis"];
    assert_eq!(redis["command"], json!(["sh", "/etc/groovebase/start"]));
    assert_eq!(redis["volumes"], json!(["redis:/data", "./docs/redis:/etc/groovebase:ro"]));
    Ok(())
}

#[test]
fn prometheus_has_a_key_from_a_file() -> anyhow::Result<()> {
    let compose = compose()?;
    let prometheus: Value = serde_saphyr::from_str(&file("docs/prometheus/prometheus.yml")?)?;

    let asks = &prometheus["scrape_configs"][0]["authorization"];
    assert_eq!(asks["credentials_file"], "/run/secrets/metrics_key");
    assert_eq!(compose["services"]["prometheus"]["secrets"], json!(["metrics_key"]));
    let kept = compose["secrets"]["metrics_key"]["file"].as_str().context("a file")?;
    ensure!(kept.contains(".secrets/"), "{kept}");
    ensure!(file(".gitignore")?.lines().any(|line| line == "/.secrets"));
    ensure!(file(".dockerignore")?.lines().any(|line| line == ".secrets"));
    Ok(())
}
