//! What spoils a run without being its server's doing. It is never a latency: a pair that is measured again because it
//! looked slow would hide what is to be found.

use crate::session::{Run, WarmupEnd};

/// The largest share of CPU time that the hypervisor may take.
const MAX_STEAL: f64 = 0.02;

/// The most of one core that a resting arm may use, and what no clock tick makes of it.
const MAX_RESTING_CORES: f64 = 0.10;
const LEAST_RESTING_S: f64 = 0.05;

/// What disturbed a run, in words.
pub(super) fn of(run: &Run) -> Option<String> {
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
    if host.foreign_gpu_processes > 0 {
        let processes = host.foreign_gpu_processes;
        return Some(format!("other work came onto the GPU ({processes} new processes)"));
    }
    if let Some(requests) = host.resting_arm_requests.filter(|requests| *requests > 0) {
        return Some(format!("the resting arm's server held {requests} requests"));
    }
    if let Some((used_s, wall_s)) = host.resting_arm_cpu_s.zip(wall_s)
        && used_s > LEAST_RESTING_S.max(wall_s * MAX_RESTING_CORES)
    {
        return Some(format!(
            "the resting arm's server used {used_s:.2} s of CPU time in {wall_s:.2} s, more than a tenth of a core"
        ));
    }
    (run.warmup.end == WarmupEnd::Limit).then(|| {
        format!(
            "the server was not steady after {} warm-up requests, their limit",
            run.warmup.requests
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ClientUse, HostUse, Warmup};

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
            (host(|host| host.foreign_gpu_processes = 1), Some("1 new processes")),
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
}
