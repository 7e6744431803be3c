//! What spoils a pair without being a server's doing: a client that slept, other work on the GPU.
#![cfg(target_os = "linux")]

use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use perfgate::session::{PairArm, Session};

use super::sessions;
use crate::{
    answering::{Answer, serve},
    command::perfgate,
    slow_reader::{signal, stop},
    target::sim,
    telemetry::fake_nvml,
};

/// An answer of four tokens, 2 ms apart; the client sleeps from the first to some time behind the last, if at all.
fn answer(client: Option<Arc<OnceLock<u32>>>) -> Answer {
    let sent = AtomicUsize::new(0);
    Answer {
        around: Some(Arc::new(move |send| {
            let pid = client.as_ref().map(|client| *client.wait());
            let at = sent.fetch_add(1, Ordering::SeqCst);
            if let Some(pid) = pid.filter(|_| at == 0) {
                stop(pid);
            }
            send();
            sleep(Duration::from_millis(2));
            if let Some(pid) = pid.filter(|_| at == 3) {
                sleep(Duration::from_millis(30));
                signal("CONT", pid);
                sleep(Duration::from_millis(2));
            }
        })),
        ..Answer::honest(0, 4)
    }
}

#[test]
fn a_pair_whose_client_slept_through_whole_answers_is_measured_again() {
    let client = Arc::new(OnceLock::new());
    let sleeper = Arc::clone(&client);
    let old = serve(|_| answer(None));
    // Of the first run's 40 answers, three.
    let new = serve(move |nth| answer(Some(Arc::clone(&sleeper)).filter(|_| [12, 18, 24].contains(&nth))));
    let folder = tempfile::tempdir().unwrap();
    let flags = "gate --ab --looks 3 --blocks off --model tiny --concurrency 1 --warmup 2 --requests 40 --input-tokens 8 \
                 --output-tokens 4 --quiet";
    let urls = ["--baseline-url", &old, "--candidate-url", &new];
    let args: Vec<&str> = flags.split_whitespace().chain(urls).collect();
    let mut command = perfgate(folder.path(), &args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    client.set(child.id()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    let [_, new] = sessions(folder.path());
    let again = new.pairing.as_ref().unwrap().remeasured.clone();
    let slept = again
        .iter()
        .find(|again| again.reason.contains("all tokens came in one read"));
    let slept = slept.unwrap_or_else(|| unreachable!("{again:?}\n{said}"));
    assert_eq!((slept.arm, slept.pair, slept.dead), (PairArm::Candidate, 0, false));
    assert!(slept.reason.contains("and the client read up to"), "{}", slept.reason);
}

/// A server that says who is on the GPU as it starts: itself, and these.
fn on_gpu(list: &Path, others: &str) -> String {
    let list = list.display();
    format!(
        "sh -c 'echo $$ {others} > {list}; exec {}'",
        sim("--decode-step-us 500 --decode-us-per-seq 10")
    )
}

/// Two arms, one at a time, on a GPU with these others beside each; the report's warnings, and both sessions.
fn beside(library: &Path, others: [&str; 2]) -> (String, [Session; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("processes");
    fs::write(&list, "").unwrap();
    let [old, new] = others.map(|others| on_gpu(&list, others));
    let arms = [
        "gate",
        "--ab",
        "--baseline-command",
        &old,
        "--candidate-command",
        &new,
        "--looks",
        "3",
    ];
    let small = [
        "--requests",
        "20",
        "--concurrency",
        "2",
        "--warmup",
        "2",
        "--input-tokens",
        "8",
    ];
    let args = [&arms[..], &small, &["--output-tokens", "4", "--quiet"]].concat();
    let mut command = perfgate(folder.path(), &args);
    command
        .env("LD_LIBRARY_PATH", library)
        .env("FAKE_NVML_PROCESSES", &list);
    command.env_remove("CUDA_VISIBLE_DEVICES").output().unwrap();
    let report = fs::read_to_string(folder.path().join("perfgate-report/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    (report.get("warnings").unwrap().to_string(), sessions(folder.path()))
}

#[test]
fn other_work_on_the_gpu_spoils_a_pair_where_it_is_beside_one_arm_and_is_told_where_it_is_beside_both() {
    let Some(library) = fake_nvml() else { return };
    let neighbours = |session: &Session| -> Vec<Option<u32>> {
        let runs = session.cells[0].runs.iter();
        runs.map(|run| run.host.neighbour_gpu_processes).collect()
    };
    let other_work = |session: &Session| {
        let again = session.pairing.as_ref().unwrap().remeasured.iter();
        let other = again.filter(|again| again.reason.contains("other work was on the GPU"));
        other.map(|again| again.arm).collect::<Vec<_>>()
    };
    let (report, [old, new]) = beside(library, ["", ""]);
    assert_eq!(
        (neighbours(&old), neighbours(&new)),
        (vec![Some(0); 3], vec![Some(0); 3])
    );
    assert!(
        other_work(&new).is_empty() && !report.contains("shared GPU"),
        "{report}"
    );

    let (report, [old, new]) = beside(library, ["999999", "999999"]);
    assert_eq!(
        (neighbours(&old), neighbours(&new)),
        (vec![Some(1); 3], vec![Some(1); 3])
    );
    assert!(other_work(&new).is_empty(), "it would be there again");
    for arm in ["baseline", "candidate"] {
        let told = format!("{arm}: 1 other process was on its server's GPU in 3 of 3 runs");
        assert_eq!(report.matches(&told).count(), 1, "{report}");
    }

    let (report, [old, new]) = beside(library, ["", "999999"]);
    assert_eq!(other_work(&new), [PairArm::Candidate; 2], "at most twice a session");
    assert!(new.cells[0].runs.iter().all(|run| run.host.foreign_gpu_processes == 1));
    assert!(old.cells[0].runs.iter().all(|run| run.host.foreign_gpu_processes == 0));
    assert!(
        report.contains("is kept, as 2 pairs were measured again already"),
        "{report}"
    );
}
