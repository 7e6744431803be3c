use super::*;
use crate::{
    measure::synthetic::{Figures, session},
    session::RequestRecord,
};

/// Four requests a run, of which each of two shards sent two; the second began 30 ms after the first.
fn shards() -> Vec<(String, Session)> {
    let whole = session(&[2], &[Figures::default(); 2]);
    let part = |index: u32| {
        let mut own = whole.clone();
        own.plan.shard = Some(Sharing::Part(Shard { index, of: 2 }));
        for run in own.cells.iter_mut().flat_map(|cell| &mut cell.runs) {
            run.requests.retain(|record| record.index % 2 == index);
            run.itl = GapCounts {
                bins: vec![(1000, 2), (2000 + u64::from(index), 1)],
            };
            run.shard = Some(ShardStart {
                agreed_unix_ns: 1_000_000_000,
                began_unix_ns: 1_000_000_000 + u64::from(index) * 30_000_000,
                clock_ahead_ns: Some(i64::from(index) * 5_000_000),
            });
        }
        (format!("shard-{}.json", index + 1), own)
    };
    (0..2).map(part).collect()
}

fn first_run(session: &mut Session) -> &mut Run {
    &mut session.cells[0].runs[0]
}

#[test]
fn shards_become_the_whole_on_one_clock() {
    let parts = shards();
    let whole = merge(&parts).unwrap();
    assert_eq!(
        (whole.plan.shard, &whole.ended),
        (Some(Sharing::All(2)), &Ended::Complete)
    );
    let run = &whole.cells[0].runs[0];
    let of = |part: usize| parts[part].1.cells[0].runs[0].requests.clone();
    let (first, second) = (of(0), of(1));
    assert_eq!(run.requests.len(), first.len() + second.len());
    let at = |index: u32| run.requests.iter().find(|record| record.index == index).unwrap();
    let sent =
        |records: &[RequestRecord], index: u32| records.iter().find(|record| record.index == index).unwrap().sent_ns;
    assert_eq!(at(0).sent_ns, sent(&first, 0));
    assert_eq!(at(1).sent_ns, sent(&second, 1) + 30_000_000, "it began later");
    assert_eq!(run.itl.bins, [(1000, 4), (2000, 1), (2001, 1)]);
    assert!(run.requests.is_sorted_by_key(|record| record.index) && run.cut_short.is_none());
    let mut turned = parts;
    turned.reverse();
    assert_eq!(
        merge(&turned).unwrap().cells,
        whole.cells,
        "whatever the order of the files"
    );
}

type Change<'a> = &'a dyn Fn(&mut Vec<(String, Session)>);

fn refused(cases: &[(Change<'_>, &str)]) {
    for (change, says) in cases {
        let mut parts = shards();
        change(&mut parts);
        let told = merge(&parts).unwrap_err().to_string();
        assert!(told.contains(says), "{says}: {told}");
    }
}

#[test]
fn what_is_no_whole_is_refused() {
    refused(&[
        (&|parts| parts.clear(), "no session to merge"),
        (
            &|parts| parts[1].1.plan.shard = None,
            "`shard-2.json` is no session of a shard",
        ),
        (
            &|parts| parts.truncate(1),
            "shard 2 is missing: name the sessions of all 2",
        ),
        (
            &|parts| parts[1].1.plan.shard = parts[0].1.plan.shard,
            "are both shard 1/2",
        ),
        (
            &|parts| parts[1].1.plan.shard = "2/3".parse().ok(),
            "parts of different measurements",
        ),
        (
            &|parts| parts[1].1.plan.seed = 7,
            "did not measure what `shard-1.json` did: plan.seed is 7 and 42",
        ),
        (&|parts| parts[1].1.tool_version = "9.9.9".into(), "perfgate is 9.9.9"),
        (
            &|parts| parts[1].1.environment.engine_version = Some("2".into()),
            "engine.version",
        ),
        (
            &|parts| parts[1].1.cells[0].schedule_sha256 = Some("other".into()),
            "plan.schedule",
        ),
        (
            &|parts| {
                let twice = parts[0].1.cells[0].runs[0].requests[0].clone();
                first_run(&mut parts[1].1).requests.push(twice);
            },
            "request 0 of",
        ),
    ]);
}

#[test]
fn shards_that_began_apart_or_whose_clocks_are_apart_are_refused() {
    let start = |parts: &mut [(String, Session)], change: &dyn Fn(&mut ShardStart)| {
        change(first_run(&mut parts[1].1).shard.as_mut().unwrap());
    };
    refused(&[
        (
            &|parts| start(parts, &|start| start.began_unix_ns += 200_000_000),
            "shard 2/2 began 230 ms after the time that was agreed",
        ),
        (
            &|parts| start(parts, &|start| start.agreed_unix_ns -= 1),
            "told different times",
        ),
        (
            &|parts| start(parts, &|start| start.clock_ahead_ns = Some(-400_000_000)),
            "the clock of shard 1/2 is 400 ms ahead of that of shard 2/2",
        ),
        (
            &|parts| first_run(&mut parts[1].1).shard = None,
            "shard 2/2 does not say when it began",
        ),
    ]);
}

#[test]
fn a_shard_that_did_not_end_well_spoils_the_whole_and_the_others_records_stay() {
    let mut parts = shards();
    parts[1].1.ended = Ended::Interrupted;
    parts[1].1.cells[0].runs.pop();
    let whole = merge(&parts).unwrap();
    assert_eq!(whole.ended, Ended::Aborted("shard 2/2 was interrupted".into()));
    let runs = &whole.cells[0].runs;
    assert_eq!(runs[1].cut_short.as_deref(), Some("shard 2/2 has no such run"));
    assert_eq!(runs[1].requests, parts[0].1.cells[0].runs[1].requests);
    assert!(runs[0].cut_short.is_none() && !runs[0].requests.is_empty());
    assert!(invalid_because(&whole).is_some());
}

#[test]
fn a_shard_that_died_makes_the_whole_invalid_and_leaves_it_what_the_others_have() {
    let second = Shard { index: 1, of: 2 };
    let lost = [(second, "signal 9 on n2".to_owned())];
    let mut parts = shards();
    parts[1].1.ended = Ended::Interrupted;
    parts[1].1.cells[0].runs.truncate(1);
    let whole = merge_but(&parts, &lost).unwrap();
    assert_eq!(whole.ended, Ended::Aborted("shard 2/2 died: signal 9 on n2".into()));
    let cut = |whole: &Session| -> Vec<(usize, bool)> {
        let runs = whole.cells[0].runs.iter();
        runs.map(|run| (run.requests.len(), run.cut_short.is_some())).collect()
    };
    assert_eq!(cut(&whole), [(200, false), (100, true)]);
    // One that left nothing at all.
    parts.truncate(1);
    assert!(matches!(merge(&parts), Err(MergeError::Missing { .. })));
    let whole = merge_but(&parts, &lost).unwrap();
    assert_eq!(cut(&whole), [(100, true); 2]);
    assert_eq!(whole.plan.shard, Some(Sharing::All(2)));
    assert!(
        whole.notes.iter().any(|note| note == "merged from 1 of 2 shards"),
        "{:?}",
        whole.notes
    );
    assert_eq!(merge_but(&[], &lost), Err(MergeError::Nothing));
}

#[test]
fn the_cause_is_with_the_shard_that_went_first() {
    let mut parts = shards();
    parts[0].1.ended = Ended::Aborted(format!("shard 2/2 {COMES_NO_MORE}: its server is gone"));
    parts[1].1.ended = Ended::Aborted("its server is gone".into());
    let whole = merge(&parts).unwrap();
    assert_eq!(
        whole.ended,
        Ended::Aborted("shard 2/2 was stopped: its server is gone".into())
    );
}
