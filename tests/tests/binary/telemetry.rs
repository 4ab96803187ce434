//! What the service tells of itself: its log file, its traces, and what answers took.

use std::{collections::BTreeSet, fs, net::TcpListener, process::Command};

use anyhow::Context;
use groovebase_tests::{
    collector::{Collector, SentSpan},
    given::body,
    http::{Answer, Request, artist},
    program::{Program, Serving, run},
};
use serde_json::Value;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const TRACEPARENT: &str = "traceparent";

fn command(program: &Program, settings: &[(&str, &str)]) -> Command {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(settings.iter().copied());
    command
}

fn profile() -> String {
    artist("J Dilla", "/profile")
}

async fn ask(serving: &Serving, request: Request) -> anyhow::Result<Answer> {
    serving.client().send(&request).await
}

fn ended(serving: Serving) -> anyhow::Result<Vec<Value>> {
    serving.terminate()?;
    serving.ended()?.iter().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn attribute<'span>(span: &'span SentSpan, name: &str) -> Option<&'span str> {
    span.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_request_is_part_of_its_caller_s_trace() -> anyhow::Result<()> {
    let (program, collector) = (Program::new()?, Collector::start()?);
    let endpoint = collector.endpoint();
    let serving = Serving::start(command(&program, &[("GROOVEBASE_OTLP_ENDPOINT", &endpoint)]))?;

    let given = format!("00-{TRACE}-{CALLER}-01");
    let request = Request::put(profile(), body::profile()).with(TRACEPARENT, &given);
    let saved = ask(&serving, request).await?;
    let log = ended(serving)?;

    let spans = collector.spans();
    let ours: Vec<_> = spans.iter().filter(|span| span.trace == TRACE).collect();
    let server = ours.iter().find(|span| span.kind == 2).context("the request's span")?;
    assert_eq!(server.name, "PUT /api/v1/artists/{artist}/profile");
    assert_eq!(server.parent, CALLER);
    for (name, value) in [
        ("http.request.method", "PUT"),
        ("http.route", "/api/v1/artists/{artist}/profile"),
        ("http.response.status_code", "201"),
    ] {
        assert_eq!(attribute(server, name), Some(value), "{server:?}");
    }
    let save = ours.iter().find(|span| span.name == "save style_profiles").context("its work")?;
    assert_eq!((save.parent.as_str(), save.kind), (server.id.as_str(), 3));
    assert_eq!(attribute(save, "db.system.name"), Some("sqlite"));
    assert_eq!(saved.required(TRACEPARENT)?, format!("00-{TRACE}-{}-01", server.id));
    let line = log.iter().find(|line| line["message"] == "Request answered").context("its line")?;
    assert_eq!(line["span"]["trace_id"], TRACE, "{line}");
    // The change feed and whatever else goes on by itself is no trace.
    assert!(spans.iter().all(|span| span.kind == 2 || !span.parent.is_empty()), "{spans:?}");
    assert!(!format!("{spans:?}").contains("Dilla"), "{spans:?}");
    Ok(())
}

#[tokio::test]
async fn a_malformed_traceparent_is_none() -> anyhow::Result<()> {
    let (program, collector) = (Program::new()?, Collector::start()?);
    let endpoint = collector.endpoint();
    let serving = Serving::start(command(&program, &[("GROOVEBASE_OTLP_ENDPOINT", &endpoint)]))?;

    let mut traces = BTreeSet::new();
    let zero = "0".repeat(32);
    for malformed in [
        String::new(),
        "nonsense".to_owned(),
        format!("00-{zero}-{CALLER}-01"),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("ff-{TRACE}-{CALLER}-01"),
        format!("00-{}-{CALLER}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{CALLER}"),
        format!("00-{TRACE}-{CALLER}-01-more"),
    ] {
        let request = Request::get("/health/live").with(TRACEPARENT, &malformed);
        let answer = ask(&serving, request).await?;
        assert_eq!(answer.status, 200, "{malformed:?}");
        let made = answer.required(TRACEPARENT)?;
        assert!(made.len() == 55 && made.ends_with("-01"), "{malformed:?}: {made}");
        assert!(!made.contains(TRACE) && !made.contains(&zero), "{malformed:?}: {made}");
        traces.insert(made[3..35].to_owned());
    }
    ended(serving)?;

    assert_eq!(traces.len(), 8, "each is a trace of its own");
    let sent: BTreeSet<_> = collector.spans().into_iter().map(|span| span.trace).collect();
    assert_eq!(sent, traces);
    Ok(())
}

#[tokio::test]
async fn who_is_not_in_the_sample_is_not_sent() -> anyhow::Result<()> {
    let (program, collector) = (Program::new()?, Collector::start()?);
    let endpoint = collector.endpoint();
    let settings =
        [("GROOVEBASE_OTLP_ENDPOINT", endpoint.as_str()), ("GROOVEBASE_TRACE_SAMPLE_RATIO", "0")];
    let serving = Serving::start(command(&program, &settings))?;
    let with = |flags: &str| {
        Request::get("/health/live").with(TRACEPARENT, format!("00-{TRACE}-{CALLER}-{flags}"))
    };

    let unsampled = ask(&serving, Request::get("/health/live")).await?;
    assert!(unsampled.required(TRACEPARENT)?.ends_with("-00"), "{unsampled:?}");
    ask(&serving, with("00")).await?;
    let wanted = ask(&serving, with("01")).await?;
    ended(serving)?;

    let sent = collector.spans();
    let [only] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(wanted.required(TRACEPARENT)?, format!("00-{TRACE}-{}-01", only.id));
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_away_is_no_request_s_trouble() -> anyhow::Result<()> {
    let program = Program::new()?;
    // A port that was free a moment ago.
    let nobody = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let endpoint = format!("http://{nobody}");
    let serving = Serving::start(command(&program, &[("GROOVEBASE_OTLP_ENDPOINT", &endpoint)]))?;

    for _ in 0..20 {
        assert_eq!(ask(&serving, Request::get("/nowhere")).await?.status, 404);
    }
    let log = ended(serving)?;

    let told = |message: &str| log.iter().filter(|line| line["message"] == message).count();
    assert_eq!(told("Request answered"), 20);
    let message = log.iter().filter_map(|line| line["message"].as_str());
    assert_eq!(message.filter(|it| it.starts_with("Traces cannot be sent")).count(), 1, "{log:?}");
    Ok(())
}

#[tokio::test]
async fn nobody_is_told_of_traces_and_times_that_nobody_wants() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = program.serve()?;

    let given = format!("00-{TRACE}-{CALLER}-01");
    let answer = ask(&serving, Request::get("/health/live").with(TRACEPARENT, given)).await?;

    assert!(answer.header(TRACEPARENT).is_none() && answer.header("server-timing").is_none());
    let log = ended(serving)?;
    assert!(log.iter().all(|line| line["span"]["trace_id"].is_null()), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn an_answer_tells_what_it_took() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = Serving::start(command(&program, &[("GROOVEBASE_SERVER_TIMING", "true")]))?;
    let timing = async |request| -> anyhow::Result<Vec<String>> {
        let answer = ask(&serving, request).await?;
        Ok(answer.required("server-timing")?.split(", ").map(str::to_owned).collect())
    };
    let milliseconds = |part: &str, name: &str| -> anyhow::Result<f64> {
        Ok(part.strip_prefix(name).context("its name")?.parse()?)
    };

    let saved = timing(Request::put(profile(), body::profile())).await?;
    let [total, database] = saved.as_slice() else { panic!("{saved:?}") };
    let database = milliseconds(database, "db;dur=")?;
    assert!(0.0 < database && database <= milliseconds(total, "total;dur=")?, "{saved:?}");

    timing(Request::get(profile()).with("cache-control", "no-cache")).await?;
    let hit = timing(Request::get(profile())).await?;
    assert_eq!(hit[1..], ["db;dur=0.000", r#"cache;desc="memory""#], "{hit:?}");
    ended(serving)?;
    Ok(())
}

#[tokio::test]
async fn the_log_file_has_every_line_until_the_end() -> anyhow::Result<()> {
    let program = Program::new()?;
    let settings = [
        ("GROOVEBASE_LOG_FILE", "service.log"),
        ("GROOVEBASE_LOG_FILE_MAX_BYTES", "2000"),
        ("GROOVEBASE_LOG_FORMAT", "json"),
    ];
    let serving = Serving::start(command(&program, &settings))?;
    for _ in 0..30 {
        ask(&serving, Request::get("/nowhere")).await?;
    }
    let told: Vec<_> = ended(serving)?.into_iter().map(without_time).collect();

    let mut names: Vec<String> = fs::read_dir(program.file(""))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<_>>()?;
    names.retain(|name| name.starts_with("service.log"));
    // The one that is written comes last, and those before it in the order of time.
    names.sort_by_key(|name| (name == "service.log", name.clone()));
    assert!(3 < names.len(), "{names:?}");
    let mut written = Vec::new();
    for name in names {
        let content = fs::read_to_string(program.file(&name))?;
        assert!(content.len() <= 2_000, "{name}");
        for line in content.lines() {
            written.push(without_time(serde_json::from_str(line)?));
        }
    }
    assert_eq!(written.last().context("lines")?["message"], "Stopped");
    // Threads that log at the same moment may come in one order here and in the other there.
    let sorted = |lines: &[Value]| {
        let mut lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&written), sorted(&told));
    Ok(())
}

fn without_time(mut line: Value) -> Value {
    line.as_object_mut().map(|line| line.remove("timestamp"));
    line
}

#[test]
fn a_log_file_that_cannot_be_opened_stops_the_start() -> anyhow::Result<()> {
    let program = Program::new()?;

    let refused = run(command(&program, &[("GROOVEBASE_LOG_FILE", "missing/a.log")]), "")?;

    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.errors.contains("cannot start the log: cannot open the log file missing/a.log: "),
        "{refused:?}"
    );
    assert!(!program.file("groovebase.db").exists(), "nothing was begun");
    Ok(())
}

#[test]
fn what_cannot_be_traced_to_is_named() -> anyhow::Result<()> {
    let program = Program::new()?;
    for (name, value) in [
        ("GROOVEBASE_OTLP_ENDPOINT", "collector:4318"),
        ("GROOVEBASE_OTLP_ENDPOINT", "http://user:hunter2@collector:4318"),
        ("GROOVEBASE_TRACE_SAMPLE_RATIO", "1.5"),
        ("GROOVEBASE_SERVER_TIMING", "perhaps"),
        ("GROOVEBASE_LOG_FILE_MAX_BYTES", "0"),
        ("GROOVEBASE_LOG_FILE_KEEP_DAYS", "0"),
        ("GROOVEBASE_DATABASE_SLOW_QUERY_MS", "-1"),
    ] {
        let refused = run(command(&program, &[(name, value)]), "")?;
        assert_eq!(refused.code, Some(2), "{name}={value}: {refused:?}");
        assert!(refused.errors.contains(&format!("{name} in the environment is invalid")));
        assert!(!refused.errors.contains("hunter2"), "{refused:?}");
    }
    Ok(())
}
