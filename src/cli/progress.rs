//! How a measurement looks while it runs: a bar with rate and ETA or a whole view on a terminal, plain lines in CI, nothing
//! when quiet.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::follower::{Follower, Outlets};
use crate::{
    commands::{Console, Stage},
    load::InFlight,
    session::RequestRecord,
    store,
    telemetry::GpuNow,
};

/// Between two signs of a spinner.
const SPINNER_TICK: Duration = Duration::from_millis(200);

/// How much is shown on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A bar that is redrawn.
    Bar,
    /// The figures so far, redrawn; in colour or not.
    View {
        /// Whether in colour.
        color: bool,
    },
    /// One line for each run.
    Lines,
    /// The same, and the figures so far now and then.
    Figures,
    /// Nothing but trouble.
    Quiet,
}

/// Shows a measurement on standard error.
pub(crate) struct Progress {
    mode: Mode,
    bar: Mutex<Option<ProgressBar>>,
    follower: Follower,
    failed: AtomicU32,
    write_line: fn(&str),
}

impl Progress {
    /// `session` is the file that is measured into: beside it stands meanwhile what `perfgate watch` reads.
    pub(crate) fn new(mode: Mode, session: Option<&Path>, write_line: fn(&str)) -> Self {
        let outlets = Outlets {
            view: match mode {
                Mode::View { color } => Some(color),
                _ => None,
            },
            file: session.and_then(store::live_path),
            log: (mode == Mode::Figures).then_some(write_line),
        };
        Self {
            mode,
            bar: Mutex::new(None),
            follower: Follower::new(outlets),
            failed: AtomicU32::new(0),
            write_line,
        }
    }

    fn with_bar(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            act(bar);
        }
    }

    fn ensure_bar(&self, stage: &Stage) {
        let mut slot = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert_with(|| new_bar(stage.requests_in_all));
    }
}

/// A bar, or where the number of requests is not known yet, a count.
fn new_bar(requests: u64) -> ProgressBar {
    let length = (requests > 0).then_some(requests);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let template = match length {
        Some(_) => "{bar:24} {pos}/{len} requests, {per_sec}, ETA {eta}  {wide_msg}",
        None => "{pos} requests, {per_sec}  {wide_msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Shows that something goes on of which nobody knows how long it takes.
fn new_spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(SPINNER_TICK);
    bar
}

/// `baseline synthetic-64/16 @ c=4, run 3/10, warm-up`.
fn caption(stage: &Stage) -> String {
    let arm = stage.arm.map_or_else(String::new, |arm| format!("{arm}: "));
    let phase = if stage.warm_up { ", warm-up" } else { "" };
    format!("{arm}{}, run {}/{}{phase}", stage.cell, stage.run, stage.runs)
}

impl Console for Progress {
    fn say(&self, line: &str) {
        if self.mode != Mode::Quiet {
            self.warn(line);
        }
    }

    fn warn(&self, line: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match bar.as_ref() {
            Some(bar) => bar.suspend(|| (self.write_line)(line)),
            None => self.follower.above(|| (self.write_line)(line)),
        }
    }

    fn doing(&self, what: &str) {
        if self.mode != Mode::Bar {
            return self.say(what);
        }
        let mut slot = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = slot.get_or_insert_with(new_spinner);
        bar.set_message(what.to_owned());
    }

    fn begin(&self, stage: &Stage) {
        self.follower.begin(stage);
        match self.mode {
            Mode::Bar => {
                self.ensure_bar(stage);
                let failed = self.failed.load(Ordering::Relaxed);
                let trouble = if failed > 0 {
                    format!(", {failed} failed")
                } else {
                    String::new()
                };
                self.with_bar(|bar| bar.set_message(format!("{}{trouble}", caption(stage))));
            }
            Mode::Lines | Mode::Figures if !stage.warm_up => {
                (self.write_line)(&format!("measuring {} ({} requests)", caption(stage), stage.requests));
            }
            Mode::View { .. } | Mode::Lines | Mode::Figures | Mode::Quiet => {}
        }
    }

    fn request_done(&self, arm: Option<&'static str>, record: &RequestRecord) {
        self.follower.request_done(arm, record);
        if !record.completed() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.with_bar(|bar| bar.inc(1));
    }

    fn in_flight(&self) -> InFlight {
        self.follower.in_flight()
    }

    fn gpu(&self, now: GpuNow) {
        self.follower.gpu(now);
    }

    fn end(&self) {
        self.follower.end();
        let mut slot = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = slot.take() {
            bar.finish_and_clear();
        }
    }
}
