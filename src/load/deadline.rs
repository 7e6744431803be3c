//! One timer for a whole request. Moving it later costs nothing: the timer wakes at its old time and looks again.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::clock::Clock;
#[cfg(target_os = "linux")]
use super::turn;
use crate::{plan::Timeouts, session::FailureClass};

/// A point in time that ends the wait for the server.
pub(super) struct Deadline {
    clock: Clock,
    at_ns: u64,
    timer: Timer,
}

/// Who looks at the clock.
enum Timer {
    Runtime(Pin<Box<Sleep>>),
    /// The event loop whose turn it is.
    #[cfg(target_os = "linux")]
    Loop,
}

impl Deadline {
    /// One that ends at a stamp of the clock, for work that the runtime polls.
    pub(super) fn new(clock: Clock, at_ns: u64) -> Self {
        let timer = Box::pin(sleep_until(Instant::from_std(clock.instant(at_ns))));
        Self {
            clock,
            at_ns,
            timer: Timer::Runtime(timer),
        }
    }

    /// One for work that an event loop polls.
    #[cfg(target_os = "linux")]
    pub(super) fn in_turn(clock: Clock, at_ns: u64) -> Self {
        Self {
            clock,
            at_ns,
            timer: Timer::Loop,
        }
    }

    /// Moves the end. Only an earlier end touches a timer.
    pub(super) fn move_to(&mut self, at_ns: u64) {
        self.at_ns = at_ns;
        if let Timer::Runtime(timer) = &mut self.timer {
            let at = Instant::from_std(self.clock.instant(at_ns));
            if at < timer.deadline() {
                timer.as_mut().reset(at);
            }
        }
    }

    /// Ready once the end has passed.
    pub(super) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.timer {
            Timer::Runtime(timer) => loop {
                ready!(timer.as_mut().poll(cx));
                if self.clock.now_ns() >= self.at_ns {
                    return Poll::Ready(());
                }
                let at = Instant::from_std(self.clock.instant(self.at_ns));
                timer.as_mut().reset(at);
            },
            #[cfg(target_os = "linux")]
            Timer::Loop => turn::poll_until(self.at_ns),
        }
    }
}

/// How long to wait for each phase of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When its first try was sent, from which its whole time counts.
    pub(super) began_ns: u64,
    /// When the request was sent.
    pub(super) sent_ns: u64,
    /// The phases' limits.
    pub(super) timeouts: Timeouts,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No output yet.
    Waiting,
    /// Output has begun.
    Streaming {
        /// Arrival of the latest event; a server that only sends comments has stalled.
        last_event_ns: u64,
    },
    /// The answer is whole, only the end of the body is missing.
    Done {
        /// Arrival of the event that ended it.
        done_ns: u64,
    },
}

/// How long the end of a body may follow the end of the answer: it comes with it, or with the next packet. Beyond that the
/// stream has its next request to send, on another connection.
const GRACE_NS: u64 = 100_000_000;

impl Patience {
    /// When this phase ends, and what the failure is called then.
    pub(super) fn limit(&self, phase: Phase) -> (u64, FailureClass) {
        let total_ns = self.began_ns.saturating_add(nanoseconds(self.timeouts.total));
        let (phase_ns, class) = match phase {
            Phase::Waiting => (
                self.sent_ns.saturating_add(nanoseconds(self.timeouts.first_token)),
                FailureClass::FirstTokenTimeout,
            ),
            Phase::Streaming { last_event_ns } => (
                last_event_ns.saturating_add(nanoseconds(self.timeouts.between_tokens)),
                FailureClass::Stalled,
            ),
            Phase::Done { done_ns } => (done_ns.saturating_add(GRACE_NS), FailureClass::Stalled),
        };
        if phase_ns <= total_ns {
            (phase_ns, class)
        } else {
            (total_ns, FailureClass::TotalTimeout)
        }
    }
}

impl Patience {
    /// What a timeout of this class says.
    pub(super) fn words(&self, class: FailureClass) -> String {
        let Timeouts {
            first_token,
            between_tokens,
            total,
            ..
        } = self.timeouts;
        match class {
            FailureClass::Stalled => {
                format!("the stream was silent for {between_tokens:?} (`timeouts.between_tokens`)")
            }
            FailureClass::TotalTimeout => format!("the answer was not whole after {total:?} (`timeouts.total`)"),
            _ => format!("no first token after {first_token:?} (`timeouts.first_token`)"),
        }
    }
}

/// A timeout in nanoseconds; a hundred years stand for any longer one, so that clocks do not overflow.
fn nanoseconds(duration: std::time::Duration) -> u64 {
    const CENTURY_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;
    u64::try_from(duration.as_nanos()).map_or(CENTURY_NS, |ns| ns.min(CENTURY_NS))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PATIENCE: Patience = Patience {
        began_ns: 1_000,
        sent_ns: 1_000,
        timeouts: Timeouts {
            connect: Duration::from_nanos(1),
            first_token: Duration::from_nanos(100),
            between_tokens: Duration::from_nanos(50),
            total: Duration::from_micros(1),
        },
    };

    #[test]
    fn each_phase_has_its_own_limit_and_name() {
        let streaming = |last_event_ns| Phase::Streaming { last_event_ns };
        assert_eq!(PATIENCE.limit(Phase::Waiting), (1_100, FailureClass::FirstTokenTimeout));
        assert_eq!(PATIENCE.limit(streaming(1_300)), (1_350, FailureClass::Stalled));
        assert_eq!(PATIENCE.limit(streaming(1_950)), (2_000, FailureClass::Stalled));
        assert_eq!(PATIENCE.limit(streaming(1_951)), (2_000, FailureClass::TotalTimeout));
    }

    #[test]
    fn a_request_that_is_sent_again_has_one_time_in_all() {
        let again = Patience {
            sent_ns: 1_900,
            ..PATIENCE
        };
        assert_eq!(again.limit(Phase::Waiting), (2_000, FailureClass::FirstTokenTimeout));
        let later = Patience {
            sent_ns: 1_950,
            ..PATIENCE
        };
        assert_eq!(later.limit(Phase::Waiting), (2_000, FailureClass::TotalTimeout));
    }

    #[test]
    fn an_endless_timeout_does_not_overflow() {
        let endless = Timeouts {
            first_token: Duration::MAX,
            total: Duration::MAX,
            ..PATIENCE.timeouts
        };
        let patience = Patience {
            began_ns: 5,
            sent_ns: 5,
            timeouts: endless,
        };
        let (at_ns, _) = patience.limit(Phase::Waiting);
        assert!(at_ns > 1_000_000_000_000_000_000);
        Clock::start().instant(at_ns);
    }
}
