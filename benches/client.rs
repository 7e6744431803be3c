//! What the load generator itself adds to the numbers: `cargo bench --bench client`.
//!
//! A server of known timing, in a process of its own, sends each first token 50 ms after the request and every
//! further one 10 ms later, one token a write. It states its own time to first token with each answer, so that the added
//! TTFT is what client and kernel added; the added TPOT holds the server's lateness, which is shown beside it.
//!
//! Arguments: streams, tokens an answer, answers a stream, and `closed` for a closed loop. Without it requests come
//! as a Poisson stream at the rate that keeps this many in flight; a closed loop makes all streams send in one burst.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench speaks to a terminal")]

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use perfgate::{
    load::{Interrupt, PromptSet, Runner, Watch},
    plan::{Arrivals, Lengths, Load, Plan, Prompts, Secrets, Slo, Target, Workload},
    session::Run,
};

const FIRST_TOKEN: Duration = Duration::from_millis(50);
const GAP: Duration = Duration::from_millis(10);

fn main() {
    // Cargo itself adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |at: usize, default: u32| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    if arguments.first().is_some_and(|argument| argument == "serve") {
        serve(number(1, 0));
    } else {
        let is_closed = arguments.iter().any(|argument| argument == "closed");
        measure(number(0, 256), number(1, 200), number(2, 5), is_closed);
    }
}

struct Nobody;

impl Watch for Nobody {
    fn request_done(&self, _ok: bool) {}
}

fn measure(streams: u32, tokens: u32, answers: u32, is_closed: bool) {
    let (mut server, url) = start_server(tokens);
    let plan = plan(&url, streams, tokens, answers);
    let prompts = PromptSet::prepare(&plan, Path::new(".")).unwrap();
    let runner = Runner::new(&plan, Secrets::default(), prompts).unwrap();
    let closed = Load::Concurrency(streams);
    let mean_s = FIRST_TOKEN.as_secs_f64() + GAP.as_secs_f64() * f64::from(tokens - 1);
    let open = Load::Rate {
        rate_rps: f64::from(streams) / mean_s,
        arrivals: Arrivals::Poisson,
    };
    let load = if is_closed { closed.clone() } else { open };
    let never = Interrupt::never();
    runner.warm_up(&closed, 0, &Nobody, &never).unwrap();
    let (cpu_before_s, began) = (cpu_s(), Instant::now());
    let run = runner.measure(&load, 0, &Nobody, &never).unwrap();
    let (cpu_s, wall_s) = (cpu_s() - cpu_before_s, began.elapsed().as_secs_f64());
    report(&run, cpu_s, wall_s);
    drop(runner);
    drop(server.stdin.take());
    let mut lateness = String::new();
    server.stdout.take().unwrap().read_to_string(&mut lateness).unwrap();
    println!("server's own lateness      {}", lateness.trim());
    server.wait().unwrap();
}

#[expect(clippy::cast_precision_loss, reason = "stamps are far below 2^52")]
fn report(run: &Run, cpu_s: f64, wall_s: f64) {
    let done: Vec<_> = run.requests.iter().filter(|record| record.completed()).collect();
    let ms = |from: u64, to: u64| to as f64 / 1e6 - from as f64 / 1e6;
    let ttft: Vec<f64> = done
        .iter()
        .map(|record| {
            let server_ms = f64::from(record.input_tokens.unwrap()) / 1e3;
            ms(record.sent_ns, record.first_token_ns.unwrap()) - server_ms
        })
        .collect();
    let tpot: Vec<f64> = done
        .iter()
        .map(|record| {
            let gaps = f64::from(record.output_tokens.unwrap() - 1);
            ms(record.first_token_ns.unwrap(), record.last_token_ns.unwrap()) / gaps - GAP.as_secs_f64() * 1e3
        })
        .collect();
    let tokens: f64 = done.iter().map(|record| f64::from(record.output_tokens.unwrap())).sum();
    println!("requests                   {} ok, {:?}", done.len(), run.failures());
    println!(
        "tokens                     {tokens} in {wall_s:.2} s = {:.0} tokens/s",
        tokens / wall_s
    );
    println!(
        "added TTFT                 P50 {:.3} ms  P99 {:.3} ms",
        quantile(&ttft, 0.5),
        quantile(&ttft, 0.99)
    );
    println!(
        "added TPOT                 P50 {:.4} ms  P99 {:.4} ms",
        quantile(&tpot, 0.5),
        quantile(&tpot, 0.99)
    );
    println!(
        "client CPU                 {cpu_s:.2} s = {:.1} s per million tokens",
        cpu_s / tokens * 1e6
    );
}

#[expect(
    clippy::cast_precision_loss,
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

/// User and system time of this process; Linux counts in hundredths of a second.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

fn plan(url: &str, streams: u32, tokens: u32, answers: u32) -> Plan {
    Plan {
        target: Target {
            model: Some("bench".into()),
            ..Target::at(url)
        },
        workload: Workload::new(
            Prompts::Synthetic {
                input_tokens: Lengths::Fixed(128),
            },
            Lengths::Fixed(tokens),
        ),
        loads: vec![Load::Concurrency(streams)],
        requests_per_run: streams * answers,
        warmup_requests: streams,
        warmup_limit: None,
        repeats: 1,
        seed: 42,
        max_error_rate: 0.01,
        slo: Slo::default(),
        hardware: [].into(),
        framework: [].into(),
    }
}

fn start_server(tokens: u32) -> (Child, String) {
    let mut server = Command::new(env::current_exe().unwrap())
        .args(["serve", &tokens.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(server.stdout.take().unwrap());
    let mut url = String::new();
    reader.read_line(&mut url).unwrap();
    server.stdout = Some(reader.into_inner());
    (server, url.trim().to_owned())
}

/// Serves until standard input closes, each connection on a thread of its own, then says how late it was.
fn serve(tokens: u32) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let late_ms = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&late_ms);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (socket, log) = (socket.unwrap(), Arc::clone(&log));
            thread::spawn(move || serve_stream(&socket, tokens, &log));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let late_ms = late_ms.lock().unwrap();
    println!(
        "P50 {:.3} ms  P99 {:.3} ms",
        quantile(&late_ms, 0.5),
        quantile(&late_ms, 0.99)
    );
}

/// Answers the requests of one connection until the client is gone.
fn serve_stream(socket: &TcpStream, tokens: u32, log: &Mutex<Vec<f64>>) {
    socket.set_nodelay(true).unwrap();
    let mut late_ms = Vec::new();
    while let Some(arrived) = take_request(socket) {
        let mut due = arrived + FIRST_TOKEN;
        let mut first_us = 0;
        for left in (0..tokens).rev() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if left + 1 == tokens {
                first_us = arrived.elapsed().as_micros();
            }
            late_ms.push(due.elapsed().as_secs_f64() * 1e3);
            if send_token(socket, tokens, left, first_us).is_err() {
                break;
            }
            due += GAP;
        }
    }
    log.lock().unwrap().extend(late_ms);
}

/// Reads one whole request; tells when it arrived.
fn take_request(mut socket: &TcpStream) -> Option<Instant> {
    let mut request = Vec::new();
    let mut buffer = [0; 16384];
    loop {
        let count = socket.read(&mut buffer).ok().filter(|count| *count > 0)?;
        let arrived = Instant::now();
        request.extend(buffer.iter().take(count));
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ")?.1.lines().next()?;
            if body.len() >= length.trim().parse().ok()? {
                return Some(arrived);
            }
        }
    }
}

/// One token in one write; the last one brings `usage`, whose prompt tokens are the server's own TTFT in µs.
fn send_token(mut socket: &TcpStream, tokens: u32, left: u32, first_us: u128) -> std::io::Result<()> {
    let frame = "\"object\":\"chat.completion.chunk\",\"created\":1795303543,\"model\":\"bench\"";
    let delta =
        "\"index\":0,\"delta\":{\"content\":\" tok\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null";
    let token = format!("data: {{\"id\":\"chatcmpl-9c6a7038a7f98c3a\",{frame},\"choices\":[{{{delta}}}]}}\n\n");
    let usage = format!("\"usage\":{{\"prompt_tokens\":{first_us},\"completion_tokens\":{tokens}}}");
    let ending = format!("data: {{{frame},\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n");
    let events = if left == 0 { token + &ending } else { token };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let bytes = format!(
        "{}{:x}\r\n{events}\r\n{}",
        if left + 1 == tokens { head } else { "" },
        events.len(),
        if left == 0 { "0\r\n\r\n" } else { "" }
    );
    socket.write_all(bytes.as_bytes())
}
