//! Follows a measurement on a thread of its own: redraws the view, keeps the file for `perfgate watch`, writes lines
//! for a log. The measurement itself only counts.

use std::{
    io::Stderr,
    panic,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::painter::{Painter, size_of_stderr};
use crate::{
    commands::{Stage, live::Following, watch::now_unix_ms},
    load::InFlight,
    measure::live::Live,
    render::{LEAST_VIEW, live_line, live_view},
    session::RequestRecord,
    store,
    telemetry::GpuNow,
};

/// Time between two pictures.
const REDRAW: Duration = Duration::from_millis(250);
/// Time between two writes of the file.
const WRITE: Duration = Duration::from_secs(1);
/// Time between two lines of a log.
const LOG: Duration = Duration::from_secs(10);

/// Where what is followed goes.
#[derive(Default)]
pub(super) struct Outlets {
    /// On standard error, in colour or not.
    pub(super) view: Option<bool>,
    /// For `perfgate watch` in another process.
    pub(super) file: Option<PathBuf>,
    /// A line now and then.
    pub(super) log: Option<fn(&str)>,
}

impl Outlets {
    fn is_none(&self) -> bool {
        self.view.is_none() && self.file.is_none() && self.log.is_none()
    }
}

/// Follows a measurement from its first stage to its end.
pub(super) struct Follower {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    since: Instant,
    following: Mutex<Following>,
    in_flight: InFlight,
    gpu: Mutex<GpuNow>,
    outlets: Outlets,
    painter: Mutex<Painter<Stderr>>,
    is_over: Mutex<bool>,
    ended: Condvar,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Follower {
    pub(super) fn new(outlets: Outlets) -> Self {
        let shared = Arc::new(Shared {
            since: Instant::now(),
            following: Mutex::default(),
            in_flight: InFlight::counted(),
            gpu: Mutex::default(),
            outlets,
            painter: Mutex::new(Painter::new(std::io::stderr())),
            is_over: Mutex::new(true),
            ended: Condvar::new(),
        });
        if shared.outlets.view.is_some() {
            clear_on_panic(&shared);
        }
        Self {
            shared,
            thread: Mutex::new(None),
        }
    }

    /// What counts the requests under way; nothing does where nobody looks.
    pub(super) fn in_flight(&self) -> InFlight {
        if self.shared.outlets.is_none() {
            return InFlight::default();
        }
        self.shared.in_flight.clone()
    }

    pub(super) fn gpu(&self, now: GpuNow) {
        *locked(&self.shared.gpu) = now;
    }

    pub(super) fn begin(&self, stage: &Stage) {
        if self.shared.outlets.is_none() {
            return;
        }
        locked(&self.shared.following).begin(stage, self.shared.now_s());
        let mut thread = locked(&self.thread);
        if thread.is_none() {
            *locked(&self.shared.is_over) = false;
            let shared = Arc::clone(&self.shared);
            // Without the thread nothing is shown, and the measurement goes on.
            *thread = thread::Builder::new()
                .name("follower".into())
                .spawn(move || shared.follow())
                .ok();
        }
    }

    pub(super) fn request_done(&self, arm: Option<&'static str>, record: &RequestRecord) {
        if !self.shared.outlets.is_none() {
            let at_s = self.shared.now_s();
            locked(&self.shared.following).request_done(arm, record, at_s);
        }
    }

    /// Writes a line that stays, above what is drawn.
    pub(super) fn above(&self, write: impl FnOnce()) {
        locked(&self.shared.painter).above(columns(), write);
    }

    /// The measurement is over: what was drawn and written is taken away.
    pub(super) fn end(&self) {
        *locked(&self.shared.is_over) = true;
        self.shared.ended.notify_all();
        if let Some(thread) = locked(&self.thread).take() {
            // A panic there has told itself.
            let _ = thread.join();
            locked(&self.shared.painter).clear(columns());
            self.shared
                .outlets
                .file
                .iter()
                .for_each(|file| store::remove_live(file));
        }
        *locked(&self.shared.following) = Following::default();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn now_s(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    fn live(&self) -> Option<Live> {
        let gpu = locked(&self.gpu).get();
        locked(&self.following).now(self.now_s(), self.in_flight.now(), gpu)
    }

    fn follow(&self) {
        let every = if self.outlets.view.is_some() { REDRAW } else { WRITE };
        let (mut written, mut logged) = (None, Some(Instant::now()));
        while !self.waited(every) {
            let Some(live) = self.live() else { continue };
            self.redraw(&live);
            if let Some(file) = self.outlets.file.as_ref().filter(|_| is_due(&mut written, WRITE)) {
                // A folder that takes no file takes no session either, and that is told.
                let _ = store::write_live(file, &live, now_unix_ms());
            }
            if let Some(log) = self.outlets.log.filter(|_| is_due(&mut logged, LOG)) {
                log(&live_line(&live));
            }
        }
    }

    /// Waits for the next turn; whether it was the last.
    fn waited(&self, every: Duration) -> bool {
        let is_over = locked(&self.is_over);
        let waited = self.ended.wait_timeout_while(is_over, every, |is_over| !*is_over);
        let (is_over, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *is_over
    }

    fn redraw(&self, live: &Live) {
        let Some(color) = self.outlets.view else { return };
        let room = size_of_stderr().unwrap_or(LEAST_VIEW);
        let mut painter = locked(&self.painter);
        // One that ended meanwhile was cleared, and is to stay so.
        if !*locked(&self.is_over) {
            painter.draw(live_view(live, room, color), room.0);
        }
    }
}

fn columns() -> u16 {
    size_of_stderr().map_or(LEAST_VIEW.0, |(columns, _)| columns)
}

fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let is_due = last.is_none_or(|last| last.elapsed() >= every);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

/// What a panic says stands below what was drawn no more, but in its place, and nothing is drawn over it.
fn clear_on_panic(shared: &Arc<Shared>) {
    let shared = Arc::downgrade(shared);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |told| {
        if let Some(shared) = shared.upgrade() {
            // Neither waits: who panics may hold it.
            if let Ok(mut is_over) = shared.is_over.try_lock() {
                *is_over = true;
            }
            if let Ok(mut painter) = shared.painter.try_lock() {
                painter.clear(columns());
            }
        }
        usual(told);
    }));
}
