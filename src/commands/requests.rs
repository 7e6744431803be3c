//! Who is told of each request that ends: the console, and those who sample beside a run.

use std::time::Instant;

use super::Console;
use crate::{
    load::{InFlight, Watch},
    session::{PairArm, RequestRecord},
    telemetry::RunClock,
};

/// Passes ended requests on to the console, with the arm that they are of where a stage is of both, and the start of a
/// measured run to those who sample beside it.
pub(super) struct Requests<'a> {
    console: &'a dyn Console,
    arm: Option<&'static str>,
    clock: Option<&'a RunClock>,
    begins_at: Option<Instant>,
}

impl<'a> Requests<'a> {
    /// Of what is not measured.
    pub(super) fn of(console: &'a dyn Console) -> Self {
        Self {
            console,
            arm: None,
            clock: None,
            begins_at: None,
        }
    }

    /// Of one arm, in a stage of both.
    pub(super) fn of_arm(console: &'a dyn Console, arm: PairArm) -> Self {
        Self {
            arm: Some(arm.name()),
            ..Self::of(console)
        }
    }

    /// Of what is measured, on a clock that starts with it.
    pub(super) fn with(self, clock: &'a RunClock) -> Self {
        Self {
            clock: Some(clock),
            ..self
        }
    }

    /// The same, not before a moment that all shards of a run wait for.
    pub(super) fn from(self, begins_at: Option<Instant>) -> Self {
        Self { begins_at, ..self }
    }
}

impl Watch for Requests<'_> {
    fn request_done(&self, record: &RequestRecord) {
        self.console.request_done(self.arm, record);
    }

    fn in_flight(&self) -> InFlight {
        self.console.in_flight()
    }

    fn clock_starts(&self, at: Instant) {
        if let Some(clock) = self.clock {
            clock.start(at);
        }
    }

    fn begins_at(&self) -> Option<Instant> {
        self.begins_at
    }
}
