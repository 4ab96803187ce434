//! Clients that take their time: each is cut off, nobody else waits for it, and nothing of it is left.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Instant,
};

use anyhow::{Context, ensure};
use groovebase_tests::{
    http::{Request, artist},
    program::{PATIENCE, Program, Serving, until},
};

/// How many of them there are at a time: more than the service has threads for requests, and more than it lets in at once.
const CLIENTS: usize = 8;

/// What a client asks for that is larger than what anybody buffers for it, altogether.
const LARGE: &str = "/docs/swagger-ui-bundle.js";

/// How often it asks for it in one breath.
const TIMES: usize = 16;

/// A service with one thread for requests, which is impatient: with heads that are the first, or with all the rest.
fn impatient(program: &Program, with: &str) -> anyhow::Result<Serving> {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs([
        ("GROOVEBASE_HTTP_WORKERS", "1"),
        ("GROOVEBASE_HTTP_BODY_TIMEOUT_MS", "500"),
        ("GROOVEBASE_HTTP_HEADER_TIMEOUT_MS", "600000"),
        ("GROOVEBASE_HTTP_SLOW_CLIENT_TIMEOUT_MS", "600000"),
        ("GROOVEBASE_HTTP_KEEP_ALIVE_MS", "600000"),
    ]);
    command.env(with, "2000");
    Serving::start(command)
}

const FIRST_HEADS: &str = "GROOVEBASE_HTTP_HEADER_TIMEOUT_MS";
const THE_REST: &str = "GROOVEBASE_HTTP_SLOW_CLIENT_TIMEOUT_MS";

/// A client that says what it likes, when it likes.
struct Slow {
    stream: TcpStream,
    heard: Vec<u8>,
    is_over: bool,
}

impl Slow {
    /// Connects and says this.
    fn saying(serving: &Serving, text: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(serving.address())?;
        stream.write_all(text.as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, heard: Vec::new(), is_over: false })
    }

    fn several(serving: &Serving, text: &str) -> anyhow::Result<Vec<Self>> {
        (0..CLIENTS).map(|_| Self::saying(serving, text)).collect()
    }

    /// Says one byte more, unless the service has hung up.
    fn drip(&mut self) {
        // That it cannot be said any more shows when listening.
        drop(self.stream.write(b"x"));
    }

    /// Takes what has been answered until now.
    fn listen(&mut self) -> anyhow::Result<()> {
        let mut bytes = [0; 16_384];
        while !self.is_over {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.is_over = true,
                Ok(read) => {
                    self.heard.extend_from_slice(bytes.get(..read).context("what was read")?);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
                    ) =>
                {
                    self.is_over = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What it has heard, as text.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

/// Lets all of them drip until the service has had enough of each.
fn drip_until_cut_off(clients: &mut [Slow]) -> anyhow::Result<()> {
    until("every slow client is cut off", || {
        for client in clients.iter_mut().filter(|client| !client.is_over) {
            client.drip();
            client.listen()?;
        }
        Ok(clients.iter().all(|client| client.is_over).then_some(()))
    })
}

/// Somebody else, who is served at once.
async fn others_are_served(serving: &Serving) -> anyhow::Result<()> {
    for path in ["/api/v1/artists", "/health/live"] {
        let answer = serving.client().send(&Request::get(path)).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
    }
    Ok(())
}

/// How many connections were cut off, as the metrics tell it.
async fn cut(serving: &Serving) -> anyhow::Result<usize> {
    let answer = serving.client().send(&Request::get("/metrics")).await?;
    let text = answer.text()?;
    let count = text.lines().find_map(|line| {
        line.strip_prefix("groovebase_http_connections_cut_total ").map(str::parse)
    });
    Ok(count.with_context(|| format!("no counter in {text}"))??)
}

/// Waits until no more sockets are open than were.
#[cfg(target_os = "linux")]
fn sockets_go_back_to(serving: &Serving, before: usize) -> anyhow::Result<()> {
    until("the descriptors are given back", || Ok((sockets(serving)? <= before).then_some(())))
}

/// How many descriptors of the process are sockets.
#[cfg(target_os = "linux")]
fn sockets(serving: &Serving) -> anyhow::Result<usize> {
    let is_socket = |descriptor| {
        // One that was closed meanwhile is none.
        let target = std::fs::read_link(format!("/proc/{}/fd/{descriptor}", serving.id()));
        target.is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    Ok(descriptors(serving)?.into_iter().filter(|descriptor| is_socket(*descriptor)).count())
}

/// The descriptors of the process.
#[cfg(target_os = "linux")]
fn descriptors(serving: &Serving) -> anyhow::Result<Vec<u64>> {
    std::fs::read_dir(format!("/proc/{}/fd", serving.id()))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().parse()?))
        .collect()
}

/// Elsewhere nobody tells.
#[cfg(not(target_os = "linux"))]
fn sockets(_: &Serving) -> anyhow::Result<usize> {
    Ok(0)
}

#[cfg(not(target_os = "linux"))]
fn sockets_go_back_to(_: &Serving, _: usize) -> anyhow::Result<()> {
    Ok(())
}

#[tokio::test]
async fn a_first_head_that_never_ends() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = impatient(&program, FIRST_HEADS)?;
    others_are_served(&serving).await?;
    let before = sockets(&serving)?;

    let mut silent = Slow::several(&serving, "")?;
    let mut slow = Slow::several(&serving, "GET /health/live HTTP/1.1\r\nhost: test\r\nx-slow: ")?;
    others_are_served(&serving).await?;
    drip_until_cut_off(&mut slow)?;
    until("those who say nothing are cut off", || {
        silent.iter_mut().try_for_each(Slow::listen)?;
        Ok(silent.iter().all(|client| client.is_over).then_some(()))
    })?;

    for client in silent {
        assert!(client.text().starts_with("HTTP/1.1 408 "), "{}", client.text());
    }
    sockets_go_back_to(&serving, before)?;
    others_are_served(&serving).await
}

#[tokio::test]
async fn a_later_head_that_never_ends() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = impatient(&program, THE_REST)?;
    others_are_served(&serving).await?;
    let before = sockets(&serving)?;

    let whole = "GET /health/live HTTP/1.1\r\nhost: test\r\n\r\n";
    let mut slow =
        Slow::several(&serving, &format!("{whole}{whole}GET /health/live HTTP/1.1\r\nx: "))?;
    others_are_served(&serving).await?;
    drip_until_cut_off(&mut slow)?;

    for client in slow {
        let heard = client.text();
        assert_eq!(heard.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{heard}");
    }
    assert_eq!(cut(&serving).await?, CLIENTS);
    sockets_go_back_to(&serving, before)?;
    others_are_served(&serving).await
}

#[tokio::test]
async fn a_body_that_never_ends() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = impatient(&program, THE_REST)?;
    others_are_served(&serving).await?;
    let before = sockets(&serving)?;

    let put = format!("PUT {} HTTP/1.1\r\nhost: test\r\n", artist("J Dilla", "/profile"));
    let declared =
        format!("{put}content-type: application/json\r\ncontent-length: 1000000\r\n\r\n{{");
    // Nobody reads a body that is not declared as JSON.
    let unwanted = format!("{put}content-length: 1000000\r\n\r\n{{");
    for (head, status) in [(declared, 408), (unwanted, 415)] {
        let mut slow = Slow::several(&serving, &head)?;
        others_are_served(&serving).await?;
        drip_until_cut_off(&mut slow)?;
        for client in slow {
            let heard = client.text();
            assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
        }
    }
    let found = serving.client().send(&Request::get(artist("J Dilla", ""))).await?;

    assert_eq!(found.status, 404, "{found:?}");
    sockets_go_back_to(&serving, before)?;
    others_are_served(&serving).await
}

#[tokio::test]
async fn answers_that_nobody_takes() -> anyhow::Result<()> {
    let program = Program::new()?;
    let serving = impatient(&program, THE_REST)?;
    others_are_served(&serving).await?;
    let size = serving.client().send(&Request::get(LARGE)).await?.text()?.len();
    let before = sockets(&serving)?;

    let ask = format!("GET {LARGE} HTTP/1.1\r\nhost: test\r\n\r\n");
    let mut slow = Slow::several(&serving, &ask.repeat(TIMES))?;
    let began = Instant::now();
    while cut(&serving).await? < CLIENTS {
        others_are_served(&serving).await?;
        ensure!(began.elapsed() < PATIENCE, "never cut off");
    }
    sockets_go_back_to(&serving, before)?;

    for client in &mut slow {
        client.listen()?;
        assert!(client.is_over, "the connection goes on after {} bytes", client.heard.len());
        assert!(client.heard.len() < TIMES * size, "all of it is buffered somewhere");
    }
    assert_eq!(cut(&serving).await?, CLIENTS);
    others_are_served(&serving).await
}

/// Without a second descriptor a connection could not be cut off later, so it is not begun.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_cannot_be_cut_off_is_not_let_in() -> anyhow::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let program = Program::new()?;
    let serving = impatient(&program, THE_REST)?;
    others_are_served(&serving).await?;
    let process = Pid::from_raw(serving.id().try_into()?);

    let before = rustix::process::getrlimit(Resource::Nofile);
    // The only descriptor that is left is that of the connection, unless others are given back meanwhile.
    let leave_one = || {
        let used = descriptors(&serving)?;
        let free =
            (0..1_000_000).find(|descriptor| !used.contains(descriptor)).context("one is free")?;
        prlimit(process, Resource::Nofile, Rlimit { current: Some(free + 1), ..before })?;
        anyhow::Ok(())
    };
    until("somebody is refused", || {
        leave_one()?;
        let mut unlucky = Slow::saying(
            &serving,
            "GET /health/live HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
        )?;
        until("the connection ends", || {
            unlucky.listen()?;
            if !unlucky.is_over {
                // A database connection may have taken the one that was left.
                leave_one()?;
            }
            Ok(unlucky.is_over.then_some(()))
        })?;
        Ok(unlucky.heard.is_empty().then_some(()))
    })?;
    prlimit(process, Resource::Nofile, before)?;

    others_are_served(&serving).await
}
