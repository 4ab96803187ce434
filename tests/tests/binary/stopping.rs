//! A service that is told to stop while somebody is still talking.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use groovebase_tests::{
    given::body,
    http::artist,
    program::{PATIENCE, Program, Serving, until},
};

/// An upload of which half is sent, and which the service has begun to read.
fn half_an_upload(serving: &Serving, text: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(serving.address())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        artist("J Dilla", "/profile"),
        text.len()
    );
    stream.write_all(head.as_bytes())?;
    // The service says this when it wants the body.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on)?;
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(halves(text).0)?;
    Ok(stream)
}

fn halves(text: &str) -> (&[u8], &[u8]) {
    text.as_bytes().split_at(text.len() / 2)
}

#[test]
fn finishes_what_it_accepted_and_takes_no_more() -> anyhow::Result<()> {
    let program = Program::new()?;
    let mut serving = program.serve()?;
    let address = serving.address();
    let text = body::profile().to_string();
    let mut upload = half_an_upload(&serving, &text)?;
    let mut idle = TcpStream::connect(address)?;
    idle.write_all(b"GET /nowhere HTTP/1.1\r\nhost: test\r\n\r\n")?;
    serving.logged("Request answered")?;

    serving.terminate()?;
    serving.logged("Stopping")?;
    until("connections are refused", || Ok(TcpStream::connect(address).err()))?;
    upload.write_all(halves(&text).1)?;
    let mut answer = String::new();
    upload.read_to_string(&mut answer)?;

    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close\r\n"), "{answer}");
    let began = Instant::now();
    let log = serving.ended()?;
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "an idle connection does not count: {log:#?}"
    );
    assert!(log.last().is_some_and(|line| line.contains("Stopped")), "{log:#?}");
    let exported = program.expect(0, &["export", "-"])?;
    assert!(exported.output.contains("Behind the beat"), "{exported:?}");
    Ok(())
}

#[test]
fn a_second_signal_ends_it_at_once() -> anyhow::Result<()> {
    let program = Program::new()?;
    std::fs::write(program.file(".env"), "GROOVEBASE_SHUTDOWN_TIMEOUT_SECONDS=60\n")?;
    let mut serving = program.serve()?;
    let upload = half_an_upload(&serving, &body::profile().to_string())?;

    serving.terminate()?;
    serving.logged("Stopping: finishing")?;
    serving.terminate()?;

    serving.logged("Stopping at once")?;
    let began = Instant::now();
    serving.ended()?;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(upload);
    let exported = program.expect(0, &["export", "-"])?;
    assert_eq!(exported.output, "", "half an upload is none");
    Ok(())
}

#[test]
fn waits_no_longer_than_it_was_told() -> anyhow::Result<()> {
    let program = Program::new()?;
    std::fs::write(program.file(".env"), "GROOVEBASE_SHUTDOWN_TIMEOUT_SECONDS=1\n")?;
    let mut serving = program.serve()?;
    let upload = half_an_upload(&serving, &body::profile().to_string())?;

    serving.terminate()?;
    serving.logged("Stopping")?;

    let began = Instant::now();
    serving.ended()?;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(upload);
    Ok(())
}
