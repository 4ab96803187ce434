use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use super::*;

/// A server that answers whatever it is asked: `answers` is told how many were asked before on the same connection, and
/// closes the connection by answering nothing.
fn server(answers: impl Fn(usize) -> Option<&'static str> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let answers = answers.clone();
            thread::spawn(move || serve(stream, answers));
        }
    });
    address
}

/// Ends with the client.
fn serve(mut stream: TcpStream, answers: impl Fn(usize) -> Option<&'static str>) {
    let (mut asked, mut received) = (0, Vec::new());
    loop {
        let mut buffer = [0; 1024];
        let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
        received.extend_from_slice(&buffer[..read]);
        while let Some(end) = received.windows(4).position(|it| it == b"\r\n\r\n") {
            received.drain(..end + 4);
            let Some(answer) = answers(asked) else { return };
            asked += 1;
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const SHED: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";

fn mix() -> Mix {
    Mix::seeded(1).with_bytes("one", 1, REQUEST.to_vec())
}

fn slowly(address: SocketAddr) -> OpenLoop {
    OpenLoop { address, connections: 1, per_second: 100.0, time: Duration::from_millis(400) }
}

#[test]
fn a_server_that_stalls_is_slow_for_every_request_that_was_due_meanwhile() {
    let stall = Duration::from_millis(300);
    let address = server(move |asked| {
        if asked == 5 {
            thread::sleep(stall);
        }
        Some(OK)
    });

    let report = open_loop(slowly(address), &mut mix()).unwrap();

    let accepted = report.all().accepted;
    assert_eq!(accepted.count(), 40);
    // One was under way; 20 were due in the first 200 ms of the stall, and waited for the rest of it.
    assert!(20 <= accepted.count_from(Duration::from_millis(99)), "{report:?}");
    assert!(Duration::from_millis(299) <= accepted.quantile(1.0), "{report:?}");
}

#[test]
fn a_server_that_never_answers_fails_what_was_due() {
    let address = server(|asked| {
        if asked == 3 {
            loop {
                thread::park();
            }
        }
        Some(OK)
    });
    let numbered = |_: &mut fastrand::Rng, into: &mut Vec<u8>| {
        into.extend_from_slice(REQUEST);
        Some(7)
    };
    let mut mix = Mix::seeded(1).with("noted", 1, numbered);

    let report = open_loop(slowly(address), &mut mix).unwrap();

    let all = report.all();
    assert_eq!((all.accepted.count(), all.failed.count()), (3, 37));
    assert_eq!(report.noted.iter().filter(|noted| noted.status.is_none()).count(), 1);
    assert_eq!(mix.names().count(), 1);
}

#[test]
fn answers_are_counted_by_kind_and_class() {
    let address = server(|asked| if asked % 2 == 0 { Some(OK) } else { Some(SHED) });
    let mut mix = mix().with_bytes("never", 0, Vec::new());
    let time = Duration::from_millis(50);

    let report = closed_loop(ClosedLoop { address, connections: 3, time }, &mut mix).unwrap();

    let [(_, one), (_, never)] = &report.kinds[..] else { panic!("{report:?}") };
    assert_eq!(never.count(), 0);
    assert_eq!(one.other.count() + one.failed.count(), 0, "{report:?}");
    // Each connection is at most one answer ahead of taking turns.
    assert!(one.accepted.count() - one.shed.count() <= 3, "{report:?}");
    assert_eq!(report.statuses[&200], one.accepted.count());
    assert_eq!(report.statuses[&503], one.shed.count());
}

#[test]
fn a_connection_that_is_closed_is_made_again() {
    let address = server(|asked| (asked < 3).then_some(OK));

    let report = open_loop(slowly(address), &mut mix()).unwrap();

    let all = report.all();
    assert_eq!((all.accepted.count(), all.failed.count()), (30, 10), "{report:?}");
    assert!(report.first_failure.is_some());
}

#[test]
fn a_last_answer_is_believed() {
    let last = "HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n";
    let address = server(move |asked| (asked == 0).then_some(last));

    let report = open_loop(slowly(address), &mut mix()).unwrap();

    assert_eq!(report.all().accepted.count(), 40, "{report:?}");
}
