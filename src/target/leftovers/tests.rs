//! Real processes and their records.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::process::Child;

use super::{
    super::{record::Record, server::Start},
    *,
};
use crate::plan::Launch;

fn record(folder: &Path, stop: &[&str]) -> Record {
    Record::write(&Start {
        name: "candidate",
        launch: Launch {
            stop: stop.iter().map(|&word| word.to_owned()).collect(),
            workdir: Some(folder.to_owned()),
            ..Launch::default()
        },
        port: 1,
        log: folder.join("log"),
        timeout: Duration::ZERO,
        withhold_secrets: false,
        records: folder.to_owned(),
    })
}

fn path(record: &Record) -> &Path {
    record.path.as_ref().unwrap()
}

/// A process of its own group that carries the variable, and its record.
fn server(folder: &Path) -> (Child, Record) {
    let mut record = record(folder, &[]);
    let mut command = Command::new("sleep");
    command.arg("600").env(VARIABLE, record.id());
    crate::process::in_group_of_its_own(&mut command);
    let child = command.spawn().unwrap();
    record.started(child.id());
    (child, record)
}

fn rewrite(record: &Record, key: &str, value: &str) {
    let text = fs::read_to_string(path(record)).unwrap();
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((own, _)) if own == key => format!("{key} {value}"),
        _ => line.to_owned(),
    });
    let text: Vec<String> = lines.collect();
    fs::write(path(record), text.join("\n")).unwrap();
}

#[test]
fn t17_a_server_is_stopped_when_its_perfgate_is_gone_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, record) = server(folder.path());
    let left = Leftover {
        name: "candidate".into(),
        process: child.id(),
        program: Some("sleep".into()),
        port: 1,
        stop_failed: None,
    };
    assert_eq!(
        sweep(&[folder.path().to_owned()]).unwrap().in_use,
        std::slice::from_ref(&left)
    );
    assert!(!is_left_behind(folder.path(), child.id()));
    // This process began at no such time.
    rewrite(&record, "owner", &format!("{} 1", std::process::id()));
    assert!(is_left_behind(folder.path(), child.id()));
    let reaper = thread::spawn(move || child.wait().unwrap());
    let swept = sweep(&[folder.path().to_owned()]).unwrap();
    assert_eq!((swept.stopped, swept.in_use.len()), (vec![left], 0));
    assert!(!reaper.join().unwrap().success());
    assert!(!path(&record).exists());
    assert_eq!(sweep(&[folder.path().to_owned()]).unwrap(), Swept::default());
}

#[test]
fn t17_a_process_that_got_the_number_of_a_server_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut record) = server(folder.path());
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let began = Identity::of(stranger.id()).unwrap().started_ticks;
    rewrite(&record, "owner", "1 1");
    rewrite(&record, "leader", &format!("{} {}", stranger.id(), began - 1));
    let mut server_process = server;
    let reaper = thread::spawn(move || server_process.wait().unwrap());
    // The server itself is found by its variable alone.
    assert_eq!(sweep(&[folder.path().to_owned()]).unwrap().stopped.len(), 1);
    assert!(!reaper.join().unwrap().success());
    assert!(stranger.try_wait().unwrap().is_none(), "it still runs");
    // Of another start of the machine: only the file goes.
    record = self::record(folder.path(), &[]);
    record.started(stranger.id());
    rewrite(&record, "owner", "1 1");
    rewrite(&record, "boot", "another");
    assert_eq!(sweep(&[folder.path().to_owned()]).unwrap(), Swept::default());
    assert!(!path(&record).exists() && stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn t17_a_record_that_others_could_have_put_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let record = self::record(folder.path(), &[]);
    assert_eq!(all(folder.path()).unwrap().len(), 1);
    let link = folder.path().join(format!("{NAME}0123456789abcdef"));
    std::os::unix::fs::symlink(path(&record), &link).unwrap();
    assert_eq!(all(folder.path()).unwrap().len(), 1, "a link");
    fs::hard_link(path(&record), folder.path().join("elsewhere")).unwrap();
    assert_eq!(all(folder.path()).unwrap().len(), 0, "another name for it");
    fs::remove_file(folder.path().join("elsewhere")).unwrap();
    let mut rights = fs::metadata(path(&record)).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o666);
    fs::set_permissions(path(&record), rights).unwrap();
    assert_eq!(all(folder.path()).unwrap().len(), 0, "anybody may write it");
}

#[test]
fn a_command_that_stops_a_server_is_run_for_one_that_is_left_although_none_of_its_processes_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // As a container: nothing of it is a child of ours, and it holds the port.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = |script: &str| {
        let record = record(folder, &["sh", "-c", script, "x {port}"]);
        rewrite(&record, "port", &port.to_string());
        rewrite(&record, "owner", "1 1");
        record
    };
    let failing = left("exit 3");
    let swept = sweep(&[folder.to_owned()]).unwrap();
    assert_eq!((swept.still_there.len(), swept.stopped.len()), (1, 0));
    let why = swept.still_there[0].stop_failed.as_deref().unwrap();
    assert!(why.starts_with("`sh -c exit 3 x 1` ended with exit status: 3"), "{why}");
    assert!(path(&failing).exists());
    drop(failing);

    let stopping = left("touch stopped");
    let holder = thread::spawn({
        let stopped = folder.join("stopped");
        move || {
            while !stopped.exists() {
                thread::sleep(WAIT);
            }
            drop(listener);
        }
    });
    let swept = sweep(&[folder.to_owned()]).unwrap();
    holder.join().unwrap();
    assert_eq!((swept.still_there.len(), swept.stopped.len()), (0, 1));
    assert_eq!(swept.stopped[0].stop_failed, None);
    assert!(!path(&stopping).exists());

    // One that listens nowhere yet is stopped too; one that is gone already is no news.
    for (script, stopped) in [("exit 0", 1), ("exit 3", 0)] {
        let record = left(script);
        let swept = sweep(&[folder.to_owned()]).unwrap();
        assert_eq!((swept.still_there.len(), swept.stopped.len()), (0, stopped), "{script}");
        assert!(!path(&record).exists());
    }
    // Nothing goes by a port that a perfgate which runs has by now.
    fs::remove_file(folder.join("stopped")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (old, new) = (left("touch stopped"), record(elsewhere.path(), &[]));
    rewrite(&new, "port", &port.to_string());
    let swept = sweep(&[folder.to_owned(), elsewhere.path().to_owned()]).unwrap();
    assert_eq!((swept.in_use.len(), swept.stopped.len()), (1, 0));
    assert!(!folder.join("stopped").exists() && !path(&old).exists());
}
