//! Who holds what a server needs: its port, the GPUs.

use std::{collections::BTreeSet, path::Path};

use super::leftovers::is_left_behind;
use crate::process::{listener, name_of, temporary};

/// What stops the servers of a perfgate that was killed.
const CLEANUP: &str = "`perfgate bisect --cleanup` stops it";

/// Who listens on a port, and what to do, as the end of a sentence.
pub(super) fn of_port(port: u16, records: &Path) -> String {
    match listener(port) {
        None => "; stop what listens there".to_owned(),
        Some(process) if is_left(process, records) => format!(
            " by {}, which a perfgate started that was killed; {CLEANUP}",
            in_words(process)
        ),
        Some(process) => format!(" by {}; stop it", in_words(process)),
    }
}

/// Who is on the GPUs beside our own processes, in words, with what to do; `None` where nobody is.
pub fn of_gpus(gpus: &[BTreeSet<u32>], own: &[u32], records: &Path) -> Option<String> {
    let mut others: BTreeSet<u32> = gpus.iter().flatten().copied().collect();
    others.retain(|process| !own.contains(process));
    if others.is_empty() {
        return None;
    }
    let left: Vec<u32> = others
        .iter()
        .copied()
        .filter(|process| is_left(*process, records))
        .collect();
    let named: Vec<String> = others.iter().map(|process| in_words(*process)).collect();
    let what = match left.as_slice() {
        [] => "stop what nobody needs of it".to_owned(),
        [one] => format!("process {one} was started by a perfgate that was killed, and {CLEANUP}"),
        several => format!(
            "processes {} were started by a perfgate that was killed, and `perfgate bisect --cleanup` stops them",
            several.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
        ),
    };
    Some(format!("on the GPU are {}: {what}", named.join(", ")))
}

/// Whether a perfgate that is gone has left it, by the records in this folder and in that for temporary files.
fn is_left(process: u32, records: &Path) -> bool {
    is_left_behind(records, process) || is_left_behind(&temporary(), process)
}

/// In a container the driver may count processes in another way than the system does: then there is no name.
pub(super) fn in_words(process: u32) -> String {
    match name_of(process) {
        Some(name) => format!("`{name}` (process {process})"),
        None => format!("process {process}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_processes_on_a_gpu_are_no_news() {
        let own = std::process::id();
        let gpus = [BTreeSet::from([own, u32::MAX]), BTreeSet::from([own])];
        let told = of_gpus(&gpus, &[own], Path::new("/nowhere")).unwrap();
        assert_eq!(
            told,
            format!("on the GPU are process {}: stop what nobody needs of it", u32::MAX)
        );
        assert_eq!(of_gpus(&gpus[1..], &[own], Path::new("/nowhere")), None);
        assert_eq!(of_gpus(&[], &[], Path::new("/nowhere")), None);
    }
}
