//! One connection through the proxy.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{Conditions, Ending, Line};

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// How many chunks may be under way in one direction; then the sender has to wait.
const CHUNKS: usize = 1024;

/// How much of a second a throttled line sends at once.
const SLICES_PER_SECOND: u32 = 50;

/// How long a side whose connection is ended may take to end it too.
const LINGER: Duration = Duration::from_secs(30);

/// Forwards between a client and the server until both are done, or until the epoch ends.
pub(super) async fn run(
    mut client: TcpStream,
    target: SocketAddr,
    conditions: watch::Receiver<Conditions>,
    epoch: u64,
) {
    let mut watched = conditions.clone();
    let ended = async {
        match watched.wait_for(|now| epoch < now.epoch).await {
            Ok(now) => now.ending,
            // The proxy is gone.
            Err(_) => Ending::Reset,
        }
    };
    tokio::pin!(ended);

    let server = tokio::select! {
        biased;
        ending = &mut ended => return end(ending, [client]).await,
        server = TcpStream::connect(target) => server,
    };
    let Ok(mut server) = server else { return end(Ending::Reset, [client]).await };
    // What is sent in small pieces has to arrive so; failing to ask for it only makes it slower.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));

    let ending = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let forth = carry(from_client, to_server, conditions.clone(), |now| now.to_server);
        let back = carry(from_server, to_client, conditions, |now| now.to_client);
        tokio::select! {
            biased;
            ending = ended => ending,
            outcome = async { tokio::try_join!(forth, back) } => match outcome {
                Ok(_) => Ending::Finish,
                Err(_) => Ending::Reset,
            },
        }
    };
    end(ending, [client, server]).await;
}

/// Carries bytes in one direction, until the end of them was carried too or a side broke down.
async fn carry(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    conditions: watch::Receiver<Conditions>,
    line: fn(&Conditions) -> Line,
) -> io::Result<()> {
    let (sent, queue) = mpsc::channel(CHUNKS);
    let watched = conditions.clone();
    tokio::try_join!(
        read(from, sent, move || line(&watched.borrow())),
        write(to, queue, conditions, line)
    )?;
    Ok(())
}

type Chunk = (Instant, Vec<u8>);

async fn read(
    mut from: ReadHalf<'_>,
    sent: mpsc::Sender<Chunk>,
    line: impl Fn() -> Line,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk).await;
        if line().swallows {
            break;
        }
        let bytes = chunk.get(..read?).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        // Nobody takes it when the other side broke down, which is found out there.
        let _ = sent.send((Instant::now(), bytes.to_owned())).await;
    }
    // Something is lost, so nothing can follow. The other side must not notice, but for what was under way.
    while let Ok(1..) = from.read(&mut chunk).await {}
    std::future::pending().await
}

async fn write(
    mut to: WriteHalf<'_>,
    mut queue: mpsc::Receiver<Chunk>,
    mut conditions: watch::Receiver<Conditions>,
    line: fn(&Conditions) -> Line,
) -> io::Result<()> {
    while let Some((arrived, bytes)) = queue.recv().await {
        wait(&mut conditions, |now| arrived.checked_add(line(now).delay)).await;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let rate = line(&conditions.borrow()).bytes_per_second;
            let slice = rate.map_or(rest.len(), |rate| {
                usize::try_from(rate.get() / SLICES_PER_SECOND).unwrap_or(usize::MAX).max(1)
            });
            let (now, later) = rest.split_at(slice.min(rest.len()));
            to.write_all(now).await?;
            rest = later;

            let (written, wrote) = (Instant::now(), u32::try_from(now.len()).unwrap_or(u32::MAX));
            wait(&mut conditions, |now| match line(now).bytes_per_second {
                Some(rate) => written.checked_add(Duration::from_secs(1) * wrote / rate.get()),
                None => Some(written),
            })
            .await;
        }
    }
    to.shutdown().await
}

/// Waits for a moment that depends on the conditions, whenever they change. `None` is never.
async fn wait(
    conditions: &mut watch::Receiver<Conditions>,
    moment: impl Fn(&Conditions) -> Option<Instant>,
) {
    loop {
        let until = moment(&conditions.borrow_and_update());
        let come = async {
            match until {
                Some(until) if until <= Instant::now() => {}
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = come => return,
            changed = conditions.changed() => if changed.is_err() {
                // The proxy is gone, and so is this connection soon.
                std::future::pending::<()>().await;
            },
        }
    }
}

async fn end<const SIDES: usize>(ending: Ending, sides: [TcpStream; SIDES]) {
    for mut side in sides {
        match ending {
            Ending::Reset => {
                // Without it closing may be in good order, which is the best that can be done then.
                let _ = side.set_zero_linger();
            }
            Ending::Finish => {
                // A side that is gone already cannot be told.
                let _ = side.shutdown().await;
                // Closing with bytes unread would reset the connection, so they are read.
                tokio::spawn(tokio::time::timeout(LINGER, async move {
                    let mut unread = [0; 1024];
                    while let Ok(1..) = side.read(&mut unread).await {}
                }));
            }
        }
    }
}
