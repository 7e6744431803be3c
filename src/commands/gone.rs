//! Shards that come no more: the marks they leave in the folder where all of them meet.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    plan::{Meeting, Shard},
    session::Ended,
};

/// What no reader of a mark needs more of, in signs.
const MOST_OF_A_MARK: usize = 300;

/// Leaves word that a shard comes no more, and why, so that nobody waits for it; what was said before stays.
///
/// Whoever sees a worker die may do the same: `shard3.gone` in the folder is what the others look for.
pub(super) fn leave((meeting, shard): (&Meeting, Shard), why: &str) {
    if let Meeting::Folder(folder) = meeting {
        say(folder, shard.index, why);
    }
}

/// The same of one whose measurement ended so; nobody waits for one that is complete.
pub(super) fn leave_as(whose: (&Meeting, Shard), ended: &Ended) {
    match ended {
        Ended::Complete => {}
        Ended::Interrupted => leave(whose, "it was interrupted"),
        Ended::Aborted(reason) => leave(whose, reason),
    }
}

/// The same by somebody else.
pub(super) fn say(folder: &Path, index: u32, why: &str) {
    let mark = mark(folder, index);
    let new = mark.with_extension("gone.new");
    // Where it cannot be written the others wait as long as they have patience; there is nobody to be told.
    if !mark.exists() && fs::write(&new, why).is_ok() {
        let _ = fs::rename(new, mark);
    }
}

/// Why a shard comes no more, where it is known to.
pub(super) fn why(folder: &Path, index: u32) -> Option<String> {
    let text = fs::read(mark(folder, index)).ok()?;
    let text: String = String::from_utf8_lossy(&text).chars().take(MOST_OF_A_MARK).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(words.join(" "))
}

/// The file that says so.
pub(super) fn mark(folder: &Path, index: u32) -> PathBuf {
    folder.join(format!("shard{}.gone", index + 1))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{
        commands::meeting::{meet, part},
        load::Interrupt,
    };

    #[test]
    fn nobody_waits_for_a_shard_that_comes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let meeting = Meeting::Folder(folder.path().to_owned());
        let third = (&meeting, Shard { index: 2, of: 3 });
        leave(third, "signal 9\n  on n3");
        leave(third, "what comes later is not the cause");
        thread::scope(|scope| {
            for index in 0..2 {
                let meeting = &meeting;
                scope.spawn(move || {
                    let own = Shard { index, of: 3 };
                    let told = meet((meeting, own), (0, 0), &Interrupt::never())
                        .unwrap_err()
                        .to_string();
                    assert!(told.contains("shard 3/3 comes no more: signal 9 on n3"), "{told}");
                    let told = part((meeting, own), (0, 0), &Interrupt::never())
                        .unwrap_err()
                        .to_string();
                    assert!(told.contains("shard 3/3 comes no more"), "{told}");
                });
            }
        });
        // One that did its part before it went is not missed.
        let both = tempfile::tempdir().unwrap();
        let meeting = Meeting::Folder(both.path().to_owned());
        fs::write(both.path().join("cell0-run0.shard2.done"), "").unwrap();
        leave((&meeting, Shard { index: 1, of: 2 }), "exit code 4");
        part((&meeting, Shard { index: 0, of: 2 }), (0, 0), &Interrupt::never()).unwrap();
    }
}
