//! `perfgate selftest`: what perfgate itself adds to the numbers on this machine, and how much it can carry.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{CommandError, Console, Done, Stage, measure, requests::Requests, run::UNUSABLE};
use crate::{
    load::{Interrupt, PromptSet, Runner, Stopped},
    measure::selftest::{self as figures, TrueTimes},
    plan::{Arrivals, Lengths, Load, Plan, Prompts, Secrets, Target, Workload},
    render,
    session::{Added, Run, SelfTest},
    sim, store, telemetry,
};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Twenty to thirty seconds.
    Full,
    /// A few seconds: fewer requests, and an earlier end of the search for the ceiling.
    Quick,
}

/// The environment variable that names the file in which the figures are kept.
const FILE_ENV: &str = "PERFGATE_SELFTEST";

/// Streams at which the added latencies are measured.
const STREAMS: u32 = 64;

/// Measures, prints the figures with their limits, and keeps them where `store` is set.
///
/// Exit code 0, or 4 when a limit is broken or Ctrl-C ended it.
///
/// # Errors
/// When the server cannot start, or the file cannot be written.
pub fn selftest(depth: Depth, store: bool, console: &dyn Console, interrupt: &Interrupt) -> Result<Done, CommandError> {
    let file = store.then(|| file().ok_or_else(no_place)).transpose()?;
    if let Some(file) = &file {
        store::claim_output(file)?;
    }
    let found = measure_all(depth, console, interrupt);
    console.end();
    let test = match found? {
        Ok(test) => test,
        Err(reason) => {
            return Ok(Done {
                text: format!("selftest: {reason}\n"),
                exit_code: UNUSABLE,
            });
        }
    };
    if let Some(file) = &file {
        store::write_selftest(file, &test)?;
        console.say(&format!(
            "kept in `{}`, for the sessions of this machine",
            file.display()
        ));
    }
    let limits = figures::limits(&test);
    Ok(Done {
        text: render::terminal_selftest(&test, &limits),
        exit_code: if limits.iter().all(figures::Limit::is_kept) {
            0
        } else {
            UNUSABLE
        },
    })
}

fn no_place() -> CommandError {
    CommandError::Usage(format!(
        "there is no home folder to keep the figures in; name a file in `{FILE_ENV}`"
    ))
}

/// Where the figures of this machine are kept: `PERFGATE_SELFTEST`, else in the user's cache folder.
fn file() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(FILE_ENV).or_else(|| {
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(cache.join("perfgate").join("selftest.json"))
    })
}

/// The figures that were kept of this program on this machine, if any.
pub fn kept(cpu: Option<&String>, cpu_cores: Option<u32>) -> Option<SelfTest> {
    let test = store::read_selftest(&file()?)?;
    let is_ours = test.tool_version == env!("CARGO_PKG_VERSION");
    (is_ours && test.cpu.as_ref() == cpu && test.cpu_cores == cpu_cores).then_some(test)
}

/// Why there are no figures, in words.
type Found<T> = Result<Result<T, String>, CommandError>;

fn measure_all(depth: Depth, console: &dyn Console, interrupt: &Interrupt) -> Found<SelfTest> {
    let bench = Bench {
        depth,
        console,
        interrupt,
    };
    let machine = telemetry::machine();
    let mut test = SelfTest {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        measured_unix_s: measure::now_unix_s(),
        cpu: machine.cpu,
        cpu_cores: machine.cpu_cores,
        streams: STREAMS,
        ..SelfTest::default()
    };
    let server = Server::start("ttft=50ms,tpot=10ms")?;
    match bench.streams(&server, STREAMS)? {
        Err(reason) => return Ok(Err(reason)),
        Ok((added, tokens_per_s)) => {
            test.added = added;
            if figures::is_accurate(&added) {
                (test.max_streams, test.tokens_per_s) = (STREAMS, tokens_per_s);
            }
        }
    }
    if test.max_streams > 0
        && let Err(reason) = bench.most_streams(&server, &mut test)?
    {
        return Ok(Err(reason));
    }
    drop(server);
    let server = Server::start("ttft=0ms,tpot=0ms")?;
    Ok(bench.highest_rate(&server)?.map(|rate_rps| SelfTest {
        max_rate_rps: rate_rps,
        ..test
    }))
}

/// What the parts of a self-test share.
struct Bench<'a> {
    depth: Depth,
    console: &'a dyn Console,
    interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// What is added at a number of streams, and the tokens that came per second.
    fn streams(&self, server: &Server, streams: u32) -> Found<(Added, f64)> {
        let (tokens, answers) = match self.depth {
            Depth::Full => (100, 3),
            Depth::Quick => (30, 2),
        };
        let mean_s = 0.05 + 0.01 * f64::from(tokens - 1);
        // A closed loop would make all streams send in one burst.
        let load = Load::Rate {
            rate_rps: f64::from(streams) / mean_s,
            arrivals: Arrivals::Poisson,
        };
        let plan = plan(&server.url, &load, tokens, streams * answers, streams);
        let run = match self.run(&plan, &format!("{streams} streams"))? {
            Ok(run) => run,
            Err(reason) => return Ok(Err(reason)),
        };
        let truths = server.truths()?;
        let added = figures::added(&run, |answer| truths.get(&answer).copied());
        let found = added.zip(figures::tokens_per_s(&run));
        Ok(found.ok_or_else(|| format!("{streams} streams: {}", why_not(&run))))
    }

    /// Doubles the streams for as long as the figures hold.
    fn most_streams(&self, server: &Server, test: &mut SelfTest) -> Found<()> {
        let highest = match self.depth {
            Depth::Full => 2048,
            Depth::Quick => 128,
        };
        let mut streams = STREAMS * 2;
        while streams <= highest {
            match self.streams(server, streams)? {
                Ok((added, tokens_per_s)) if figures::is_accurate(&added) => {
                    (test.max_streams, test.tokens_per_s) = (streams, tokens_per_s);
                }
                Err(reason) if reason == INTERRUPTED => return Ok(Err(reason)),
                // Beyond its ceiling, whatever breaks there.
                _ => return Ok(Ok(())),
            }
            streams *= 2;
        }
        Ok(Ok(()))
    }

    /// Doubles the rate for as long as requests leave on schedule.
    fn highest_rate(&self, server: &Server) -> Found<f64> {
        let (highest, seconds) = match self.depth {
            Depth::Full => (8000, 1),
            Depth::Quick => (1000, 1),
        };
        let (mut best_rps, mut rate_rps) = (0.0, 500);
        while rate_rps <= highest {
            let load = Load::Rate {
                rate_rps: f64::from(rate_rps),
                arrivals: Arrivals::Constant,
            };
            let plan = plan(&server.url, &load, 1, rate_rps * seconds, 64);
            let run = match self.run(&plan, &format!("{rate_rps} req/s"))? {
                Ok(run) => run,
                Err(reason) if reason == INTERRUPTED => return Ok(Err(reason)),
                Err(_) => break,
            };
            let lag_ms = run.send_lag_p99_ms().unwrap_or(f64::INFINITY);
            if lag_ms > figures::MOST_SEND_LAG_MS || run.requests.iter().any(|record| !record.completed()) {
                break;
            }
            best_rps = f64::from(rate_rps);
            rate_rps *= 2;
        }
        Ok(Ok(best_rps))
    }

    fn run(&self, plan: &Plan, what: &str) -> Found<Run> {
        let prompts = PromptSet::prepare(plan, Path::new("."))?;
        let runner = Runner::new(plan, Secrets::default(), prompts)?;
        let watch = Requests::of(self.console);
        let Some(load) = plan.loads.first() else {
            return Ok(Err("the plan has no load".to_owned()));
        };
        self.console.begin(&stage(plan, what, true));
        // As many at once as the run will have, so that its connections are open.
        let warm = Load::Concurrency(plan.warmup_requests);
        let measured = runner.warm_up(&warm, 0, &watch, self.interrupt).and_then(|_| {
            self.console.begin(&stage(plan, what, false));
            runner.measure(load, 0, &watch, self.interrupt)
        });
        Ok(match measured {
            Ok(run) if self.interrupt.is_set() => Err(run.cut_short.unwrap_or_else(|| INTERRUPTED.to_owned())),
            Ok(run) => Ok(run),
            Err(Stopped::Interrupted) => Err(INTERRUPTED.to_owned()),
            Err(Stopped::Load(error)) => Err(error.to_string()),
        })
    }
}

const INTERRUPTED: &str = "interrupted";

fn why_not(run: &Run) -> String {
    match run.failures().into_iter().next() {
        Some((class, count, message)) => format!("{count} requests failed, {class}: {message}"),
        None => "an answer lacks its stamps".to_owned(),
    }
}

fn stage(plan: &Plan, what: &str, warm_up: bool) -> Stage {
    Stage {
        arm: None,
        cell: what.to_owned(),
        warm_up,
        run: 1,
        runs: 1,
        requests: if warm_up {
            plan.warmup_requests
        } else {
            plan.requests_per_run
        },
        requests_in_all: 0,
    }
}

fn plan(url: &str, load: &Load, tokens: u32, requests: u32, warmup: u32) -> Plan {
    let target = Target {
        model: Some("exact".to_owned()),
        ..Target::at(url)
    };
    let input_tokens = Lengths::Fixed(32);
    let workload = Workload::new(Prompts::Synthetic { input_tokens }, Lengths::Fixed(tokens));
    Plan {
        requests_per_run: requests,
        warmup_requests: warmup,
        repeats: 1,
        ..Plan::new(target, workload, vec![load.clone()])
    }
}

/// A server of exact timing in a process of its own; it stops when this is dropped, or with this process.
struct Server {
    child: Child,
    url: String,
    addr: SocketAddr,
}

impl Server {
    fn start(timing: &str) -> Result<Self, CommandError> {
        let failed = |source| CommandError::File {
            what: "start",
            path: env::current_exe().unwrap_or_else(|_| "perfgate".into()),
            source,
        };
        let program = env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(["sim", "--port", "0", "--until-stdin-closes", "--exact", timing])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let addr = url.and_then(|url| url.strip_prefix("http://")?.parse().ok());
        match url.zip(addr) {
            Some((url, addr)) => Ok(Self {
                url: url.to_owned(),
                addr,
                child,
            }),
            None => Err(failed(std::io::Error::other("it told no address"))),
        }
    }

    /// The true times of all answers so far, by their number.
    fn truths(&self) -> Result<HashMap<u32, TrueTimes>, CommandError> {
        let truths = sim::truths(self.addr).map_err(|source| CommandError::File {
            what: "read",
            path: PathBuf::from(format!("{}/truth", self.url)),
            source,
        })?;
        let times = truths.into_iter().map(|truth| {
            let times = TrueTimes {
                ttft_ns: truth.ttft_ns,
                span_ns: truth.span_ns,
            };
            (truth.answer, times)
        });
        Ok(times.collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
