//! What the engine says of itself beside a run, by its page of metrics: of a real engine process, and of pages that are slow,
//! huge, no metrics, or gone.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use perfgate::session::{EngineSeries, EngineUse, Run};

use crate::command::{Sim, perfgate};

const PAGE: &str = "vllm:num_requests_running 1\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0.5\n";

/// The only run of a measurement of a second and a half.
fn run(sim: &Sim, flags: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let small = "run --input-tokens 64 --output-tokens 50 --concurrency 8 --requests 24 --warmup 4 --repeat 1 --quiet -o s.json";
    let small: Vec<&str> = small.split(' ').chain(["--url", &sim.url]).collect();
    let output = perfgate(folder.path(), &[&small, flags].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    only_run(&folder.path().join("s.json"))
}

fn only_run(path: &Path) -> Run {
    let session = perfgate::store::read_session(path).unwrap();
    let cell = session.cells.into_iter().next().unwrap();
    cell.runs.into_iter().next().unwrap()
}

/// Ten milliseconds a token: a run of 24 requests at 8 streams takes 1.5 s.
fn sim() -> Sim {
    Sim::start(&[
        "--decode-step-us",
        "10000",
        "--decode-us-per-seq",
        "0",
        "--kv-blocks",
        "200",
    ])
}

fn sampled(run: &Run) -> &EngineSeries {
    match &run.telemetry.engine {
        EngineUse::Sampled(series) => series,
        EngineUse::NotSampled(reason) => unreachable!("{reason}"),
    }
}

fn not_sampled(run: &Run) -> &str {
    match &run.telemetry.engine {
        EngineUse::NotSampled(reason) => reason,
        EngineUse::Sampled(series) => unreachable!("{series:?}"),
    }
}

/// A server whose every connection is answered so, with its number; gives the address of its page.
pub(crate) fn page(answer: impl Fn(u32, TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for (number, stream) in (0..).zip(listener.incoming()) {
            let (stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                answer(number, stream);
            });
        }
    });
    format!("http://{address}/metrics")
}

pub(crate) fn say(mut stream: &TcpStream, head: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

#[test]
fn an_engine_is_followed_over_a_run_on_its_clock() {
    let sim = sim();
    let run = run(&sim, &["--metrics-interval", "100ms"]);
    let series = sampled(&run);
    let end_ns = run.requests.iter().map(|record| record.end_ns).max().unwrap();
    assert!(end_ns > 1_400_000_000, "{end_ns}");
    assert!(
        series.samples >= 5 && series.missed == 0 && series.gaps.is_empty(),
        "{series:?}"
    );
    assert_eq!(series.every_ns, 100_000_000);
    let middle: Vec<_> = series
        .points
        .iter()
        .filter(|point| (200_000_000..1_200_000_000).contains(&point.at_ns))
        .collect();
    assert!(!middle.is_empty(), "{series:?}");
    for point in middle {
        assert!(
            point.running.is_some_and(|running| (1.0..=8.0).contains(&running)),
            "{point:?}"
        );
        assert!(point.kv_used.is_some_and(|used| used > 0.0 && used <= 1.0), "{point:?}");
    }
    assert!(series.points.iter().all(|point| point.at_ns < end_ns + 2_000_000_000));
    assert_eq!(series.preemptions, Some(0));
    assert!(series.waiting_p95.is_some());
    // 24 measured requests of 64 tokens; those of the warm-up came before.
    let queries = series.prefix_queries.unwrap();
    assert!((24 * 50..24 * 90).contains(&queries), "{queries}");
    assert!(series.prefix_hits.is_some_and(|hits| hits <= queries));
}

#[test]
fn nobody_is_asked_where_that_is_switched_off() {
    let run = run(&sim(), &["--metrics", "off"]);
    assert_eq!(not_sampled(&run), "`target.metrics` is `off`");
}

#[test]
fn a_page_that_is_none_of_metrics_is_told_and_the_measurement_goes_on() {
    let sim = sim();
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0".as_slice();
    for (head, body, reason) in [
        (
            "200 OK",
            b"<html><body>hello</body></html>".as_slice(),
            "the page is HTML, no metrics",
        ),
        (
            "200 OK",
            gzip,
            "the page is compressed, although plain text was asked for",
        ),
        (
            "200 OK",
            b"{\"error\": 1}",
            "the page is JSON, no metrics in the Prometheus text format",
        ),
        (
            "200 OK",
            b"vllm:num_requests_running one\n",
            "line 1 of the page is no metric: its value is no number",
        ),
        (
            "200 OK",
            b"go_goroutines 7\n",
            "the page has none of the metrics that perfgate knows of engines",
        ),
        ("404 Not Found", b"no", "the page of metrics: 404 Not Found"),
    ] {
        let (head, body) = (head.to_owned(), body.to_vec());
        let url = page(move |_, stream| say(&stream, &head, &body));
        let run = run(&sim, &["--metrics", &url, "--metrics-interval", "100ms"]);
        assert_eq!(not_sampled(&run), reason);
        assert_eq!(run.requests.len(), 24);
    }
}

#[test]
fn a_page_that_is_huge_is_given_up_and_one_that_never_comes_does_not_hold_the_run_up() {
    let sim = sim();
    let huge = page(|_, mut stream| {
        let line = [PAGE.as_bytes(); 1000].concat();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&line).is_ok() {}
    });
    let run_of = |url: &str| run(&sim, &["--metrics", url, "--metrics-interval", "100ms"]);
    assert_eq!(not_sampled(&run_of(&huge)), "the page of metrics has more than 8 MiB");
    let silent = page(|_, stream| {
        thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    let begun = Instant::now();
    let run = run_of(&silent);
    assert_eq!(not_sampled(&run), "no whole page of metrics within 2 s");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(run.requests.iter().all(perfgate::session::RequestRecord::completed));
}

#[test]
fn a_page_that_dies_in_the_middle_of_a_run_leaves_a_gap() {
    let url = page(|number, stream| {
        // One look before the session, and one before the run.
        if number < 5 {
            say(&stream, "200 OK", PAGE.as_bytes());
        }
    });
    let run = run(&sim(), &["--metrics", &url, "--metrics-interval", "100ms"]);
    let series = sampled(&run);
    assert_eq!(
        (series.samples, series.gaps.len()),
        (3, 1),
        "one look was before the run: {series:?}"
    );
    assert!(series.missed >= 1);
    let end_ns = run.requests.iter().map(|record| record.end_ns).max().unwrap();
    assert!(
        series.gaps[0].to_ns + 200_000_000 >= end_ns,
        "{series:?}, the run ended at {end_ns}"
    );
}

#[test]
fn counters_that_go_back_as_a_series_changes_its_labels_are_no_number_and_leave_a_gap() {
    let url = page(|number, stream| {
        // Two looks before the run; then another worker takes over, and counts from its own beginning.
        let counter = if number < 5 {
            "{engine=\"0\"} 7"
        } else {
            "{engine=\"1\"} 2"
        };
        let text = format!("{PAGE}vllm:num_preemptions_total{counter}\n");
        say(&stream, "200 OK", text.as_bytes());
    });
    let run = run(&sim(), &["--metrics", &url, "--metrics-interval", "100ms"]);
    let series = sampled(&run);
    assert_eq!(series.preemptions, None, "{series:?}");
    let [gap] = &series.gaps[..] else {
        unreachable!("{series:?}")
    };
    assert_eq!(
        gap.reason,
        "series of a counter went away: nobody knows how far they had come"
    );
    assert!(series.samples >= 5 && series.missed == 0, "{series:?}");
}

#[test]
fn the_page_of_a_comparison_draws_the_engine_and_says_what_a_session_lacks() {
    let (sim, folder) = (sim(), tempfile::tempdir().unwrap());
    let common =
        "run --input-tokens 64 --output-tokens 50 --concurrency 8 --requests 24 --warmup 4 --repeat 1 --quiet --url";
    for (name, more) in [
        ("old.json", ["--metrics", "off"]),
        ("new.json", ["--metrics-interval", "100ms"]),
    ] {
        let args: Vec<&str> = common
            .split(' ')
            .chain([sim.url.as_str(), "-o", name])
            .chain(more)
            .collect();
        let output = perfgate(folder.path(), &args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let compare = ["compare", "old.json", "new.json", "--format", "html"];
    let page = perfgate(folder.path(), &compare).output().unwrap().stdout;
    let page = String::from_utf8(page).unwrap();
    let (_, section) = page
        .split_once("The machine and the engine beside the requests</h2>")
        .unwrap();
    let (section, _) = section.split_once("</section>").unwrap();
    for name in ["KV cache in use", "Requests in work", "Requests waiting in the engine"] {
        assert!(
            section.contains(&format!("<figcaption>{name}<")),
            "{name} is not in {section}"
        );
    }
    assert!(section.contains("class=\"candidate-curve\" d=\"M"), "{section}");
    assert!(!section.contains("class=\"baseline-curve\""), "{section}");
    assert!(
        section.contains("baseline, the engine: <code>target.metrics</code> is <code>off</code>"),
        "{section}"
    );
    assert!(!page.contains("<!--telemetry-->"));
}
