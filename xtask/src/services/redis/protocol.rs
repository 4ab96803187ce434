//! Commands and replies of Redis, as far as signing in and asking for the version needs them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, bail};

/// A connection that commands are sent on, one at a time.
pub(super) struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> anyhow::Result<Self> {
        Ok(Self { writer: stream.try_clone()?, reader: BufReader::new(stream) })
    }

    /// Sends a command and returns its reply, which must be text.
    pub(super) fn call<'a>(
        &mut self,
        words: impl IntoIterator<Item = &'a str>,
    ) -> anyhow::Result<String> {
        self.writer.write_all(encode(words).as_bytes())?;
        decode(&mut self.reader)
    }
}

fn encode<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> =
        words.into_iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), words.concat())
}

fn decode(reader: &mut impl std::io::BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    // Replies to our commands are short; what else answers there may never end its line.
    reader.by_ref().take(1024).read_line(&mut line)?;
    let line = line.trim_end();
    if let Some(status) = line.strip_prefix('+') {
        return Ok(status.to_owned());
    }
    if let Some(error) = line.strip_prefix('-') {
        bail!("the server says: {error}");
    }
    let length = line.strip_prefix('$').and_then(|length| length.parse::<u16>().ok());
    let length = length.context("what answers there is not Redis")?;
    let mut text = vec![0; usize::from(length)];
    reader.read_exact(&mut text)?;
    reader.read_exact(&mut [0; 2])?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_command() {
        assert_eq!(encode(["AUTH", "pässword"]), "*2\r\n$4\r\nAUTH\r\n$9\r\npässword\r\n");
    }

    #[test]
    fn reads_one_reply_after_the_other() -> anyhow::Result<()> {
        let mut replies = &b"+PONG\r\n$5\r\na\r\nb\r\r\n$0\r\n\r\n"[..];

        assert_eq!(decode(&mut replies)?, "PONG");
        assert_eq!(decode(&mut replies)?, "a\r\nb\r");
        assert_eq!(decode(&mut replies)?, "");
        Ok(())
    }

    #[test]
    fn passes_an_error_on() {
        let failure = decode(&mut &b"-WRONGPASS invalid\r\n"[..]).unwrap_err();

        assert!(failure.to_string().contains("WRONGPASS"), "{failure}");
    }

    #[test]
    fn refuses_another_protocol() {
        assert!(decode(&mut &b"HTTP/1.1 400 Bad Request\r\n"[..]).is_err());
        assert!(decode(&mut &b""[..]).is_err());
    }
}
