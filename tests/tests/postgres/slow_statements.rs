//! Statements that take long on a server.

use groovebase_tests::{
    fixture::{self, Fixture, Postgres},
    given::body,
    http::{Request, artist},
    program::{Program, Serving},
};

/// Whoever makes an artist waits longer than the usual threshold.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
     AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT ON artists FOR EACH STATEMENT EXECUTE FUNCTION slow()";

#[tokio::test]
async fn are_told_with_their_plan_and_run_once() -> anyhow::Result<()> {
    let (fixture, program) = (Postgres::open().await?, Program::new()?);
    fixture::by_hand(fixture.url(), SLOW).await?;
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("GROOVEBASE_DATABASE_URL", fixture.url());
    let mut serving = Serving::start(command)?;

    let request = Request::put(artist("J Dilla", "/profile"), body::profile());
    let saved = serving.client().send(&request.with("x-request-id", "slow-one")).await?;
    assert_eq!(saved.status, 201, "{saved:?}");
    let told = serving.logged("Slow statement")?;
    let explained = serving.logged("Plan of a slow statement")?;

    assert_eq!(told["level"], "WARN", "{told}");
    assert_eq!((&told["operation"], &told["table"]), (&"save".into(), &"style_profiles".into()));
    assert!(told["duration_ms"].as_u64().is_some_and(|took| 600 <= took), "{told}");
    assert_eq!(told["span"]["request_id"], "slow-one", "{told}");
    let statement = told["statement"].as_str().unwrap_or_default();
    assert!(statement.contains("INSERT INTO artists"), "{told}");
    assert_eq!(explained["statement"], statement);
    let plan = explained["plan"].as_str().unwrap_or_default();
    assert!(plan.contains("Insert on artists"), "{explained}");
    let read = serving.client().send(&Request::get(artist("J Dilla", ""))).await?;
    assert_eq!(read.status, 200, "{read:?}");

    serving.terminate()?;
    let log = serving.ended()?.join("\n");
    assert_eq!(log.matches("\"Slow statement\"").count(), 1, "{log}");
    assert!(!log.contains("Dilla"), "{log}");
    fixture.close().await
}
