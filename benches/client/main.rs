//! What the load generator itself adds to the numbers: `cargo bench --bench client`.
//!
//! A server of known timing (`server.rs`), in a process of its own on the same cores, sends each first token 50 ms after
//! the request and every further one 10 ms later, one token a write. It states with each answer when it really had the
//! request and really sent, so that the errors below are those of client and kernel alone: what the client says minus
//! what was true. Each line comes from a fresh process.
//!
//! Beside what the client's threads spend stands the floor (`floor.rs`): a bare reader of the same tokens, measured just
//! before it.
//!
//! Without arguments: all lines. `-- run NAME STREAMS TOKENS ANSWERS GAP_MS LOAD` gives one: answers a stream, and
//! `closed`, `poisson` (at the rate that keeps this many in flight), or a rate in requests per second.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench speaks to a terminal")]
#![expect(clippy::cast_precision_loss, reason = "stamps and counts are far below 2^52")]

#[cfg(target_os = "linux")]
mod floor;
#[cfg(target_os = "linux")]
mod server;

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use perfgate::{
    load::{Interrupt, PromptSet, Runner, Watch},
    plan::{Arrivals, Lengths, Load, Plan, Prompts, Secrets, Slo, Target, Workload},
    session::{RequestRecord, Run},
};

/// Name, streams, tokens an answer, answers a stream, gap between tokens in ms, load.
const CASES: [[&str; 6]; 9] = [
    ["1 stream", "1", "200", "5", "10", "closed"],
    ["8 streams", "8", "200", "5", "10", "poisson"],
    ["64 streams", "64", "200", "5", "10", "poisson"],
    ["256 streams", "256", "200", "5", "10", "poisson"],
    ["256 streams, one burst", "256", "200", "5", "10", "closed"],
    ["512 streams", "512", "200", "3", "10", "poisson"],
    ["1000 streams, slower", "1000", "100", "3", "40", "poisson"],
    ["10000 streams, 1 token/s", "10000", "8", "1", "1000", "closed"],
    ["2000 requests/s", "100", "2", "200", "10", "2000"],
];

fn main() {
    // Cargo itself adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        #[cfg(target_os = "linux")]
        ["serve", tokens, gap_ms] => server::serve(tokens.parse().unwrap(), gap_ms.parse().unwrap()),
        #[cfg(target_os = "linux")]
        ["floor", _, streams, tokens, answers, gap_ms, load] => {
            let case = Case::read([streams, tokens, answers, gap_ms]);
            let (server, url) = start_server(&case);
            println!("{}", floor::cpu_s_per_million(&url, &case, load == "closed"));
            stop(server);
        }
        ["run", name, streams, tokens, answers, gap_ms, load] => {
            let floor = output_of("floor", &arguments).trim().parse().unwrap();
            measure(name, &Case::read([streams, tokens, answers, gap_ms]), load, floor);
        }
        _ => run_all(),
    }
}

fn run_all() {
    println!(
        "{:26} {:>17} {:>15} {:>20} {:>23} {:>9} {:>6}",
        "", "TTFT error µs", "TPOT error µs", "CPU-s per M tokens", "read lag µs", "send lag", "RSS"
    );
    println!(
        "{:26} {:>8} {:>8} {:>7} {:>7} {:>6} {:>6} {:>6} {:>7} {:>7} {:>7} {:>9} {:>6}",
        "", "P50", "P99", "P50", "P99", "ours", "floor", "ratio", "P50", "P99", "max", "P99 µs", "MB"
    );
    for case in CASES {
        let status = Command::new(env::current_exe().unwrap())
            .arg("run")
            .args(case)
            .status()
            .unwrap();
        assert!(status.success(), "{case:?}");
    }
}

struct Nobody;

impl Watch for Nobody {
    fn request_done(&self, _: &RequestRecord) {}
}

struct Case {
    streams: u32,
    tokens: u32,
    answers: u32,
    gap_ms: u32,
}

impl Case {
    fn read(numbers: [&str; 4]) -> Self {
        let [streams, tokens, answers, gap_ms] = numbers.map(|number| number.parse().unwrap());
        Self {
            streams,
            tokens,
            answers,
            gap_ms,
        }
    }
}

/// What this program prints in another role with the same case.
fn output_of(role: &str, arguments: &[String]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command
        .arg(role)
        .args(arguments.iter().skip(1))
        .stderr(Stdio::inherit());
    let output = output.output().unwrap();
    assert!(output.status.success(), "{role} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn measure(name: &str, case: &Case, load: &str, floor: f64) {
    let (server, url) = start_server(case);
    let plan = plan(&url, case);
    let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
    let runner = Runner::new(&plan, Secrets::default(), prompts).unwrap();
    let closed = Load::Concurrency(case.streams);
    let seconds = 0.05 + f64::from(case.gap_ms) / 1e3 * f64::from(case.tokens - 1);
    let open = |rate_rps| Load::Rate {
        rate_rps,
        arrivals: Arrivals::Poisson,
    };
    let load = match load {
        "closed" => closed.clone(),
        "poisson" => open(f64::from(case.streams) / seconds),
        rate => open(rate.parse().unwrap()),
    };
    let never = Interrupt::never();
    runner.warm_up(&closed, 0, &Nobody, &never).unwrap();
    let run = runner.measure(&load, 0, &Nobody, &never).unwrap();
    report(name, &run, floor);
    drop(runner);
    stop(server);
}

fn report(name: &str, run: &Run, floor: f64) {
    assert_eq!(run.failures(), [], "a bench without failures");
    let client = run.client.unwrap();
    let ttft_ns: Vec<f64> = run.requests.iter().map(ttft_error_ns).collect();
    let tpot_ns: Vec<f64> = run.requests.iter().filter_map(tpot_error_ns).collect();
    let tokens: f64 = run.requests.iter().map(|record| f64::from(record.chunks)).sum();
    let cpu_s = client.cpu_s / tokens * 1e6;
    let lag = client.read_lag.unwrap_or_default();
    println!(
        "{name:26} {:>8.1} {:>8.1} {:>7.2} {:>7.2} {cpu_s:>6.2} {floor:>6.2} {:>6.2} {:>7.0} {:>7.0} {:>7.0} {:>9} {:>6.0}",
        quantile(&ttft_ns, 0.5) / 1e3,
        quantile(&ttft_ns, 0.99) / 1e3,
        quantile(&tpot_ns, 0.5) / 1e3,
        quantile(&tpot_ns, 0.99) / 1e3,
        cpu_s / floor,
        lag.p50_ms * 1e3,
        lag.p99_ms * 1e3,
        lag.max_ms * 1e3,
        run.send_lag_p99_ms()
            .map_or_else(|| "-".into(), |lag_ms| format!("{:.0}", lag_ms * 1e3)),
        peak_rss_mb(),
    );
}

/// The server tells the true TTFT, in ns, as its count of prompt tokens, which nobody believes as such.
fn ttft_error_ns(record: &RequestRecord) -> f64 {
    let said_ns = record.first_token_ns.unwrap() - record.sent_ns;
    let claim = record.false_usage.unwrap_or_default();
    said_ns as f64 - f64::from(claim.input_tokens.or(record.input_tokens).unwrap())
}

/// The server tells the true mean gap, in ns, as its count of output tokens.
fn tpot_error_ns(record: &RequestRecord) -> Option<f64> {
    let said_ns = record.last_token_ns? - record.first_token_ns?;
    let gaps = f64::from(record.chunks.checked_sub(1).filter(|gaps| *gaps > 0)?);
    let claim = record.false_usage.unwrap_or_default();
    Some(said_ns as f64 / gaps - f64::from(claim.output_tokens.or(record.output_tokens)?))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank in a short list"
)]
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len().saturating_sub(1)) as f64 * share;
    sorted.get(rank.round() as usize).copied().unwrap_or(f64::NAN)
}

fn peak_rss_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib / 1024.0
}

fn plan(url: &str, case: &Case) -> Plan {
    Plan {
        target: Target {
            model: Some("bench".into()),
            ..Target::at(url)
        },
        workload: Workload::new(
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(128),
            },
            Lengths::Fixed(case.tokens),
        ),
        loads: vec![Load::Concurrency(case.streams)],
        requests_per_run: case.streams * case.answers,
        warmup_requests: case.streams,
        warmup_limit: None,
        repeats: 1,
        seed: 42,
        max_error_rate: 0.01,
        slo: Slo::default(),
        scenario: None,
        shard: None,
        price: None,
        hardware: [].into(),
        framework: [].into(),
    }
}

fn stop(mut server: Child) {
    drop(server.stdin.take());
    server.wait().unwrap();
}

fn start_server(case: &Case) -> (Child, String) {
    let mut server = Command::new(env::current_exe().unwrap())
        .args(["serve", &case.tokens.to_string(), &case.gap_ms.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    (server, url.trim().to_owned())
}
