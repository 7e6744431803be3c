//! The commit and its parent under a profiler, once they are told apart.

use super::{
    Asked, History,
    ends::Ends,
    short,
    stand::{Bench, Outcome, Stand, Stands},
    start_timeout,
};
use crate::{
    commands::{
        capture::{Subject, Wanted, capture},
        present::Screen,
    },
    plan::ArmPlace,
};

/// Profiles the commit and the parent that it was held against, in the cell of the search; tells what came of it. What was found
/// stands in any case.
pub(super) fn profiled(
    (bench, stands): (&Bench<'_>, &mut Stands),
    (history, ends): (&History, &Ends),
    (asked, parent): (&Asked, Option<&str>),
    culprit: usize,
) -> String {
    let Some(commit) = history.commit(culprit).map(|commit| commit.id.clone()) else {
        return String::new();
    };
    let Some(parent) = parent.or_else(|| history.parents_of(culprit).first().map(String::as_str)) else {
        return "nothing was profiled: the commit has no parent\n".to_owned();
    };
    for (stand, id) in [(&mut stands.anchor, parent), (&mut stands.probe, commit.as_str())] {
        let why = match stand.build(bench, id) {
            Ok(Ok(_)) => continue,
            Ok(Err(Outcome::Broken(why))) => why,
            Ok(Err(_)) => "interrupted".to_owned(),
            Err(error) => error.to_string(),
        };
        return format!("nothing was profiled: {} could not be built: {why}\n", short(id));
    }
    let arms = bench.arms(stands);
    let subject = |name: &'static str, place: ArmPlace, stand: &Stand| Subject {
        name,
        place,
        engine: stand.engine.clone(),
    };
    let wanted = Wanted {
        plan: &bench.resolved.plan,
        cell: &ends.cell,
        profiling: &bench.resolved.profiling,
        subjects: vec![
            subject("parent", arms.baseline, &stands.anchor),
            subject("commit", arms.candidate, &stands.probe),
        ],
        secrets: bench.secrets.clone(),
        dataset_dir: &bench.resolved.settings.dataset_dir,
        idle_answers: bench.resolved.settings.idle_answers.clone(),
        start_timeout: start_timeout(bench.resolved),
        withholds_secrets: true,
        folder: asked.folder.clone(),
        log_dir: &bench.logs,
        guard: &bench.guard,
        screen: Screen::default(),
    };
    capture(&wanted, bench.console, bench.interrupt)
}
