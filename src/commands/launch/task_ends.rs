//! What `srun` says of workers that ended badly: it knows of those that could say nothing themselves.

/// So many tasks may stand in one line; more are no list.
const MOST_TASKS: u32 = 100_000;

/// Tasks, counted from 0, with how each ended (`Killed on n3`), as far as they are told in `srun`'s standard error.
pub(super) fn of(log: &str) -> Vec<(u32, String)> {
    log.lines().filter_map(of_line).flatten().collect()
}

/// `srun: error: n[1-2]: tasks 0-1: Exited with exit code 2`.
fn of_line(line: &str) -> Option<Vec<(u32, String)>> {
    let told = line.trim().strip_prefix("srun: error: ")?;
    let (hosts, rest) = told.split_once(": task")?;
    let (list, how) = rest.strip_prefix('s').unwrap_or(rest).split_once(": ")?;
    let tasks = list.trim().split(',').map(range).collect::<Option<Vec<_>>>()?;
    let how = format!("{how} on {hosts}");
    Some(tasks.into_iter().flatten().map(|task| (task, how.clone())).collect())
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < MOST_TASKS).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_a_line_is_told_and_other_lines_are_none() {
        let log = "\
srun: job 12 queued and waiting for resources
srun: error: n3: task 2: Killed
srun: error: n[1-2]: tasks 0-1,5: Exited with exit code 2
srun: error: n9: task 7: Out Of Memory
srun: error: Node failure on n4
srun: error: n1: task x: Killed
slurmstepd: error: *** STEP 12.0 ON n1 CANCELLED AT 2026-11-28T22:00:00 ***
a worker's own line: task 3: fine
";
        let two = "Exited with exit code 2 on n[1-2]".to_owned();
        assert_eq!(
            of(log),
            [
                (2, "Killed on n3".to_owned()),
                (0, two.clone()),
                (1, two.clone()),
                (5, two),
                (7, "Out Of Memory on n9".to_owned())
            ]
        );
    }
}
