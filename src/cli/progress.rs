//! How a measurement looks while it runs: a bar with rate and ETA on a terminal, plain lines in CI, nothing when quiet.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::{Console, Stage};

/// How much is shown on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A bar that is redrawn.
    Bar,
    /// One line for each run.
    Lines,
    /// Nothing but trouble.
    Quiet,
}

/// Shows a measurement on standard error.
pub(crate) struct Progress {
    mode: Mode,
    bar: Mutex<Option<ProgressBar>>,
    failed: AtomicU32,
    write_line: fn(&str),
}

impl Progress {
    pub(crate) fn new(mode: Mode, write_line: fn(&str)) -> Self {
        Self {
            mode,
            bar: Mutex::new(None),
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
            None => (self.write_line)(line),
        }
    }

    fn begin(&self, stage: &Stage) {
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
            Mode::Lines if !stage.warm_up => {
                (self.write_line)(&format!("measuring {} ({} requests)", caption(stage), stage.requests));
            }
            Mode::Lines | Mode::Quiet => {}
        }
    }

    fn request_done(&self, completed: bool) {
        if !completed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.with_bar(|bar| bar.inc(1));
    }

    fn end(&self) {
        let mut slot = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = slot.take() {
            bar.finish_and_clear();
        }
    }
}
