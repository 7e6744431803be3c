//! An event loop with real connections.

use std::{
    future::poll_fn,
    io::Write as _,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use super::*;
use crate::load::{seat::Seat, socket::Socket};

/// A loop, a connection with a place at it, and the peer's end.
fn connection() -> (Clock, Arc<Door>, Seat, TcpStream) {
    let clock = Clock::start();
    let door = start(clock, Threads::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    tcp.set_nonblocking(true).unwrap();
    let seat = door.seat(tcp).unwrap();
    (clock, door, seat, listener.accept().unwrap().0)
}

fn socket(seat: &Seat) -> Socket {
    Socket::Loop {
        seat: seat.clone(),
        empty_in: turn::OUTSIDE,
    }
}

/// Reads to the end of the connection, so many bytes at a time.
async fn read_all(mut socket: Socket, at_most: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut buffer = vec![0; at_most];
        match poll_fn(|cx| socket.poll_read(cx, &mut buffer)).await.unwrap() {
            (0, _) => return all,
            (count, _) => all.extend_from_slice(&buffer[..count]),
        }
    }
}

#[tokio::test]
async fn what_came_before_the_work_is_read_to_its_end() {
    let (_, _door, seat, mut peer) = connection();
    peer.write_all(b"all there is").unwrap();
    drop(peer);
    let work = read_all(socket(&seat), 100);
    assert_eq!(seat.run(work).await, b"all there is");
}

#[tokio::test]
async fn bytes_and_an_end_that_come_while_the_loop_sleeps_are_read() {
    for _ in 0..50 {
        let (_, _door, seat, mut peer) = connection();
        let answer = seat.clone().run(read_all(socket(&seat), 100));
        for part in [&b"one "[..], b"two"] {
            peer.write_all(part).unwrap();
        }
        drop(peer);
        assert_eq!(answer.await, b"one two");
    }
}

#[tokio::test]
async fn news_from_before_the_loop_had_the_work_is_told_again() {
    let (_, _door, seat, mut peer) = connection();
    peer.write_all(b"early").unwrap();
    drop(peer);
    let reads = read_all(socket(&seat), 100);
    let mut begun = false;
    let mut pause = move || {
        if std::mem::replace(&mut begun, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    };
    let answer = seat.run(async move {
        poll_fn(|_| pause()).await;
        reads.await
    });
    assert_eq!(answer.await, b"early");
}

#[tokio::test]
async fn more_than_one_read_holds_is_read_on() {
    for close_first in [false, true] {
        let (_, _door, seat, mut peer) = connection();
        let all: Vec<u8> = (0..50_000_u32).map(|place| place.to_le_bytes()[0]).collect();
        let answer = seat.clone().run(read_all(socket(&seat), 512));
        peer.write_all(&all).unwrap();
        if close_first {
            drop(peer);
            assert_eq!(answer.await, all);
        } else {
            let late = thread::spawn(move || drop(peer));
            assert_eq!(answer.await, all);
            late.join().unwrap();
        }
    }
}

#[tokio::test]
async fn a_full_buffer_lets_the_others_go_first() {
    let (_, door, seat, mut peer) = connection();
    peer.write_all(&[7; 8]).unwrap();
    drop(peer);
    let mut reader = socket(&seat);
    let turns = poll_fn(move |cx| {
        let mut buffer = [0; 4];
        let polled = turn::take(9, 0, false, || reader.poll_read(cx, &mut buffer));
        let again = turn::take(9, 0, false, || reader.poll_read(cx, &mut buffer).is_pending());
        Poll::Ready((polled.0.is_ready(), polled.1.again, again.0))
    });
    assert_eq!(turns.await, (true, true, true));
    door.close();
}

#[tokio::test]
async fn a_time_limit_ends_a_wait_without_news_and_may_be_put_off() {
    let (clock, _door, seat, _peer) = connection();
    let first_ns = clock.now_ns() + 5_000_000;
    let (mut at_ns, mut looks) = (first_ns, 0);
    let late = seat.run(poll_fn(move |_| {
        looks += 1;
        let passed = turn::poll_until(at_ns);
        if passed.is_ready() && at_ns == first_ns {
            at_ns += 20_000_000;
            return turn::poll_until(at_ns).map(|()| looks);
        }
        passed.map(|()| looks)
    }));
    assert!(late.await >= 3, "begun, late once, late again");
    assert!(clock.now_ns() >= first_ns + 20_000_000);
}

#[tokio::test]
async fn a_later_limit_does_not_wake_and_an_earlier_one_of_another_does() {
    let (clock, door, seat, _peer) = connection();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let other = door.seat(tcp).unwrap();
    let begun_ns = clock.now_ns();
    let until = |at_ns| poll_fn(move |_| turn::poll_until(at_ns));
    let far = seat.run(until(begun_ns + 3_600_000_000_000));
    other.run(until(begun_ns + 2_000_000)).await;
    drop(far);
}

/// The later one does not ring, since the loop wakes before; then it has to be taken in without any news of its connection.
#[tokio::test]
async fn work_with_a_later_limit_is_polled_though_nothing_comes() {
    let (clock, door, seat, _peer) = connection();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let other = door.seat(tcp).unwrap();
    let begun_ns = clock.now_ns();
    let until = |after_ms: u64| poll_fn(move |_| turn::poll_until(begun_ns + after_ms * 1_000_000));
    let first = seat.run(until(200));
    while door.inbox().wakes_ns == u64::MAX {
        thread::sleep(Duration::from_millis(1));
    }
    let second = other.run(until(300));
    tokio::time::timeout(Duration::from_secs(30), second).await.unwrap();
    first.await;
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_dropped() {
    let (_, _door, seat, _peer) = connection();
    let (held, dropped) = mpsc::channel::<()>();
    let socket = socket(&seat);
    let answer = seat.run(async move {
        let _held = held;
        read_all(socket, 10).await
    });
    assert_eq!(dropped.try_recv(), Err(mpsc::TryRecvError::Empty));
    drop(answer);
    assert_eq!(dropped.recv(), Err(mpsc::RecvError));
}

#[tokio::test]
async fn a_closed_loop_drops_what_it_holds() {
    let (_, door, seat, _peer) = connection();
    let (held, dropped) = mpsc::channel::<()>();
    let later = seat.clone();
    let waits = tokio::spawn(seat.run(async move {
        let _held = held;
        std::future::pending::<()>().await;
    }));
    door.close();
    assert_eq!(dropped.recv(), Err(mpsc::RecvError));
    assert!(waits.await.unwrap_err().is_panic());
    let after = tokio::spawn(later.run(std::future::pending::<()>()));
    assert!(after.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_panic_in_a_loop_reaches_whoever_waits() {
    let (_, _door, seat, mut peer) = connection();
    let mut reader = socket(&seat);
    let waits = tokio::spawn(seat.run(async move {
        let read = poll_fn(|cx| reader.poll_read(cx, &mut [0; 4])).await;
        assert!(read.is_err(), "the test wants this panic");
    }));
    peer.write_all(b"x").unwrap();
    let joined = tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap();
    assert!(joined.unwrap_err().is_panic());
}
