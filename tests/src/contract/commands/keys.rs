//! Keys at the command line.

use anyhow::{Context, ensure};
use api::{
    command::Command,
    config::{CommandLine, Surroundings},
};
use serde_json::Value;

use crate::{fixture::Fixture, http::Request, service::Service};

const SECRET: &str = "an access secret that is long enough for tests";

/// What a command said: the result, and the rest.
async fn said(fixture: &impl Fixture, arguments: &[&str]) -> anyhow::Result<(String, String)> {
    let folder = tempfile::tempdir()?;
    let start = ["groovebase", "--database-url", fixture.url(), "--access-secret", SECRET, "keys"];
    let arguments = start.iter().chain(arguments).map(Into::into).collect();
    let surroundings =
        Surroundings { arguments, environment: Vec::new(), folder: folder.path().to_owned() };
    let CommandLine { settings, command } = surroundings.command_line()?;
    let Some(Command::Keys(keys)) = command else { anyhow::bail!("another command") };
    let (mut output, mut notices) = (Vec::new(), Vec::new());
    keys.run(&settings, &mut output, &mut notices).await?;
    Ok((String::from_utf8(output)?, String::from_utf8(notices)?))
}

/// The id of a key.
fn id_of(key: &str) -> anyhow::Result<&str> {
    key.split('_').nth(1).with_context(|| format!("{key} is no key"))
}

/// A key stands alone on standard output, opens what it was made for, and is shown by nothing else.
pub async fn keys_are_made_listed_rotated_and_revoked(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let create = ["create", "--name", "ci", "--scope", "write", "--scope", "read"];
    let limits = ["--expires-in", "90d", "--requests-per-second", "5", "--burst", "9"];
    let (key, notice) = said(fixture, &[&create[..], &limits[..]].concat()).await?;
    let key = key.strip_suffix('\n').context("a line")?;
    ensure!(key.starts_with("gb_") && !key.contains(char::is_whitespace), "{key}");
    ensure!(notice.contains("'ci' with read,write") && !notice.contains(key), "{notice}");

    let settings = crate::contract::http::access::with_access(SECRET)?;
    let service = Service::start_at(fixture.url(), settings).await?;
    let ask = |key: &str| Request::get("/api/v1/artists").with("x-api-key", key);
    service.ask(200, ask(key)).await?;

    let (rotated, _) =
        said(fixture, &["rotate", id_of(key)?, "--grace", "1h", "--format", "json"]).await?;
    let rotated: Value = serde_json::from_str(&rotated)?;
    let new = rotated.get("key").and_then(Value::as_str).context("a key")?;
    let (revoked, _) = said(fixture, &["revoke", &format!("gb_{}", id_of(key)?)]).await?;
    ensure!(revoked == format!("revoked gb_{}\n", id_of(key)?), "{revoked}");

    // The instance that runs beside hears of it all.
    crate::contract::http::access::until(&service, 200, &ask(new)).await?;
    crate::contract::http::access::until(&service, 401, &ask(key)).await?;
    service.stop().await;
    let (listed, _) = said(fixture, &["list"]).await?;
    ensure!(listed.lines().count() == 2 && listed.contains("revoked"), "{listed}");
    ensure!(!listed.contains(key) && !listed.contains(new), "{listed}");
    let (listed, _) = said(fixture, &["list", "--format", "json"]).await?;
    let listed: Value = serde_json::from_str(&listed)?;
    let limits = listed.pointer("/keys/1/limits").context("limits")?;
    ensure!(
        *limits
            == serde_json::json!({"requests_per_second": 5, "burst": 9, "requests_per_hour": null}),
        "{limits}"
    );
    ensure!(listed.pointer("/keys/1/scopes") == Some(&serde_json::json!(["read", "write"])));
    Ok(())
}

/// And what was wrong with the command line is named, but no key is repeated.
pub async fn what_cannot_be_done_with_keys_is_said(fixture: &impl Fixture) -> anyhow::Result<()> {
    let (key, _) = said(fixture, &["create", "--name", "a", "--scope", "admin"]).await?;
    let key = key.trim_end();
    said(fixture, &["revoke", id_of(key)?]).await?;

    for (arguments, told) in [
        (vec!["rotate", id_of(key)?], "has expired or was revoked"),
        (vec!["revoke", "zzzzzzzz"], "there is no key gb_zzzzzzzz"),
        (vec!["rotate", "gb_zzzzzzzz"], "there is no key gb_zzzzzzzz"),
        (vec!["create", "--name", "a"], "--scope"),
        (vec!["create", "--name", " ", "--scope", "read"], "must not be empty"),
        (vec!["create", "--name", "a", "--scope", "root"], "read, write, generate or admin"),
        (vec!["create", "--name", "a", "--scope", "read", "--expires-in", "1w"], "such as 90d"),
        (vec!["create", "--name", "a", "--scope", "read", "--burst", "0"], "from 1 to"),
    ] {
        let refused = said(fixture, &arguments).await.err().context("refused")?;
        let refused = format!("{refused:#}");
        ensure!(refused.contains(told), "{arguments:?}: {refused}");
    }
    let (listed, _) = said(fixture, &["list"]).await?;
    ensure!(listed.lines().count() == 1, "{listed}");
    Ok(())
}
