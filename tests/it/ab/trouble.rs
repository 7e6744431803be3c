//! What goes wrong on the way: disturbed pairs, dead arms, too little time, arms that cannot be compared.

use std::sync::atomic::{AtomicU32, Ordering};

use perfgate::{
    commands::ab::{self, Follow},
    load::Interrupt,
    measure::{Death, death},
    plan::{ArmPlace, Launch, Lengths, Load, Prompts},
    report::{self, Reference},
    session::{Ended, PairArm, Remeasured, RequestRecord, Run, Session},
    verdict::{Policy, Verdict},
};

use super::{Follower, QUICK, Recorder, STEADY, wanted};
use crate::{command::Sim, target::sim};

fn follower() -> Follower {
    Follower {
        is_settled: false,
        interrupt_after: None,
    }
}

/// A shell command as an arm.
fn shell(script: &str) -> ArmPlace {
    ArmPlace::Command(Launch {
        command: ["sh", "-c", script].map(str::to_owned).into(),
        ready: "/health".into(),
        ..Launch::default()
    })
}

#[test]
fn a_pair_whose_resting_arm_is_not_idle_is_measured_again_twice_and_then_kept() {
    for blocks in [10, 1] {
        let new = Sim::start(STEADY);
        let folder = tempfile::tempdir().unwrap();
        let mut wanted = wanted(["http://unused", &new.url], vec![Load::Concurrency(2)], blocks);
        wanted.log_dir = folder.path().to_owned();
        // A server that keeps a core busy beside its work.
        wanted.arms.baseline = shell(&format!("while :; do :; done & exec {}", sim(&STEADY.join(" "))));
        wanted.plan.requests_per_run = 100;
        wanted.alternation.looks = vec![2];
        let sessions = ab::measure(&wanted, &mut follower(), &Recorder::default(), &Interrupt::never()).unwrap();
        for session in &sessions {
            let pairing = session.pairing.as_ref().unwrap();
            // A busy machine may disturb the baseline's run, too.
            let of_candidate = |again: &&Remeasured| again.arm == PairArm::Candidate;
            let remeasured: Vec<&Remeasured> = pairing.remeasured.iter().filter(of_candidate).collect();
            assert_eq!((session.cells[0].runs.len(), remeasured.len()), (2, 2));
            let pairs: Vec<u32> = remeasured.iter().map(|again| again.pair).collect();
            assert_eq!(pairs, [0, 0], "at most twice a session");
            for again in remeasured {
                // It rested while the candidate was measured, and the candidate's run is what it spoilt.
                assert_eq!((again.arm, again.dead), (PairArm::Candidate, false));
                assert!(
                    again.reason.contains("the resting arm's server used"),
                    "{}",
                    again.reason
                );
            }
        }
        let kept = |session: &Session| session.notes.iter().filter(|note| note.contains("is kept")).count();
        assert_eq!(
            (kept(&sessions[0]), kept(&sessions[1])),
            (0, 2),
            "both pairs stay, and the report says so"
        );
        let cpu_s = |session: &Session| session.cells[0].runs[0].host.resting_arm_cpu_s;
        assert!(cpu_s(&sessions[1]) > Some(0.05), "{:?}", cpu_s(&sessions[1]));
        assert_eq!(cpu_s(&sessions[0]), None, "the other one is not ours to look at");
        assert_eq!(sessions[0].cells[0].runs[0].host.resting_arm_requests, Some(0));
    }
}

#[test]
fn the_first_dead_run_of_an_arm_is_measured_again_and_the_second_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = wanted(["http://unused"; 2], vec![Load::Concurrency(2)], 1);
    wanted.log_dir = folder.path().to_owned();
    wanted.arms.together = false;
    wanted.arms.baseline = shell(&format!("exec {}", sim(&QUICK.join(" "))));
    // It answers what is short, and refuses all that is measured.
    wanted.arms.candidate = shell(&format!("exec {}", sim("--max-model-len 100")));
    wanted.plan.workload.prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(200),
    };
    let [old, new] = ab::measure(&wanted, &mut follower(), &Recorder::default(), &Interrupt::never()).unwrap();
    let pairing = new.pairing.as_ref().unwrap();
    assert!(
        pairing.remeasured.iter().all(|again| !again.dead),
        "both are in the session"
    );
    let stopped = pairing.stopped_early.as_ref().unwrap();
    assert!(stopped.starts_with("2 runs of the candidate were dead"), "{stopped}");
    assert_eq!((&old.ended, &new.ended), (&Ended::Complete, &Ended::Complete));
    for (session, lives) in [(&old, true), (&new, false)] {
        let runs = &session.cells[0].runs;
        assert_eq!(runs.iter().map(|run| run.repeat).collect::<Vec<_>>(), [0, 1]);
        let mut requests = runs.iter().flat_map(|run| &run.requests);
        assert!(requests.all(|record| record.completed() == lives));
    }
}

#[test]
fn an_arm_that_nobody_answers_for_is_unreachable_and_not_another_server() {
    let up = Sim::start(QUICK);
    let down = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (urls, name) in [([&up.url, &down], "candidate"), ([&down, &up.url], "baseline")] {
        let wanted = wanted(urls.map(String::as_str), vec![Load::Concurrency(2)], 1);
        let error = ab::measure(&wanted, &mut follower(), &Recorder::default(), &Interrupt::never()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("the {name}'s server cannot be reached (`/v1/models`: "))
                && text.ends_with(&format!("start it, or mend `arms.{name}.url`")),
            "{text}"
        );
    }
}

/// Kills the server after so many requests of a measurement, as often as told.
struct Killer {
    recorder: Recorder,
    requests: AtomicU32,
    flag: std::path::PathBuf,
}

impl perfgate::commands::Console for Killer {
    fn say(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn begin(&self, stage: &perfgate::commands::Stage) {
        self.recorder.begin(stage);
    }
    fn request_done(&self, _: Option<&'static str>, _: &RequestRecord) {
        if self.requests.fetch_add(1, Ordering::Relaxed) == 30 {
            std::fs::write(&self.flag, "").unwrap();
        }
    }
    fn end(&self) {}
}

#[test]
fn a_server_that_crashes_once_is_told_and_its_pair_is_measured_again_with_a_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("kill");
    let mut wanted = wanted(["http://unused"; 2], vec![Load::Concurrency(2)], 1);
    wanted.log_dir = folder.path().to_owned();
    wanted.arms.together = false;
    wanted.plan.requests_per_run = 120;
    wanted.alternation.looks = vec![1];
    let quick = STEADY.join(" ");
    wanted.arms.candidate = shell(&format!("exec {}", sim(&quick)));
    let watched = format!(
        "{} & while kill -0 $!; do if [ -e {flag} ]; then rm {flag}; kill -9 $!; echo out of memory; exit 9; fi; sleep 0.02; done",
        sim(&quick),
        flag = flag.display()
    );
    wanted.arms.baseline = shell(&watched);
    let killer = Killer {
        recorder: Recorder::default(),
        requests: AtomicU32::new(0),
        flag,
    };
    let [old, new] = ab::measure(&wanted, &mut follower(), &killer, &Interrupt::never()).unwrap();
    let again = &new.pairing.as_ref().unwrap().remeasured;
    // A busy machine may disturb it once more.
    let dead = again.iter().filter(|again| again.dead).count();
    assert_eq!(dead, 1, "{again:?}");
    assert_eq!(
        (again[0].arm, again[0].pair, again[0].dead),
        (PairArm::Baseline, 0, true)
    );
    let reason = &again[0].reason;
    assert!(
        reason.starts_with("the baseline's server ended with exit status: 9"),
        "{reason}"
    );
    assert!(reason.contains("out of memory"), "{reason}");
    assert_eq!(old.pairing.as_ref().unwrap().remeasured, *again);
    for session in [&old, &new] {
        assert_eq!((&session.ended, session.cells[0].runs.len()), (&Ended::Complete, 1));
        assert!(
            session.cells[0]
                .runs
                .iter()
                .all(|run| run.cut_short.is_none() && run.requests.len() == 120)
        );
    }
}

/// Kills an engine that perfgate did not start, after so many requests of a measurement.
struct KillsAt<'a> {
    engine: &'a Sim,
    after: u32,
    requests: AtomicU32,
}

impl perfgate::commands::Console for KillsAt<'_> {
    fn say(&self, _: &str) {}
    fn warn(&self, _: &str) {}
    fn begin(&self, _: &perfgate::commands::Stage) {}
    fn request_done(&self, _: Option<&'static str>, _: &RequestRecord) {
        if self.requests.fetch_add(1, Ordering::Relaxed) + 1 == self.after {
            self.engine.kill();
        }
    }
    fn end(&self) {}
}

#[test]
fn a_server_at_an_address_that_is_gone_midway_and_not_back_at_the_second_try_is_a_regression() {
    for blocks in [1, 10] {
        let (old, new) = (Sim::start(QUICK), Sim::start(QUICK));
        let wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(2)], blocks);
        // Both are warmed up by 2 requests; of the first pair, in either order, the candidate has answered some by then.
        let console = KillsAt {
            engine: &new,
            after: if blocks == 1 { 60 } else { 34 },
            requests: AtomicU32::new(0),
        };
        let [old, new] = ab::measure(&wanted, &mut follower(), &console, &Interrupt::never()).unwrap();
        let stopped = new.pairing.as_ref().unwrap().stopped_early.as_ref().unwrap();
        assert!(stopped.starts_with("2 runs of the candidate were dead"), "{stopped}");
        let deaths: Vec<_> = new.cells[0].runs.iter().map(death).collect();
        // The first one stands behind the one that was measured in its place; on a busy machine it may have answered nothing either.
        // Where the machine disturbed the first pair, it was over before the end of the server.
        let dead: Vec<_> = deaths.iter().flatten().collect();
        assert!(matches!(dead[..], [Death::Throughout, _]), "{deaths:?}");
        assert!(old.cells[0].runs.iter().all(|run| death(run).is_none()));
        let refused = |run: &Run| {
            let classes: Vec<String> = run.failures().into_iter().map(|(class, ..)| class).collect();
            classes.contains(&"connect_refused".to_owned())
        };
        let mut gone = new.cells[0].runs.iter().filter(|run| death(run).is_some());
        assert!(gone.all(refused));
        let judged = report::build(Some(&Reference::alone("old", &old)), ("new", &new), &Policy::default());
        assert_eq!(
            (judged.verdict, judged.exit_code),
            (Verdict::Regression, 1),
            "{}",
            judged.headline
        );
    }
}

#[test]
fn no_pair_begins_that_would_not_fit_into_the_time() {
    let (old, new) = (Sim::start(QUICK), Sim::start(QUICK));
    let mut wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(2)], 10);
    wanted.alternation.max = Some(std::time::Duration::from_millis(1));
    let sessions = ab::measure(&wanted, &mut follower(), &Recorder::default(), &Interrupt::never()).unwrap();
    for session in &sessions {
        assert_eq!((&session.ended, session.cells[0].runs.len()), (&Ended::Complete, 1));
        let why = session.pairing.as_ref().unwrap().stopped_early.as_ref().unwrap();
        assert!(why.starts_with("`max_minutes` allows 0.0 s"), "{why}");
    }
}

/// Finds the arms not worth measuring.
struct Refuser;

impl Follow for Refuser {
    fn begin(&mut self, _: &[Session; 2]) -> Result<bool, perfgate::commands::CommandError> {
        Ok(false)
    }
    fn on_pair(&mut self, _: &[Session; 2]) {
        unreachable!("nothing is measured")
    }
    fn why_stop(&mut self, _: &[Session; 2]) -> Option<String> {
        unreachable!("nothing is looked at")
    }
}

#[test]
fn arms_that_cannot_be_compared_cost_no_measurement() {
    let (old, new) = (Sim::start(QUICK), Sim::start(QUICK));
    let wanted = wanted([&old.url, &new.url], vec![Load::Concurrency(2)], 10);
    let recorder = Recorder::default();
    let sessions = ab::measure(&wanted, &mut Refuser, &recorder, &Interrupt::never()).unwrap();
    assert!(recorder.0.into_inner().unwrap().is_empty());
    assert!(sessions.iter().all(|session| session.cells[0].runs.is_empty()));
}
