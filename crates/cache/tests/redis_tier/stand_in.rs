//! Servers of our own in the place of a Redis: one that passes on to a real one, and one that says what it is told to.

use std::sync::Arc;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What becomes of a connection through a [`Passage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Everything passes.
    Flows,
    /// Questions pass and answers wait.
    AnswersWait,
    /// Connections are accepted and nothing passes.
    Stands,
}

/// A way to a Redis that can be stopped. It ends when it is dropped.
pub(crate) struct Passage {
    pub(crate) port: u16,
    traffic: watch::Sender<Traffic>,
    task: JoinHandle<()>,
}

impl Passage {
    pub(crate) async fn to(redis: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(listener, redis, Traffic::Flows)
    }

    /// On a port that was chosen before.
    pub(crate) async fn on(port: u16, redis: &str) -> Self {
        Self::at(TcpListener::bind(("127.0.0.1", port)).await.unwrap(), redis, Traffic::Flows)
    }

    fn at(listener: TcpListener, redis: &str, traffic: Traffic) -> Self {
        let port = listener.local_addr().unwrap().port();
        let target = host_and_port(redis).to_owned();
        let (sender, receiver) = watch::channel(traffic);
        let task = tokio::spawn(async move {
            // Connections end with the passage, since they are in its set.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (target, traffic) = (target.clone(), receiver.clone());
                connections.spawn(async move {
                    let server = TcpStream::connect(target).await.unwrap();
                    let (client_reads, client_writes) = client.into_split();
                    let (server_reads, server_writes) = server.into_split();
                    let questions = pass(client_reads, server_writes, traffic.clone(), |traffic| {
                        traffic != Traffic::Stands
                    });
                    let answers = pass(server_reads, client_writes, traffic, |traffic| {
                        traffic == Traffic::Flows
                    });
                    tokio::join!(questions, answers);
                });
            }
        });
        Self { port, traffic: sender, task }
    }

    /// Breaks its connections and gives up its port.
    pub(crate) async fn close(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }

    pub(crate) fn set(&self, traffic: Traffic) {
        self.traffic.send_replace(traffic);
    }

    /// The address of the Redis with this passage in its place.
    pub(crate) fn url(&self, redis: &str) -> String {
        moved(redis, self.port)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut traffic: watch::Receiver<Traffic>,
    passes: fn(Traffic) -> bool,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if traffic.wait_for(|traffic| passes(*traffic)).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// A port at which nobody answers.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// The address with another port on this machine.
pub(crate) fn moved(url: &str, port: u16) -> String {
    url.replace(host_and_port(url), &format!("127.0.0.1:{port}"))
}

pub(crate) fn host_and_port(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
    rest.split('/').next().unwrap()
}

/// A server that answers each command, given as its words, with bytes of somebody's choice.
pub(crate) struct Parrot {
    pub(crate) port: u16,
    task: JoinHandle<()>,
}

impl Parrot {
    pub(crate) async fn saying(
        answer: impl Fn(&[String]) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                connections.spawn(async move {
                    let mut client = BufReader::new(client);
                    while let Some(command) = command(&mut client).await {
                        let answer = if command[0] == "CLIENT" {
                            "+OK\r\n".to_owned()
                        } else {
                            answer(&command)
                        };
                        if client.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Parrot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The next command as clients send it: an array of strings with their lengths.
async fn command(client: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = number(client, '*').await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = number(client, '$').await?;
        let mut word = vec![0; length + 2];
        client.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    Some(words)
}

async fn number(client: &mut BufReader<TcpStream>, sign: char) -> Option<usize> {
    let mut line = String::new();
    client.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}
