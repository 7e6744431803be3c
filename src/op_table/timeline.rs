//! Intervals on a device → busy, exposed and idle time, and why it was idle.

use super::{Family, IdleCause, Timeline};

/// A gap before a kernel that had been launched is the cost between two kernels up to here.
///
/// Source: `HolisticTraceAnalysis`, `consecutive_kernel_delay`.
const BETWEEN_KERNELS_NS: u64 = 30_000;

/// A longer gap between two steps is a cause of its own: a server that waits for requests, or a host that stalls.
pub const WAITING_NS: u64 = 50_000_000;

/// One event on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSpan {
    /// When it began.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// When the host began to launch it; `None` where that is not recorded.
    pub launched_ns: Option<u64>,
    /// What it was.
    pub kind: SpanKind,
    /// What sort of work it was.
    pub family: Family,
    /// The phase that it counts for: an index into the answer.
    pub phase: usize,
    /// The step that it is part of.
    pub step: usize,
}

/// What ran; what stands first hides what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpanKind {
    /// A kernel or memset.
    Compute,
    /// Communication between devices.
    Communication,
    /// A copy.
    Copy,
}

/// The timeline of each phase on one device, in which each nanosecond from the first event to the last counts once.
///
/// Of events at the same time, kernels hide communication, and both hide copies. A gap counts for the phase of the event that
/// ends it. `profiler` holds the times at which the profiler itself worked. Sorts the spans by their start.
pub fn timelines(spans: &mut [DeviceSpan], profiler: &[(u64, u64)], phases: usize) -> Vec<Timeline> {
    spans.sort_by_key(|span| (span.start_ns, span.end_ns));
    let mut found = vec![Timeline::default(); phases];
    let mut active: Vec<DeviceSpan> = Vec::new();
    let mut now_ns = spans.first().map_or(0, |span| span.start_ns);
    let mut last_step = spans.first().map_or(0, |span| span.step);
    for span in spans.iter() {
        run_until(span.start_ns, &mut now_ns, &mut active, &mut found);
        if span.start_ns > now_ns {
            if let Some(timeline) = found.get_mut(span.phase) {
                idle(timeline, (now_ns, span), span.step != last_step, profiler);
            }
            now_ns = span.start_ns;
        }
        last_step = span.step;
        active.push(*span);
    }
    run_until(u64::MAX, &mut now_ns, &mut active, &mut found);
    found
}

/// Gives the time until `end_ns` to what is active; stops earlier where nothing is.
fn run_until(end_ns: u64, now_ns: &mut u64, active: &mut Vec<DeviceSpan>, found: &mut [Timeline]) {
    while *now_ns < end_ns {
        active.retain(|span| span.end_ns > *now_ns);
        let Some(owner) = active.iter().min_by_key(|span| (span.kind, span.start_ns)) else {
            return;
        };
        let first_end_ns = active.iter().map(|span| span.end_ns).min().unwrap_or(end_ns);
        let until_ns = first_end_ns.min(end_ns);
        let length_ns = until_ns - *now_ns;
        if let Some(timeline) = found.get_mut(owner.phase) {
            timeline.wall_ns += length_ns;
            match owner.kind {
                SpanKind::Compute => timeline.compute(owner.family, length_ns),
                SpanKind::Communication => timeline.exposed_communication_ns += length_ns,
                SpanKind::Copy => timeline.exposed_copy_ns += length_ns,
            }
        }
        *now_ns = until_ns;
    }
}

fn idle(timeline: &mut Timeline, (since_ns, next): (u64, &DeviceSpan), between_steps: bool, profiler: &[(u64, u64)]) {
    let gap_ns = next.start_ns - since_ns;
    timeline.wall_ns += gap_ns;
    if between_steps {
        timeline.between_steps_ns += gap_ns;
    }
    let profiler_ns = profiler
        .iter()
        .map(|(start_ns, end_ns)| (*end_ns).min(next.start_ns).saturating_sub((*start_ns).max(since_ns)))
        .sum::<u64>()
        .min(gap_ns);
    let cause = match next.launched_ns {
        _ if between_steps && gap_ns > WAITING_NS => IdleCause::Waiting,
        Some(launched_ns) if launched_ns > since_ns => IdleCause::HostWait,
        _ if gap_ns < BETWEEN_KERNELS_NS => IdleCause::KernelWait,
        _ => IdleCause::Other,
    };
    for (cause, time_ns) in [(IdleCause::Profiler, profiler_ns), (cause, gap_ns - profiler_ns)] {
        if time_ns > 0 {
            let gaps = timeline.idle.entry(cause).or_default();
            gaps.count += 1;
            gaps.time_ns += time_ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start_ns: u64, end_ns: u64, launched_ns: u64, kind: SpanKind) -> DeviceSpan {
        DeviceSpan {
            start_ns,
            end_ns,
            launched_ns: Some(launched_ns),
            kind,
            family: Family::Gemm,
            phase: 0,
            step: 0,
        }
    }

    fn one(spans: &[DeviceSpan], profiler: &[(u64, u64)]) -> Timeline {
        timelines(&mut spans.to_vec(), profiler, 1).remove(0)
    }

    fn gap(timeline: &Timeline, cause: IdleCause) -> u64 {
        timeline.idle.get(&cause).map_or(0, |gaps| gaps.time_ns)
    }

    #[test]
    fn time_of_two_kernels_at_once_counts_once() {
        let both = one(
            &[span(0, 10, 0, SpanKind::Compute), span(5, 20, 0, SpanKind::Compute)],
            &[],
        );
        assert_eq!((both.wall_ns, both.compute_ns, both.idle_ns()), (20, 20, 0));
    }

    #[test]
    fn what_a_kernel_hides_is_not_exposed() {
        let hidden = one(
            &[
                span(0, 10, 0, SpanKind::Compute),
                span(2, 14, 0, SpanKind::Communication),
                span(5, 20, 0, SpanKind::Copy),
            ],
            &[],
        );
        assert_eq!(hidden.compute_ns, 10);
        assert_eq!(hidden.exposed_communication_ns, 4);
        assert_eq!(hidden.exposed_copy_ns, 6);
    }

    #[test]
    fn a_gap_has_the_cause_that_its_launch_tells() {
        let late = one(
            &[span(0, 10, 0, SpanKind::Compute), span(50, 60, 11, SpanKind::Compute)],
            &[],
        );
        assert_eq!(gap(&late, IdleCause::HostWait), 40);
        let queued = one(
            &[span(0, 10, 0, SpanKind::Compute), span(50, 60, 10, SpanKind::Compute)],
            &[],
        );
        assert_eq!(gap(&queued, IdleCause::KernelWait), 40);
        let waiting = one(
            &[
                span(0, 10, 0, SpanKind::Compute),
                span(30_010, 30_060, 5, SpanKind::Compute),
            ],
            &[],
        );
        assert_eq!(
            gap(&waiting, IdleCause::Other),
            30_000,
            "30 µs are no cost between kernels"
        );
    }

    #[test]
    fn the_profilers_own_work_is_told_apart() {
        let spans = [span(0, 10, 0, SpanKind::Compute), span(50, 60, 45, SpanKind::Compute)];
        let seen = one(&spans, &[(0, 25), (48, 70)]);
        assert_eq!(gap(&seen, IdleCause::Profiler), 17);
        assert_eq!(gap(&seen, IdleCause::HostWait), 23);
    }

    #[test]
    fn a_gap_counts_for_the_phase_that_ends_it() {
        let mut spans = [span(0, 10, 0, SpanKind::Compute), span(50, 60, 45, SpanKind::Compute)];
        (spans[1].phase, spans[1].step) = (1, 1);
        let found = timelines(&mut spans, &[], 2);
        assert_eq!(found[0].wall_ns, 10);
        assert_eq!((found[1].wall_ns, found[1].between_steps_ns), (50, 40));
    }

    #[test]
    fn a_long_gap_between_two_steps_is_counted_under_a_cause_of_its_own() {
        let later = 10 + WAITING_NS;
        for (start_ns, waiting_ns) in [(later, 0), (later + 1, WAITING_NS + 1)] {
            let mut spans = [
                span(0, 10, 0, SpanKind::Compute),
                span(start_ns, start_ns + 5, 20, SpanKind::Compute),
            ];
            let within = one(&spans, &[]);
            assert_eq!(
                gap(&within, IdleCause::Waiting),
                0,
                "within a step nothing waits for requests"
            );
            spans[1].step = 1;
            let between = timelines(&mut spans, &[], 1).remove(0);
            assert_eq!(gap(&between, IdleCause::Waiting), waiting_ns);
            assert_eq!(between.wall_ns, start_ns + 5, "no gap is left out");
            assert_eq!(between.wall_ns, between.busy_ns() + between.idle_ns());
        }
    }

    proptest! {
        #[test]
        fn the_sums_are_closed(
            raw in prop::collection::vec((0_u64..100_000, 0_u64..5_000, 0_u64..100_000, 0_u8..3, 0_usize..3), 1..60),
            profiler in prop::collection::vec((0_u64..100_000, 0_u64..3_000), 0..4),
        ) {
            let mut spans: Vec<DeviceSpan> = raw
                .into_iter()
                .map(|(start_ns, length_ns, launched_ns, kind, phase)| DeviceSpan {
                    start_ns,
                    end_ns: start_ns + length_ns,
                    launched_ns: Some(launched_ns),
                    kind: [SpanKind::Compute, SpanKind::Communication, SpanKind::Copy][usize::from(kind)],
                    family: [Family::Gemm, Family::Copy][usize::from(length_ns % 2 == 0)],
                    phase,
                    step: 0,
                })
                .collect();
            let profiler: Vec<(u64, u64)> = profiler.into_iter().map(|(start, length)| (start, start + length)).collect();
            let found = timelines(&mut spans, &profiler, 3);
            let first = spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
            let last = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
            for timeline in &found {
                prop_assert_eq!(timeline.wall_ns, timeline.busy_ns() + timeline.idle_ns());
                prop_assert_eq!(timeline.compute_ns, timeline.compute_by_family.values().sum::<u64>());
            }
            prop_assert_eq!(found.iter().map(|timeline| timeline.wall_ns).sum::<u64>(), last - first);
        }
    }
}
