//! What Redis can do by itself: GET of what the service keeps there, and nothing made of it.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use percent_encoding::percent_decode_str;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Builder,
    task::{JoinSet, LocalSet},
};
use url::Url;

use crate::bench::figures::{Figures, millis};

/// How much is read at once.
const CHUNK: usize = 1 << 14;

/// Takes keys with this beginning away, in one command.
const FORGET: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('UNLINK', key) end return 'OK'";

/// A connection that is signed in.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// Gets one of these keys again and again on each connection.
pub(crate) fn gets(
    url: &str,
    keys: Vec<String>,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Figures> {
    ensure!(!keys.is_empty(), "there is no key to get");
    let keys: Rc<[String]> = keys.into();
    on_this_thread(async {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(url).await?);
        }
        let began = Instant::now();
        let mut askers = JoinSet::new();
        for (first, connection) in open.into_iter().enumerate() {
            askers.spawn_local(get_all(connection, Rc::clone(&keys), first, began + time));
        }
        let mut times = Vec::new();
        while let Some(asked) = askers.join_next().await {
            times.extend(asked??);
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^53 answers")]
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        Ok(Figures { rate: Some(rate), ..Figures::of_times(times) })
    })
}

/// How many bytes Redis uses for everything it holds.
pub(crate) fn used_megabytes(url: &str) -> anyhow::Result<f64> {
    let about =
        on_this_thread(async { Connection::open(url).await?.call(&["INFO", "memory"]).await })?;
    let about = String::from_utf8_lossy(&about).into_owned();
    let used = about.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.context("Redis does not tell its memory")?.trim().parse::<f64>()? / 1e6)
}

/// Takes away every key that begins so.
pub(crate) fn forget(url: &str, prefix: &str) -> anyhow::Result<()> {
    let command = ["EVAL", FORGET, "0", prefix];
    on_this_thread(async { Connection::open(url).await?.call(&command).await }).map(drop)
}

fn on_this_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

/// How many milliseconds each GET took, until the end.
async fn get_all(
    mut connection: Connection,
    keys: Rc<[String]>,
    first: usize,
    end: Instant,
) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for key in keys.iter().cycle().skip(first % keys.len()) {
        let began = Instant::now();
        if end <= began {
            break;
        }
        ensure!(!connection.call(&["GET", key]).await?.is_empty(), "{key} is not there");
        times.push(millis(began.elapsed()));
    }
    Ok(times)
}

impl Connection {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("the URL of Redis is none")?;
        let host = url.host_str().context("the URL of Redis has no host")?;
        let stream = TcpStream::connect((host, url.port().unwrap_or(6379))).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, received: Vec::new() };
        if let Some(password) = url.password() {
            let user = if url.username().is_empty() { "default" } else { url.username() };
            let password = percent_decode_str(password).decode_utf8()?;
            connection.call(&["AUTH", user, &password]).await?;
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() {
            connection.call(&["SELECT", database]).await?;
        }
        Ok(connection)
    }

    /// Sends a command and returns its answer; nothing is empty.
    async fn call(&mut self, words: &[&str]) -> anyhow::Result<Vec<u8>> {
        self.stream.write_all(&encoded(words)).await?;
        self.received.clear();
        loop {
            if let Some(answer) = decoded(&self.received)? {
                return Ok(answer.to_vec());
            }
            self.received.reserve(CHUNK);
            ensure!(self.stream.read_buf(&mut self.received).await? != 0, "Redis went away");
        }
    }
}

fn encoded(words: &[&str]) -> Vec<u8> {
    let words: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    let command = format!("*{}\r\n{}", words.len(), words.concat());
    command.into_bytes()
}

/// The answer, if all of it is there.
fn decoded(received: &[u8]) -> anyhow::Result<Option<&[u8]>> {
    let Some(end) = received.windows(2).position(|it| it == b"\r\n") else { return Ok(None) };
    let (Some((kind, line)), Some(rest)) =
        (received.get(..end).and_then(<[u8]>::split_first), received.get(end + 2..))
    else {
        bail!("Redis answered nothing");
    };
    match kind {
        b'+' | b':' => Ok(Some(line)),
        b'$' if line == b"-1" => Ok(Some(&[])),
        b'$' => {
            let length: usize = str::from_utf8(line)?.parse()?;
            Ok((length + 2 <= rest.len()).then(|| rest.get(..length)).flatten())
        }
        b'-' => bail!("Redis says: {}", String::from_utf8_lossy(line)),
        _ => bail!("Redis answered in a strange way"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_all_of_it_is_there() {
        assert_eq!(decoded(b"$3\r\na\r").unwrap(), None);
        assert_eq!(decoded(b"$3\r\na\r\n\r\n").unwrap(), Some(&b"a\r\n"[..]));
        assert_eq!(decoded(b"$-1\r\n").unwrap(), Some(&b""[..]));
        assert_eq!(decoded(b"+OK\r\n").unwrap(), Some(&b"OK"[..]));
        assert!(decoded(b"-NOAUTH\r\n").is_err());
        assert!(decoded(b"\r\n").is_err());
    }

    #[test]
    fn a_command_tells_the_length_of_its_words() {
        assert_eq!(encoded(&["GET", "ü"]), "*2\r\n$3\r\nGET\r\n$2\r\nü\r\n".as_bytes());
    }
}
