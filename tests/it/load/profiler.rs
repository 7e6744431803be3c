//! The pages of an engine's own profiler.

use std::{thread, time::Duration};

use perfgate::load::{Interrupt, ProfilerTrouble, Runner};

use super::{
    plan, runner,
    server::{Act, Server, whole},
};

const LIMIT: Duration = Duration::from_secs(20);

fn answering(status: &str, body: &str) -> (Server, Runner) {
    let server = Server::of(vec![Act::Request, whole(status, "Connection: close\r\n", body)]);
    let runner = runner(&plan(&format!("{}/v1", server.url), 1));
    (server, runner)
}

#[test]
fn the_profiler_is_switched_with_the_body_that_its_engine_wants() {
    let (server, runner) = answering("200 OK", "Start profiling.");
    let never = Interrupt::never();
    runner
        .start_profiler(Some(r#"{"num_steps": 5}"#), LIMIT, &never)
        .unwrap();
    runner.start_profiler(None, LIMIT, &never).unwrap();
    runner.stop_profiler(LIMIT, &never).unwrap();
    let seen = server.seen();
    let said: Vec<(&str, &str)> = seen
        .iter()
        .map(|seen| (seen.head.lines().next().unwrap(), seen.body.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("POST /start_profile HTTP/1.1", r#"{"num_steps": 5}"#),
            ("POST /start_profile HTTP/1.1", ""),
            ("POST /stop_profile HTTP/1.1", ""),
        ]
    );
    let kinds = seen[0]
        .head
        .to_ascii_lowercase()
        .matches("content-type: application/json")
        .count();
    assert_eq!(kinds, 1, "{}", seen[0].head);
}

#[test]
fn a_profiler_that_is_not_there_and_one_that_refuses_are_told_apart() {
    let never = Interrupt::never();
    for status in ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"] {
        let (_server, runner) = answering(status, r#"{"detail": "Not Found"}"#);
        let trouble = runner.start_profiler(None, LIMIT, &never).unwrap_err();
        assert_eq!(trouble, ProfilerTrouble::NoSuchPage("/start_profile"), "{status}");
    }
    let (_server, runner) = answering(
        "500 Internal Server Error",
        r#"{"detail": "Profiling is not in progress."}"#,
    );
    assert_eq!(
        runner.stop_profiler(LIMIT, &never).unwrap_err().to_string(),
        "`/stop_profile` said 500 Internal Server Error: Profiling is not in progress."
    );
}

#[test]
fn a_profiler_that_does_not_answer_is_given_up() {
    let silent = || runner(&plan(&Server::of(vec![Act::Request, Act::Hold]).url, 1));
    let limit = Duration::from_millis(200);
    let trouble = silent().stop_profiler(limit, &Interrupt::never()).unwrap_err();
    assert_eq!(trouble.to_string(), "`/stop_profile` gave no answer: not within 0.2 s");
    let interrupt = Interrupt::never();
    let trouble = thread::scope(|scope| {
        let seen = interrupt.clone();
        scope.spawn(move || {
            thread::sleep(Duration::from_millis(100));
            seen.trigger();
        });
        silent().stop_profiler(LIMIT, &interrupt).unwrap_err()
    });
    // It may be on still, which whoever asked to stop has to know.
    assert_eq!(trouble.to_string(), "`/stop_profile` gave no answer: not within 5 s");
}
