//! A service that was started with next to nothing.

use groovebase_tests::{
    given::body,
    http::{Request, artist},
    program::{Program, Serving, until},
};
use serde_json::Value;

async fn ask(serving: &Serving, status: u16, request: Request) -> anyhow::Result<Value> {
    let answer = serving.client().send(&request).await?;
    assert_eq!(answer.status, status, "{request}: {answer:?}");
    answer.json()
}

#[tokio::test]
async fn keeps_what_it_was_told_when_it_is_started_again() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = program.serve()?;
    let path = artist("AC/DC", "/profile");
    let saved = ask(&serving, 201, Request::put(&path, body::profile())).await?;
    serving.terminate()?;
    serving.ended()?;
    assert!(program.file("groovebase.db").is_file(), "the database of the default settings");

    let serving = program.serve()?;
    assert_eq!(ask(&serving, 200, Request::get(path)).await?, saved);
    assert_eq!(ask(&serving, 200, Request::get("/health")).await?["database"]["backend"], "sqlite");
    serving.terminate()?;
    serving.ended()?;
    Ok(())
}

#[tokio::test]
async fn logs_one_json_object_a_line() -> anyhow::Result<()> {
    let program = Program::new()?;
    let mut serving = program.serve()?;
    let secret = body::changed(body::profile(), "/text_description", "a secret".into())?;
    let routine = Request::get("/health/live").with("x-request-id", "routine");
    ask(&serving, 200, routine).await?;
    for (status, request) in [
        (201, Request::put(artist("Sigur Rós", "/profile"), secret)),
        (404, Request::get(artist("Nobody", ""))),
        (404, Request::get("/nowhere")),
    ] {
        ask(&serving, status, request.with("x-request-id", format!("id-{status}"))).await?;
        let line = serving.logged("Request answered")?;
        assert_eq!(line["span"]["request_id"], format!("id-{status}"), "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert!(line["method"].is_string() && line["route"].is_string(), "{line}");
        assert!(line["duration_us"].is_u64(), "{line}");
    }
    serving.terminate()?;
    let log = serving.ended()?;

    for line in &log {
        let line: Value = serde_json::from_str(line)?;
        for member in ["timestamp", "level", "message", "target"] {
            assert!(line[member].is_string(), "{line}");
        }
    }
    let log = log.join("\n");
    assert!(!log.contains("secret") && !log.contains("Sigur"), "{log}");
    assert!(!log.contains("routine"), "reads that went well are not told: {log}");
    assert!(log.contains("Stopped"), "{log}");
    Ok(())
}

#[tokio::test]
async fn is_asked_for_its_health_by_the_command() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = program.serve()?;
    let address = serving.address().to_string();

    // Once the catalog is complete.
    let ready = until("the service is ready", || {
        let asked = program.run(&["health", "--listen", &address])?;
        Ok((asked.code == Some(0)).then_some(asked))
    })?;
    assert_eq!(ready.output, "ready\n");
    serving.terminate()?;
    serving.ended()?;
    let gone = program.expect(1, &["health", "--listen", &address])?;
    assert!(gone.errors.contains(&address), "{gone:?}");
    Ok(())
}

#[tokio::test]
async fn says_which_address_is_taken() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = program.serve()?;
    let address = serving.address().to_string();

    let refused = program.expect(1, &["serve", "--listen", &address])?;

    assert!(refused.errors.contains(&format!("cannot listen on {address}")), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn takes_bodies_up_to_the_configured_limit() -> anyhow::Result<()> {
    let program = Program::new()?;
    std::fs::write(program.file(".env"), "GROOVEBASE_HTTP_BODY_LIMIT_BYTES=20\n")?;
    let serving = program.serve()?;

    ask(&serving, 201, Request::post("/api/v1/artists", r#"{"name": "12345678"}"#)).await?;
    let problem =
        ask(&serving, 413, Request::post("/api/v1/artists", r#"{"name": "123456789"}"#)).await?;

    assert_eq!(problem["message"], "a body has at most 20 bytes");
    Ok(())
}
