//! What spoils a run without being its server's doing. It is never a latency: a pair that is measured again because it
//! looked slow would hide what is to be found.

use std::{collections::BTreeMap, time::Duration};

use super::{came_at_once, clocks};
use crate::{
    session::{Run, WarmupEnd},
    stats::quantile::quantile,
};

/// The largest share of CPU time that the hypervisor may take.
const MAX_STEAL: f64 = 0.02;

/// The most of one core that a resting arm may use, and what no clock tick makes of it.
const MAX_RESTING_CORES: f64 = 0.10;
const LEAST_RESTING_S: f64 = 0.05;

/// Under what a run was measured, where that may tell one arm of a pair from the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Circumstances {
    /// What the machine did to it, or the client, in words.
    pub disturbed: Option<String>,
    /// What the machine did to it.
    pub by_machine: Option<String>,
    /// By GPU, in watts.
    pub power_limits_w: BTreeMap<u32, f64>,
    /// Mean SM clock of its slowest GPU while that worked.
    pub sm_clock_mhz: Option<f64>,
    /// Whether GPU clocks were held down.
    pub is_throttled: bool,
    /// Processes on its server's GPUs that were there all the time and are none of the server's; `None`: nobody could tell.
    pub neighbours: Option<u32>,
}

impl Circumstances {
    pub(super) fn of(run: &Run) -> Self {
        let by_machine = of_machine(run);
        Self {
            disturbed: by_machine.clone().or_else(|| read_as_one(run)),
            by_machine,
            power_limits_w: clocks::power_limits_w(run),
            sm_clock_mhz: clocks::sm_clock_mhz(run),
            is_throttled: !run.host.throttled.is_empty(),
            neighbours: run.host.neighbour_gpu_processes,
        }
    }
}

/// What disturbed a run, in words.
pub fn of(run: &Run) -> Option<String> {
    let cold = (run.warmup.end == WarmupEnd::Limit).then(|| {
        format!(
            "the server was not steady after {} warm-up requests, their limit",
            run.warmup.requests
        )
    });
    of_machine(run).or(cold).or_else(|| read_as_one(run))
}

/// What the machine did to a run, in words; how warm the server was, and how late the client read, is another matter.
pub fn of_machine(run: &Run) -> Option<String> {
    let host = &run.host;
    let wall_s = run.client.map(|client| client.wall_s);
    if let Some(steal) = host.cpu_steal.filter(|steal| *steal > MAX_STEAL) {
        return Some(format!(
            "the hypervisor took {:.1} % of the CPU time, more than {:.0} %",
            steal * 100.0,
            MAX_STEAL * 100.0
        ));
    }
    if !host.throttled.is_empty() {
        return Some(format!("GPU clocks were held down ({})", host.throttled.join(", ")));
    }
    if host.gpu_memory_errors > 0 {
        let errors = match host.gpu_memory_errors {
            1 => "1 memory error".to_owned(),
            many => format!("{many} memory errors"),
        };
        return Some(format!("the GPU counted {errors} that it could not correct (ECC)"));
    }
    if host.foreign_gpu_processes > 0 {
        let processes = host.foreign_gpu_processes;
        let processes = match processes {
            1 => "1 process".to_owned(),
            many => format!("{many} processes"),
        };
        return Some(format!(
            "other work was on the GPU for a part of the time only ({processes})"
        ));
    }
    if let Some(requests) = host.resting_arm_requests.filter(|requests| *requests > 0) {
        let requests = match requests {
            1 => "1 request".to_owned(),
            many => format!("{many} requests"),
        };
        return Some(format!("the resting arm's server held {requests}"));
    }
    if let Some((used_s, wall_s)) = host.resting_arm_cpu_s.zip(wall_s)
        && used_s > LEAST_RESTING_S.max(wall_s * MAX_RESTING_CORES)
    {
        return Some(format!(
            "the resting arm's server used {used_s:.2} s of CPU time in {wall_s:.2} s, more than a tenth of a core"
        ));
    }
    None
}

/// Tokens of many answers came in one read, as the client slept for longer than they took to come. Where it never slept so
/// long, it was the server that held them back, and that is what is to be found.
fn read_as_one(run: &Run) -> Option<String> {
    let (at_once, all) = came_at_once(run)?;
    let stamps = run.requests.iter().filter(|record| record.completed());
    let spans = stamps.filter_map(|record| record.last_token_ns?.checked_sub(record.first_token_ns?));
    let spans = spans.filter(|span_ns| *span_ns > 0);
    let spans: Vec<f64> = spans.map(|ns| Duration::from_nanos(ns).as_secs_f64() * 1e3).collect();
    let (late_ms, span_ms) = (run.client?.read_lag?.max_ms, quantile(&spans, 0.5)?);
    (late_ms >= span_ms).then(|| {
        format!(
            "in {at_once} of {all} answers all tokens came in one read, and the client read up to {late_ms:.1} ms late, \
             while the tokens of an answer come within {span_ms:.1} ms"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ClientUse, HostUse, Lag, RequestRecord, Warmup};

    fn run(host: HostUse) -> Run {
        Run {
            host,
            client: Some(ClientUse {
                wall_s: 10.0,
                ..ClientUse::default()
            }),
            ..Run::default()
        }
    }

    fn host(with: impl FnOnce(&mut HostUse)) -> HostUse {
        let mut host = HostUse::default();
        with(&mut host);
        host
    }

    #[test]
    fn each_limit_is_tried_on_both_sides() {
        let table = [
            (host(|_| {}), None),
            (host(|host| host.cpu_steal = Some(0.02)), None),
            (
                host(|host| host.cpu_steal = Some(0.021)),
                Some("the hypervisor took 2.1 %"),
            ),
            (
                host(|host| host.throttled = vec!["hw_slowdown".into()]),
                Some("held down (hw_slowdown)"),
            ),
            (host(|host| host.gpu_memory_errors = 2), Some("counted 2 memory errors")),
            (host(|host| host.foreign_gpu_processes = 1), Some("(1 process)")),
            (host(|host| host.neighbour_gpu_processes = Some(3)), None),
            (host(|host| host.resting_arm_requests = Some(0)), None),
            (
                host(|host| host.resting_arm_requests = Some(2)),
                Some("held 2 requests"),
            ),
            (host(|host| host.resting_arm_cpu_s = Some(1.0)), None),
            (
                host(|host| host.resting_arm_cpu_s = Some(1.01)),
                Some("1.01 s of CPU time"),
            ),
        ];
        for (host, expected) in table {
            let found = of(&run(host.clone()));
            match expected {
                None => assert_eq!(found, None, "{host:?}"),
                Some(words) => assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{found:?}"),
            }
        }
    }

    #[test]
    fn clock_ticks_of_a_short_run_and_slow_answers_disturb_nothing() {
        let mut short = run(HostUse {
            resting_arm_cpu_s: Some(0.05),
            ..HostUse::default()
        });
        short.client = Some(ClientUse {
            wall_s: 0.1,
            ..ClientUse::default()
        });
        assert_eq!(of(&short), None);
    }

    #[test]
    fn a_warm_up_that_hit_its_limit_disturbs_and_a_planned_one_does_not() {
        let mut run = run(HostUse::default());
        run.warmup = Warmup {
            requests: 200,
            failed: 0,
            end: WarmupEnd::Limit,
        };
        assert!(of(&run).unwrap().contains("not steady after 200"));
        run.warmup.end = WarmupEnd::Planned;
        assert_eq!(of(&run), None);
    }

    #[test]
    fn answers_that_came_in_one_read_are_the_clients_doing_where_it_read_as_late_as_that() {
        // Answers of four tokens within 6 ms, the first ones at once.
        let answers = |at_once: usize, late_ms: Option<f64>| {
            let record = |place: usize| RequestRecord {
                output_tokens: Some(4),
                first_token_ns: Some(10_000_000),
                last_token_ns: Some(if place < at_once { 10_000_000 } else { 16_000_000 }),
                ..RequestRecord::default()
            };
            let lag = |max_ms| Lag {
                max_ms,
                ..Lag::default()
            };
            let client = ClientUse {
                read_lag: late_ms.map(lag),
                ..ClientUse::default()
            };
            Run {
                requests: (0..40).map(record).collect(),
                client: Some(client),
                ..Run::default()
            }
        };
        assert_eq!(of(&answers(2, Some(50.0))), None, "the others have a TPOT");
        assert_eq!(
            of(&answers(3, Some(6.0))).unwrap(),
            "in 3 of 40 answers all tokens came in one read, and the client read up to 6.0 ms late, while the tokens of an \
             answer come within 6.0 ms"
        );
        assert_eq!(of(&answers(3, Some(5.9))), None, "the server held them back");
        assert_eq!(of(&answers(3, None)), None);
        assert_eq!(of(&answers(40, Some(50.0))), None, "nothing tells how long they take");
    }
}
