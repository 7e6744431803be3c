//! A client that is stopped whenever a token arrives: it reads late by design, on a machine of any speed.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    fs,
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    thread::sleep,
    time::Duration,
};

use crate::{
    answering::{Answer, serve},
    command::perfgate,
};

pub(crate) fn signal(name: &str, pid: u32) {
    let kill = format!("kill -{name} {pid}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Stops the process and waits until it stands.
pub(crate) fn stop(pid: u32) {
    signal("STOP", pid);
    let stands = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    };
    while !stands() {
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_client_that_reads_late_is_the_bottleneck() {
    let client = Arc::new(OnceLock::new());
    let reader = Arc::clone(&client);
    let url = serve(move |_| {
        let reader = Arc::clone(&reader);
        Answer {
            around: Some(Arc::new(move |send| {
                let pid = *reader.wait();
                stop(pid);
                send();
                sleep(Duration::from_millis(40));
                signal("CONT", pid);
                sleep(Duration::from_millis(2));
            })),
            ..Answer::honest(0, 10)
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let flags = "run --model tiny --concurrency 1 --requests 3 --repeat 1 --warmup 0 --input-tokens 8 --output-tokens 10 \
                 --quiet --url";
    let args: Vec<&str> = flags.split_whitespace().chain([url.as_str()]).collect();
    let mut command = perfgate(folder.path(), &args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    client.set(child.id()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(4), "{said}");
    assert!(
        said.contains("the client was the bottleneck: answers were read up to"),
        "{said}"
    );
    assert!(
        said.contains("after they had arrived (P95), and the kernel stamps only the last token of a read"),
        "{said}"
    );
}
