//! What somebody sends does not get into the log as it is, however much is logged.

use std::{fs, fs::File, net::SocketAddr, process::Stdio};

use anyhow::{Context, ensure};
use groovebase_tests::{
    contract::http::hostile::TEXTS,
    given::body,
    http::{Client, Request, artist, encoded},
    program::{Program, end_of, until},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a line looks like, so that one that was sent would be taken for one.
const FORGED: [&str; 3] = [
    "x\n2001-01-01T00:00:00.000000Z ERROR groovebase_api: forged",
    "x\r\n{\"timestamp\":\"2001-01-01T00:00:00Z\",\"level\":\"ERROR\",\"message\":\"forged\"}",
    "x\u{2028}2001-01-01T00:00:00.000000Z\u{85}ERROR \u{9b}2J\u{2066}forged\u{7f}",
];

/// Where the service listens, as the log file tells it.
fn address(program: &Program) -> anyhow::Result<SocketAddr> {
    until("the service listens", || {
        let log = fs::read_to_string(program.file("service.log")).unwrap_or_default();
        let told = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut listening = told.filter(|line| {
            line["message"].as_str().is_some_and(|message| message.starts_with("Listening on"))
        });
        Ok(listening.find_map(|line| line.get("address")?.as_str()?.parse().ok()))
    })
}

/// A text in every place of a request that a text fits in.
fn requests(text: &str) -> anyhow::Result<Vec<Request>> {
    let code = encoded(text);
    let source = body::changed(body::source("https://example.org"), "/raw_content", json!(text))?;
    let mut requests = vec![
        Request::put(artist(text, "/profile"), body::profile()),
        Request::put(
            artist("x", "/profile"),
            body::changed(body::profile(), "/text_description", json!(text))?,
        ),
        Request::put(artist("x", "/profile"), body::changed(body::profile(), "/own", json!(text))?),
        Request::post("/api/v1/artists", json!({ "name": text })),
        Request::post("/api/v1/artists", json!({ text: "x" })),
        Request::post(artist("x", "/sources"), source),
        Request::post(
            "/api/v1/generations",
            body::changed(body::generation(), "/model", json!(text))?,
        ),
        Request::post("/api/v1/generations", body::generation_of(text)?),
        Request::post("/api/v1/similar", json!({ "like": [text], "metric": text })),
        Request::post("/api/v1/similar/batch", json!({ "artists": [text] })),
        Request::post("/api/v1/keys", json!({ "name": text, "scopes": [text] })),
        Request::post("/api/v1/artists", text),
        Request::get(format!("/{code}")),
        Request::get(format!("/docs/{code}")),
        Request::get(format!("/api/v1/artists?q={code}&{code}=1")),
        Request::get(format!("/api/v1/stats?provider={code}&model={code}")),
        Request::get(format!("/api/v1/audit?artist={code}")),
        Request::get(format!("/api/v1/keys/{code}")),
    ];
    for header in [
        "x-request-id",
        "traceparent",
        "tracestate",
        "authorization",
        "x-api-key",
        "accept",
        "if-none-match",
        "cache-control",
        "forwarded",
        "x-forwarded-for",
        "user-agent",
        "host",
        "x-own",
    ] {
        requests.push(Request::get(artist("x", "/profile")).with(header, text));
    }
    requests.push(
        Request::post("/api/v1/generations", body::generation()).with("idempotency-key", text),
    );
    Ok(requests)
}

/// Bytes that are no request at all.
async fn send_raw(address: SocketAddr, text: &str) -> anyhow::Result<()> {
    for bytes in [
        format!("{text}\r\n\r\n"),
        format!("GET /{text} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET / {text}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{text}: x\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(bytes.as_bytes()).await?;
        stream.shutdown().await?;
        // Whatever it says, or that it hangs up.
        drop(stream.read_to_end(&mut Vec::new()).await);
    }
    Ok(())
}

fn check(line: &str) -> anyhow::Result<()> {
    let is_unwelcome = |character: char| {
        character.is_control()
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    ensure!(!line.chars().any(is_unwelcome), "a line of the log holds {line:?}");
    ensure!(!line.starts_with("2001"), "a line of the log is forged: {line:?}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_logged_raw() -> anyhow::Result<()> {
    let program = Program::new()?;
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command
        .envs([
            ("GROOVEBASE_LOG", "trace"),
            ("GROOVEBASE_LOG_FORMAT", "pretty"),
            ("GROOVEBASE_LOG_FILE", "service.log"),
            ("GROOVEBASE_DATABASE_SLOW_QUERY_MS", "0"),
            ("GROOVEBASE_TRUSTED_PROXIES", "127.0.0.0/8"),
        ])
        .stderr(File::create(program.file("errors.log"))?)
        .stdout(Stdio::null());
    let mut serving = command.spawn()?;

    let asked = async {
        let address = address(&program)?;
        for text in TEXTS.into_iter().chain(FORGED) {
            for request in requests(text)? {
                let answer = Client::of(address).send(&request).await?;
                ensure!(answer.status < 500, "{request}: {answer:?}");
            }
            send_raw(address, text).await?;
        }
        Ok(())
    }
    .await;
    kill_process(Pid::from_child(&serving), Signal::TERM)?;
    let status = end_of(&mut serving)?;
    asked?;

    ensure!(status.success(), "{status}");
    // As bytes: what is no UTF-8 must not be there either.
    let pretty = String::from_utf8(fs::read(program.file("errors.log"))?)?;
    let json = String::from_utf8(fs::read(program.file("service.log"))?)?;
    for line in pretty.split_terminator('\n') {
        check(line)?;
        let begins = line.split(' ').next().context("a time")?;
        ensure!(
            begins.len() == 27 && begins.ends_with('Z'),
            "not the beginning of a line: {line:?}"
        );
    }
    for line in json.split_terminator('\n') {
        check(line)?;
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        ensure!(line["message"] != "forged", "{line}");
    }
    ensure!(
        1_000 < pretty.lines().count() && 1_000 < json.lines().count(),
        "next to nothing is told"
    );
    Ok(())
}
