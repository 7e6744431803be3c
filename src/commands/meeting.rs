//! The shards of a run begin together: at a time that all were told, or that they agree on in a folder that all of them see.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::gone;
use crate::{
    load::{Interrupt, LoadError, Stopped},
    plan::{Meeting, Shard},
    session::{COMES_NO_MORE, ShardStart},
};

/// So long a shard waits for the others: for servers to be warmed up, and for an engine of jobs to start them all.
const PATIENCE: Duration = Duration::from_secs(900);
/// From the moment when all are there to the start: the time in which all must have learnt of it and made their prompts.
const NOTICE: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// When a run is to begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    /// On this machine's steady clock.
    pub(super) at: Instant,
    agreed_unix_ns: u64,
    clock_ahead_ns: Option<i64>,
}

impl Met {
    /// What is kept of it, once it is known when the run began.
    pub(super) fn began(&self, at: Instant) -> ShardStart {
        ShardStart {
            agreed_unix_ns: self.agreed_unix_ns,
            began_unix_ns: unix_ns_at(at),
            clock_ahead_ns: self.clock_ahead_ns,
        }
    }
}

/// Waits until it is known when the run of a cell begins.
///
/// # Errors
/// Ctrl-C; a folder that cannot be used or holds another measurement; shards that do not come; a time that is over.
pub(super) fn meet(
    (meeting, shard): (&Meeting, Shard),
    (cell, repeat): (usize, u32),
    interrupt: &Interrupt,
) -> Result<Met, Stopped> {
    let (agreed_unix_ns, clock_ahead_ns) = match meeting {
        Meeting::At(unix_ns) => (*unix_ns, None),
        Meeting::Folder(folder) => {
            let place = Place::of(folder, shard, (cell, repeat));
            let clock_ahead_ns = place.come()?;
            let agreed = if shard.index == 0 {
                place.lead(interrupt)?
            } else {
                place.follow(interrupt)?
            };
            (agreed, Some(clock_ahead_ns))
        }
    };
    let (now, unix_ns) = (Instant::now(), unix_ns_at(Instant::now()));
    let left = agreed_unix_ns
        .checked_sub(unix_ns)
        .map(Duration::from_nanos)
        .ok_or_else(|| {
            let late = Duration::from_nanos(unix_ns - agreed_unix_ns);
            trouble(&format!(
                "shard {shard} was ready {:.1} s after the time at which all were to begin (`--start-at`, or two seconds after the last one \
             came); give a later time, or a machine that is less busy",
                late.as_secs_f64()
            ))
        })?;
    Ok(Met {
        at: now + left,
        agreed_unix_ns,
        clock_ahead_ns,
    })
}

/// Waits until all shards are done with the run of a cell: what comes next, as an emptied cache, would disturb those that are not.
///
/// # Errors
/// As [`meet`].
pub(super) fn part(
    (meeting, shard): (&Meeting, Shard),
    (cell, repeat): (usize, u32),
    interrupt: &Interrupt,
) -> Result<(), Stopped> {
    let Meeting::Folder(folder) = meeting else {
        return Ok(());
    };
    let place = Place::of(folder, shard, (cell, repeat));
    let own = place.file(shard.index, DONE);
    fs::write(&own, "").map_err(|source| place.broken(&source))?;
    place.wait_for_all(DONE, interrupt)
}

/// What a shard says of itself in the folder.
const READY: &str = "ready";
const DONE: &str = "done";

/// Where the shards meet before one run.
struct Place<'a> {
    folder: &'a Path,
    name: String,
    shard: Shard,
}

impl<'a> Place<'a> {
    fn of(folder: &'a Path, shard: Shard, (cell, repeat): (usize, u32)) -> Self {
        Self {
            folder,
            name: format!("cell{cell}-run{repeat}"),
            shard,
        }
    }

    fn file(&self, index: u32, what: &str) -> PathBuf {
        self.folder.join(format!("{}.shard{}.{what}", self.name, index + 1))
    }

    fn go(&self) -> PathBuf {
        self.folder.join(format!("{}.go", self.name))
    }

    /// What is in the folder: a file system over the network may remember for long that a single file is not there.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// Says that this shard is ready; by how much its clock is ahead of the folder's.
    fn come(&self) -> Result<i64, Stopped> {
        fs::create_dir_all(self.folder).map_err(|source| self.broken(&source))?;
        if self.go().exists() {
            return Err(self.used());
        }
        let path = self.file(self.shard.index, READY);
        let before = SystemTime::now();
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(self.used()),
            Err(error) => return Err(self.broken(&error)),
        };
        let made = |file: &mut File| -> io::Result<SystemTime> {
            file.write_all(b"ready\n")?;
            file.sync_all()?;
            file.metadata()?.modified()
        };
        let there = made(&mut file).map_err(|source| self.broken(&source))?;
        Ok(outside((before, SystemTime::now()), there))
    }

    fn wait_for_all(&self, what: &str, interrupt: &Interrupt) -> Result<(), Stopped> {
        self.wait(interrupt, || {
            let there = self.files();
            let away = self.away(what, &there);
            self.refuse_gone(&away, &there)?;
            let names: Vec<String> = away.iter().map(|index| (index + 1).to_string()).collect();
            let missing = format!("shard {} of {}", names.join(", "), self.shard.of);
            Ok((!away.is_empty()).then_some(missing))
        })
    }

    /// The shards that have not said it.
    fn away(&self, what: &str, there: &[PathBuf]) -> Vec<u32> {
        let is_away = |index: &u32| !there.contains(&self.file(*index, what));
        (0..self.shard.of).filter(is_away).collect()
    }

    /// Nobody waits for shards that come no more.
    fn refuse_gone(&self, awaited: &[u32], there: &[PathBuf]) -> Result<(), Stopped> {
        let is_gone = |index: &&u32| there.contains(&gone::mark(self.folder, **index));
        let Some(&index) = awaited.iter().find(is_gone) else {
            return Ok(());
        };
        let of = self.shard.of;
        let shard = Shard { index, of };
        let why = gone::why(self.folder, index).unwrap_or_default();
        Err(trouble(&format!("shard {shard} {COMES_NO_MORE}: {why}")))
    }

    /// Waits for all, and says when to begin.
    fn lead(&self, interrupt: &Interrupt) -> Result<u64, Stopped> {
        self.wait_for_all(READY, interrupt)?;
        let at = unix_ns_at(Instant::now() + NOTICE);
        let new = self.folder.join(format!("{}.go.new", self.name));
        fs::write(&new, at.to_string())
            .and_then(|()| fs::rename(&new, self.go()))
            .map_err(|source| self.broken(&source))?;
        Ok(at)
    }

    /// Waits until the first shard has said when to begin.
    fn follow(&self, interrupt: &Interrupt) -> Result<u64, Stopped> {
        let mut found = None;
        self.wait(interrupt, || {
            let there = self.files();
            if there.contains(&self.go()) {
                let text = fs::read_to_string(self.go()).ok();
                found = text.and_then(|text| text.trim().parse().ok());
            } else {
                // The first one says nothing before all are there.
                self.refuse_gone(&self.away(READY, &there), &there)?;
                self.refuse_gone(&[0], &there)?;
            }
            Ok(found.is_none().then(|| "the first shard's word".to_owned()))
        })?;
        found.ok_or_else(|| trouble("the first shard's word was lost"))
    }

    fn wait(
        &self,
        interrupt: &Interrupt,
        mut look: impl FnMut() -> Result<Option<String>, Stopped>,
    ) -> Result<(), Stopped> {
        let until = Instant::now() + PATIENCE;
        while let Some(missing) = look()? {
            if interrupt.is_set() {
                return Err(Stopped::Interrupted);
            }
            if Instant::now() > until {
                let (folder, waited) = (self.folder.display(), PATIENCE.as_secs() / 60);
                return Err(trouble(&format!(
                    "{missing} did not come into `{folder}` within {waited} minutes: look whether its job runs and sees the folder"
                )));
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    fn used(&self) -> Stopped {
        trouble(&format!(
            "`{}` holds an earlier measurement: give all shards a folder that is new",
            self.folder.display()
        ))
    }

    fn broken(&self, source: &io::Error) -> Stopped {
        trouble(&format!("cannot write into `{}`: {source}", self.folder.display()))
    }
}

fn trouble(what: &str) -> Stopped {
    Stopped::Load(LoadError::Shards(what.to_owned()))
}

/// By how much this clock is ahead of another that showed a time between two moments of this one: what a slow disk explains is none.
fn outside((before, after): (SystemTime, SystemTime), there: SystemTime) -> i64 {
    let whole = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    if let Ok(ahead) = before.duration_since(there) {
        return whole(ahead);
    }
    there.duration_since(after).map_or(0, |behind| -whole(behind))
}

/// What the clock on the wall shows at a moment.
fn unix_ns_at(at: Instant) -> u64 {
    let (now, here) = (SystemTime::now(), Instant::now());
    let then = match at.checked_duration_since(here) {
        Some(later) => now + later,
        None => now - here.duration_since(at),
    };
    let since = then.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn together(folder: &Path, of: u32, repeat: u32) -> Vec<Result<Met, Stopped>> {
        let meeting = Meeting::Folder(folder.to_owned());
        thread::scope(|scope| {
            let ask = |index| {
                let meeting = &meeting;
                scope.spawn(move || meet((meeting, Shard { index, of }), (0, repeat), &Interrupt::never()))
            };
            let all: Vec<_> = (0..of).map(ask).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        })
    }

    #[test]
    fn all_learn_of_one_time_that_lies_ahead_and_no_folder_is_used_twice() {
        let folder = tempfile::tempdir().unwrap();
        for repeat in 0..2 {
            let met: Vec<Met> = together(folder.path(), 3, repeat)
                .into_iter()
                .map(Result::unwrap)
                .collect();
            assert!(
                met.iter()
                    .all(|one| one.agreed_unix_ns == met[0].agreed_unix_ns && one.at > Instant::now())
            );
            // The folder is on this machine.
            assert!(
                met.iter().all(|one| one.clock_ahead_ns.unwrap().abs() < 1_000_000_000),
                "{met:?}"
            );
            let start = met[1].began(met[1].at + Duration::from_millis(300));
            let late_ms = (start.began_unix_ns - start.agreed_unix_ns) / 1_000_000;
            assert!((290..=310).contains(&late_ms), "{late_ms}");
        }
        for again in together(folder.path(), 3, 0) {
            let told = again.unwrap_err().to_string();
            assert!(told.contains("holds an earlier measurement"), "{told}");
        }
    }

    #[test]
    fn nobody_goes_on_before_all_are_done() {
        let folder = tempfile::tempdir().unwrap();
        let meeting = Meeting::Folder(folder.path().to_owned());
        let last = AtomicBool::new(false);
        thread::scope(|scope| {
            let leave = |index: u32| {
                let (meeting, last) = (&meeting, &last);
                scope.spawn(move || {
                    if index == 2 {
                        thread::sleep(Duration::from_millis(100));
                        last.store(true, Ordering::SeqCst);
                    }
                    part((meeting, Shard { index, of: 3 }), (0, 0), &Interrupt::never()).unwrap();
                    assert!(last.load(Ordering::SeqCst), "the last one is done");
                })
            };
            let all: Vec<_> = (0..3).map(leave).collect();
            for one in all {
                one.join().unwrap();
            }
        });
    }

    #[test]
    fn a_slow_disk_is_no_clock_that_is_ahead() {
        let at = |ms: u64| UNIX_EPOCH + Duration::from_millis(1_000_000 + ms);
        let ahead_ms = |there: u64| outside((at(0), at(300)), at(there)) / 1_000_000;
        assert_eq!([0, 150, 300].map(ahead_ms), [0; 3]);
        assert_eq!(
            (ahead_ms(500), outside((at(200), at(300)), at(0)) / 1_000_000),
            (-200, 200)
        );
    }

    #[test]
    fn a_time_that_is_over_is_no_start_and_ctrl_c_ends_the_wait() {
        let one = Shard { index: 1, of: 2 };
        let past = Meeting::At(unix_ns_at(Instant::now()) - 3_000_000_000);
        let told = meet((&past, one), (0, 0), &Interrupt::never()).unwrap_err().to_string();
        assert!(told.contains("was ready 3.") && told.contains("shard 2/2"), "{told}");
        let folder = tempfile::tempdir().unwrap();
        let (meeting, interrupt) = (Meeting::Folder(folder.path().to_owned()), Interrupt::never());
        interrupt.trigger();
        assert!(matches!(
            meet((&meeting, one), (0, 0), &interrupt),
            Err(Stopped::Interrupted)
        ));
    }
}
