//! The scheduler in engine time: batches, queues, blocks, and the times that the model promises.
use super::*;
use crate::sim::{EngineConfig, parse_slow, step::StepTimes};

const ROOMY: Limits = Limits {
    max_num_seqs: 8,
    max_batched_tokens: 64,
    kv_blocks: 100,
    block_tokens: 4,
};

fn job(id: u64, ready_ns: u64, prompt_tokens: u32, output_tokens: u32) -> Job {
    Job {
        id,
        ready_ns,
        prompt_tokens,
        cached_tokens: 0,
        output_tokens,
    }
}

fn scheduler(limits: Limits, jobs: &[Job]) -> Scheduler {
    let mut scheduler = Scheduler::new(limits);
    for job in jobs {
        scheduler.submit(*job);
    }
    scheduler
}

/// Plays one step at a time of its own, and writes it as `sequences/decoding/prefill: id id! …` (`!` is the last).
fn play(scheduler: &mut Scheduler, now_ns: u64) -> String {
    let Some(step) = scheduler.plan(now_ns) else {
        return "idle".to_owned();
    };
    let tokens = scheduler.finish().into_iter();
    let tokens: Vec<String> = tokens
        .map(|t| format!("{}{}", t.id, if t.last { "!" } else { "" }))
        .collect();
    format!(
        "{}/{}/{}: {}",
        step.sequences,
        step.decoding,
        step.prefill_tokens,
        tokens.join(" ")
    )
}

fn assert_plays(scheduler: &mut Scheduler, steps: &[(u64, &str)]) {
    for (now_ns, expected) in steps {
        assert_eq!(play(scheduler, *now_ns).trim_end(), *expected, "at {now_ns}");
    }
}

#[test]
fn a_lone_request_is_prefilled_and_then_decoded() {
    let mut scheduler = scheduler(ROOMY, &[job(1, 0, 10, 3)]);
    assert_plays(
        &mut scheduler,
        &[(0, "1/0/10: 1"), (1, "1/1/0: 1"), (2, "1/1/0: 1!"), (3, "idle")],
    );
    assert_eq!(scheduler.occupancy(), Occupancy::default());
}

#[test]
fn a_request_that_arrives_midway_joins_the_next_step() {
    let mut scheduler = scheduler(ROOMY, &[job(1, 0, 10, 4), job(2, 15, 5, 2)]);
    assert_plays(
        &mut scheduler,
        &[
            (0, "1/0/10: 1"),
            (10, "1/1/0: 1"),
            (20, "2/1/5: 1 2"),
            (30, "2/2/0: 1! 2!"),
            (40, "idle"),
        ],
    );
}

#[test]
fn requests_are_admitted_in_order_of_entry() {
    let limits = Limits {
        max_num_seqs: 1,
        ..ROOMY
    };
    let mut scheduler = scheduler(limits, &[job(1, 9, 1, 1), job(2, 8, 1, 1), job(3, 8, 1, 1)]);
    assert_plays(
        &mut scheduler,
        &[(10, "1/0/1: 2!"), (11, "1/0/1: 3!"), (12, "1/0/1: 1!")],
    );
}

#[test]
fn beyond_the_batch_limit_requests_wait() {
    let limits = Limits {
        max_num_seqs: 2,
        ..ROOMY
    };
    let mut scheduler = scheduler(limits, &[job(1, 0, 4, 2), job(2, 0, 4, 3), job(3, 0, 4, 1)]);
    assert_plays(&mut scheduler, &[(0, "2/0/8: 1 2")]);
    assert_eq!(scheduler.occupancy().waiting, 1);
    assert_plays(&mut scheduler, &[(1, "2/2/0: 1! 2"), (2, "2/1/4: 2! 3!"), (3, "idle")]);
}

#[test]
fn a_prompt_above_the_token_budget_is_prefilled_in_chunks_beside_decoding() {
    let limits = Limits {
        max_batched_tokens: 10,
        ..ROOMY
    };
    let mut scheduler = scheduler(limits, &[job(1, 0, 4, 4), job(2, 1, 20, 1)]);
    assert_plays(
        &mut scheduler,
        &[
            (0, "1/0/4: 1"),
            (1, "2/1/9: 1"),
            (2, "2/1/9: 1"),
            (3, "2/1/2: 1! 2!"),
            (4, "idle"),
        ],
    );
}

#[test]
fn without_free_blocks_a_prompt_waits() {
    // 4 tokens a block: the first takes 3 of 4 blocks to its end, the second needs 2.
    let limits = Limits { kv_blocks: 4, ..ROOMY };
    let mut scheduler = scheduler(limits, &[job(1, 0, 9, 2), job(2, 0, 8, 1)]);
    assert_plays(&mut scheduler, &[(0, "1/0/9: 1")]);
    assert_eq!(scheduler.occupancy().used_blocks, 3);
    assert_plays(&mut scheduler, &[(1, "1/1/0: 1!"), (2, "1/0/8: 2!"), (3, "idle")]);
    assert_eq!(scheduler.occupancy(), Occupancy::default());
}

#[test]
fn the_youngest_gives_its_blocks_back_when_an_older_one_grows() {
    // Both prompts fill their block; the first to need a second block takes it from the other.
    let limits = Limits { kv_blocks: 2, ..ROOMY };
    let mut scheduler = scheduler(limits, &[job(1, 0, 4, 3), job(2, 0, 4, 3)]);
    assert_plays(&mut scheduler, &[(0, "2/0/8: 1 2"), (1, "1/1/0: 1")]);
    let now = scheduler.occupancy();
    assert_eq!(
        (now.running, now.waiting, now.preemptions, now.used_blocks),
        (1, 1, 1, 2)
    );
    // Recomputed with the token it had: five tokens.
    assert_plays(
        &mut scheduler,
        &[(2, "1/1/0: 1!"), (3, "1/0/5: 2"), (4, "1/1/0: 2!"), (5, "idle")],
    );
    assert_eq!(scheduler.occupancy().used_blocks, 0);
}

#[test]
fn a_cancelled_request_frees_its_place_wherever_it_is() {
    let limits = Limits {
        max_num_seqs: 1,
        ..ROOMY
    };
    let mut scheduler = scheduler(
        limits,
        &[job(1, 0, 8, 9), job(2, 0, 8, 9), job(3, 7, 8, 9), job(4, 8, 8, 1)],
    );
    scheduler.plan(0);
    assert_eq!(scheduler.occupancy().used_blocks, 2);
    // Running in the step under way, waiting, entering, never heard of.
    let cancelled: Vec<bool> = [1, 2, 3, 5].map(|id| scheduler.cancel(id)).into();
    assert_eq!(cancelled, [true, true, true, false]);
    assert_eq!(scheduler.finish(), []);
    assert_eq!(scheduler.occupancy().used_blocks, 0);
    assert_plays(&mut scheduler, &[(8, "1/0/8: 4!"), (9, "idle")]);
}

#[test]
fn the_next_step_starts_at_once_or_when_the_first_request_is_due() {
    let mut scheduler = scheduler(ROOMY, &[]);
    assert_eq!(scheduler.next_start_ns(5), None);
    scheduler.submit(job(1, 9, 1, 2));
    assert_eq!(
        (scheduler.next_start_ns(5), scheduler.next_start_ns(12)),
        (Some(9), Some(12))
    );
    assert_plays(&mut scheduler, &[(8, "idle"), (9, "1/0/1: 1")]);
    assert_eq!(scheduler.next_start_ns(10), Some(10));
}

/// Plays to the end in engine time: per request its token stamps in nanoseconds, from arrival at zero.
fn stamps(config: &EngineConfig, requests: u64) -> BTreeMap<u64, Vec<u64>> {
    let mut times = StepTimes::new(config);
    let limits = Limits {
        max_num_seqs: 8,
        max_batched_tokens: 2048,
        kv_blocks: 1000,
        block_tokens: 16,
    };
    let mut scheduler = Scheduler::new(limits);
    for id in 1..=requests {
        scheduler.submit(job(id, times.entry_ns(64, 0), 64, 16));
    }
    let mut stamps: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut clock_ns = 0;
    while let Some(start_ns) = scheduler.next_start_ns(clock_ns) {
        let step = scheduler.plan(start_ns).unwrap();
        clock_ns = start_ns + times.step_ns(&step, start_ns);
        for emission in scheduler.finish() {
            stamps.entry(emission.id).or_default().push(clock_ns);
        }
    }
    stamps
}

/// TTFT, and all gaps between tokens, of every request.
fn latencies_ns(slow: &str, requests: u64) -> (Vec<u64>, Vec<u64>) {
    let mut config = EngineConfig {
        step_noise_pct: 0.0,
        drift_pct: 0.0,
        decode_step_us: 2500.0,
        ..EngineConfig::default()
    };
    if !slow.is_empty() {
        config.slow = parse_slow(slow).unwrap();
    }
    let stamps = stamps(&config, requests);
    let firsts = stamps.values().filter_map(|tokens| tokens.first().copied());
    let gaps = stamps
        .values()
        .flat_map(|tokens| tokens.windows(2).map(|pair| pair[1] - pair[0]));
    (firsts.collect(), gaps.collect())
}

#[test]
fn a_lone_request_has_the_times_of_the_model() {
    // TTFT: 3000 + 2500 + 20 + 64 × 2 µs; a gap: 2500 + 20 µs.
    assert_eq!(latencies_ns("", 1), (vec![5_648_000], vec![2_520_000; 15]));
}

#[test]
fn a_batch_of_four_slows_each_step_by_its_sequences() {
    assert_eq!(latencies_ns("", 4), (vec![6_092_000; 4], vec![2_580_000; 60]));
}

#[test]
fn a_planted_tpot_change_moves_every_gap_by_it_and_no_lone_ttft() {
    assert_eq!(latencies_ns("tpot=12%", 1), (vec![5_648_000], vec![2_822_400; 15]));
    assert_eq!(latencies_ns("tpot=12%", 4).1, vec![2_889_600; 60]);
}

#[test]
fn a_planted_ttft_change_moves_a_lone_ttft_by_it_and_no_gap() {
    assert_eq!(latencies_ns("ttft=20%", 1), (vec![6_777_600], vec![2_520_000; 15]));
}

#[test]
fn a_planted_throughput_change_stretches_answers_by_its_inverse() {
    assert_eq!(
        latencies_ns("throughput=20%", 1),
        (vec![7_060_000], vec![3_150_000; 15])
    );
}

#[test]
fn with_noise_the_same_seed_gives_the_same_stamps() {
    let seeded = |seed| {
        stamps(
            &EngineConfig {
                seed,
                ..EngineConfig::default()
            },
            4,
        )
    };
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn cached_tokens_need_no_prefill_but_hold_their_blocks() {
    let cached = Job {
        cached_tokens: 8,
        ..job(1, 0, 10, 2)
    };
    let mut scheduler = scheduler(ROOMY, &[cached]);
    assert_eq!(scheduler.plan(0).unwrap().prefill_tokens, 2);
    assert_eq!(scheduler.occupancy().used_blocks, 3);
}
