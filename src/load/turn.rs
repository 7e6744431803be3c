//! What an event loop and the work that it polls tell each other: one turn of one connection, kept by the thread.

use std::{cell::Cell, task::Poll};

/// One poll, as its work sees it.
#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    now_ns: u64,
    is_closing: bool,
    wish: Wish,
}

/// What work that is not ready wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// To be polled at this time of the clock at the latest.
    pub(super) wake_ns: u64,
    /// To be polled again soon: there is more to read.
    pub(super) again: bool,
    /// To be polled when there is room for more to be sent.
    pub(super) room: bool,
    /// To be read at once whenever there is news.
    pub(super) hasty: bool,
}

const NOTHING: Wish = Wish {
    wake_ns: u64::MAX,
    again: false,
    room: false,
    hasty: false,
};

/// The number of no turn.
pub(super) const OUTSIDE: u64 = 0;

thread_local! {
    static TURN: Cell<Turn> = const {
        Cell::new(Turn { number: OUTSIDE, now_ns: 0, is_closing: false, wish: NOTHING })
    };
}

/// Gives work its turn at a time of the clock; what came of it, and what it wishes for.
///
/// `number` differs from turn to turn of one connection; `is_closing`: its peer sends no more than what is here.
pub(super) fn take<T>(number: u64, now_ns: u64, is_closing: bool, poll: impl FnOnce() -> T) -> (T, Wish) {
    TURN.set(Turn {
        number,
        now_ns,
        is_closing,
        wish: NOTHING,
    });
    let polled = poll();
    (polled, TURN.get().wish)
}

/// Number of the turn.
pub(super) fn number() -> u64 {
    TURN.get().number
}

/// Whether the connection is to be read to its end now, since no news of it will come.
pub(super) fn is_closing() -> bool {
    TURN.get().is_closing
}

/// Ready from this time of the clock on; until then the work wishes to be polled at that time.
pub(super) fn poll_until(at_ns: u64) -> Poll<()> {
    if TURN.get().now_ns >= at_ns {
        return Poll::Ready(());
    }
    wish(|wish| wish.wake_ns = wish.wake_ns.min(at_ns));
    Poll::Pending
}

/// There may be more to read, but it is the others' turn.
pub(super) fn again() {
    wish(|wish| wish.again = true);
}

/// What was read should not have waited: it came in a heap, or without a stamp of its arrival.
pub(super) fn hasty() {
    wish(|wish| wish.hasty = true);
}

/// There is no room to send.
pub(super) fn wait_for_room() {
    wish(|wish| wish.room = true);
}

fn wish(change: impl FnOnce(&mut Wish)) {
    let mut turn = TURN.get();
    change(&mut turn.wish);
    TURN.set(turn);
}
