use std::fs;

use perfgate::{
    metric::{Aggregate, Better, Metric, Told},
    plan::Load,
    session::{
        Block, CellRuns, ClientUse, Ended, EnginePoint, EngineSeries, EngineUse, Failure, FailureClass, Finish,
        GapCounts, GpuPoint, GpuSeries, GpuUse, HostPoint, HostUse, Lag, Origin, Outcome, PairArm, Pairing, Remeasured,
        RequestRecord, Run, Search, SearchEnd, SearchStep, ServerClock, ServerLatency, Session, ShardStart, Stated,
        StatedFigure, Stretch, Telemetry, TokensFrom, ToldValue, Turn, UsageClaim, Warmup, WarmupEnd,
    },
    store,
};
use proptest::{array, collection, option, prelude::*, sample};

use super::{
    plans::{plans, slos},
    session,
    sessions::assert_fits_schema,
};

fn outcomes() -> impl Strategy<Value = Outcome> {
    let classes = prop_oneof![
        any::<u16>().prop_map(FailureClass::Http),
        Just(FailureClass::Stalled),
        Just(FailureClass::TotalTimeout),
        Just(FailureClass::Abandoned),
    ];
    let failed = (classes, ".*").prop_map(|(class, message)| Outcome::Failed(Box::new(Failure { class, message })));
    prop_oneof![Just(Outcome::Completed), failed]
}

/// Records with rising stamps; their place in the run becomes their index, a little shifted.
fn records() -> impl Strategy<Value = RequestRecord> {
    let stamps = array::uniform6(0..1_u64 << 53);
    let tokens = (option::of(any::<u32>()), option::of(any::<u32>()), any::<u32>());
    let finish = option::of(sample::select(vec![Finish::Stop, Finish::Length, Finish::Other]));
    let turn = option::of(any::<(u32, u32)>().prop_map(|(conversation, turn)| Turn { conversation, turn }));
    let claim = any::<(Option<u32>, Option<u32>)>().prop_map(|(input_tokens, output_tokens)| UsageClaim {
        input_tokens,
        output_tokens,
    });
    let rest = (
        finish,
        turn,
        option::of(slos()),
        any::<u32>(),
        any::<bool>(),
        option::of(claim),
        option::of(0..1_u64 << 53),
        option::of(any::<u32>()),
    );
    (stamps, tokens, any::<(bool, bool, bool)>(), outcomes(), rest).prop_map(
        |(mut stamps, (input_tokens, output_tokens, chunks), (scheduled, answered, from_chunks), outcome, rest)| {
            let (finish, turn, slo, retries, reasoned, false_usage, connect_ns, first_chunk_tokens) = rest;
            stamps.sort_unstable();
            let [
                scheduled_ns,
                sent_ns,
                first_token_ns,
                first_answer_ns,
                last_token_ns,
                end_ns,
            ] = stamps;
            let answered = answered || outcome == Outcome::Completed;
            RequestRecord {
                index: 0,
                scheduled_ns: scheduled.then_some(scheduled_ns),
                connect_ns,
                sent_ns,
                first_token_ns: answered.then_some(first_token_ns),
                first_answer_ns: (answered && reasoned).then_some(first_answer_ns),
                last_token_ns: answered.then_some(last_token_ns),
                end_ns,
                input_tokens,
                output_tokens,
                chunks,
                first_chunk_tokens,
                tokens_from: if from_chunks {
                    TokensFrom::Chunks
                } else {
                    TokensFrom::Usage
                },
                false_usage,
                finish,
                stage: 0,
                turn,
                slo: slo.map(Box::new),
                retries,
                outcome,
            }
        },
    )
}

fn clients() -> impl Strategy<Value = ClientUse> {
    let lag = array::uniform4(0.0..1e9).prop_map(|mut lags: [f64; 4]| {
        lags.sort_by(f64::total_cmp);
        let [p50_ms, p95_ms, p99_ms, max_ms] = lags;
        Lag {
            p50_ms,
            p95_ms,
            p99_ms,
            max_ms,
        }
    });
    (0.0..1e9, 0.0..1e9, any::<u32>(), any::<bool>(), option::of(lag)).prop_map(
        |(cpu_s, wall_s, threads, kernel_stamps, read_lag)| ClientUse {
            cpu_s,
            wall_s,
            threads,
            kernel_stamps,
            read_lag,
        },
    )
}

fn searches() -> impl Strategy<Value = Search> {
    let end = prop_oneof![
        (1e-6..1e6).prop_map(SearchEnd::Found),
        (1e-6..1e6).prop_map(SearchEnd::AboveMax),
        (1e-6..1e6).prop_map(SearchEnd::BelowMin),
        (1e-6..1e6).prop_map(|met| SearchEnd::Wide(met, met * 1.5)),
    ];
    let rates = (option::of(1e-6..1e6), 0.0..1e6);
    let step = (1e-6..1e6, any::<u32>(), 0.0..=1.0, rates, any::<bool>()).prop_map(
        |(level, requests, attainment, (offered_rps, completed_rps), met)| SearchStep {
            level,
            offered_rps,
            requests,
            attainment,
            completed_rps,
            met,
        },
    );
    (end, collection::vec(step, 0..4)).prop_map(|(end, steps)| Search { end, steps })
}

/// A run as its load can have it: stages in range, a search alone, every request in one block.
fn fit(run: &mut Run, load: &Load) {
    match load {
        Load::Capacity(_) => run.requests.clear(),
        _ => run.search = None,
    }
    run.blocks.truncate(run.requests.len());
    let held: usize = run.blocks.len().saturating_sub(1);
    if let Some(last) = run.blocks.last_mut() {
        last.requests = u32::try_from(run.requests.len() - held).unwrap_or_default();
    }
    if let Load::Stages { stages, .. } = load {
        for record in &mut run.requests {
            record.stage = u16::try_from(stages.len() - 1).unwrap_or_default();
        }
    }
}

fn runs() -> impl Strategy<Value = Run> {
    let gaps = collection::btree_map(0..1_u64 << 53, 1..1_u64 << 40, 0..5);
    let gpu = prop_oneof![
        ".*".prop_map(GpuUse::NotMeasured),
        (any::<u64>(), option::of(0.0..=100.0), 1..=u32::MAX).prop_map(
            |(memory_peak_bytes, utilization_mean_pct, samples)| {
                GpuUse::Measured {
                    memory_peak_bytes,
                    utilization_mean_pct,
                    utilization_untold: utilization_mean_pct.is_none().then(|| "MIG".to_owned()),
                    samples,
                }
            }
        ),
    ];
    let ends = sample::select(vec![WarmupEnd::Planned, WarmupEnd::Steady, WarmupEnd::Limit]);
    let cut = (option::of(".*"), any::<bool>(), option::of(0.0..1e6));
    let rest = (any::<u32>(), 0..9_u32, cut, 0..3_u32);
    let places = (blocks(), hosts(), telemetry(), option::of(stated()));
    let side = (
        ends,
        option::of(clients()),
        option::of(".*"),
        option::of(searches()),
        places,
    );
    (collection::vec(records(), 0..6), gaps, gpu, rest, side).prop_map(
        |(mut requests, gaps, gpu, (replaced_connections, warm, (cut_short, server_died, startup_s), shift), side)| {
            let (end, client, cache_reset, search, (blocks, host, telemetry, stated)) = side;
            for (index, record) in (shift..).zip(&mut requests) {
                record.index = index;
            }
            let itl = GapCounts {
                bins: gaps.into_iter().collect(),
            };
            Run {
                repeat: 0,
                started_unix_s: u64::from(warm),
                requests,
                itl_by_stage: vec![itl.clone(); (warm % 2) as usize],
                itl,
                warmup: Warmup {
                    requests: warm,
                    failed: warm / 2,
                    end,
                },
                replaced_connections,
                gpu,
                telemetry,
                blocks,
                host,
                client,
                cache_reset,
                search,
                stated: stated.map(Box::new),
                cut_short,
                server_died,
                startup_s,
                first_start: warm % 2 == 1,
                shard: startup_s.map(|_| ShardStart {
                    agreed_unix_ns: 7,
                    began_unix_ns: 9,
                    clock_ahead_ns: Some(-3),
                }),
            }
        },
    )
}

fn stated() -> impl Strategy<Value = Stated> {
    let figure = (0.0..1e12_f64, 0..1_u64 << 53).prop_map(|(value, samples)| StatedFigure { value, samples });
    let figures = collection::btree_map(sample::select(Metric::ALL.to_vec()), figure, 0..5);
    let tokens = || option::of(0..1_u64 << 53);
    (
        option::of(any::<u32>()),
        option::of(10_u32..99),
        ".*",
        tokens(),
        tokens(),
        figures,
    )
        .prop_map(
            |(completed, failed, why, input_tokens, output_tokens, figures)| Stated {
                completed,
                failed,
                failures: failed.map(|_| (7, why)).into_iter().collect(),
                input_tokens,
                output_tokens,
                figures,
            },
        )
}

/// Stamps that rise, each with something of its own.
fn rising<T: std::fmt::Debug>(own: impl Strategy<Value = T> + 'static) -> impl Strategy<Value = Vec<(u64, T)>> {
    collection::btree_map(0..1_u64 << 53, 1..=u32::MAX, 0..4)
        .prop_map(|map| map.into_keys().collect::<Vec<_>>())
        .prop_flat_map({
            let own = own.boxed();
            move |stamps| {
                let len = stamps.len();
                (Just(stamps), collection::vec(own.clone(), len))
            }
        })
        .prop_map(|(stamps, own)| stamps.into_iter().zip(own).collect())
}

fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let stretch = (0..1_u64 << 52, 0..1_u64 << 52, ".*").prop_map(|(from_ns, long, reason)| Stretch {
        from_ns,
        to_ns: from_ns + long,
        reason,
    });
    collection::vec(stretch, 0..3)
}

fn latencies(mean_ms: Option<f64>, beyond: Option<u64>, samples: u32) -> Vec<ServerLatency> {
    let latency = |mean_ms| ServerLatency {
        of: ServerClock::Itl,
        count: samples.into(),
        mean_ms,
        p95_within_ms: beyond.map(|_| (mean_ms, mean_ms)),
    };
    mean_ms.map(latency).into_iter().collect()
}

fn told(value: Option<f64>, samples: u32) -> Vec<ToldValue> {
    let told = Told::of("queue", Aggregate::Max, Better::Lower, None);
    let metric = told.map(Metric::Told);
    metric
        .map(|metric| ToldValue { metric, value, samples })
        .into_iter()
        .collect()
}

fn host() -> impl Strategy<Value = Vec<HostPoint>> {
    let number = || option::of(0.0..1e9);
    let own = (1..=u32::MAX, number(), number(), any::<Option<u64>>(), number());
    rising(own).prop_map(|points| {
        let point =
            |(at_ns, (samples, load, rate, memory_used_bytes, pct)): (u64, (u32, _, _, _, Option<f64>))| HostPoint {
                at_ns,
                samples,
                cpu_pct: pct.unwrap_or(0.0),
                steal_pct: 0.5,
                load,
                memory_used_bytes,
                received_bytes_per_s: rate,
                sent_bytes_per_s: pct,
            };
        points.into_iter().map(point).collect::<Vec<_>>()
    })
}

fn telemetry() -> impl Strategy<Value = Telemetry> {
    let number = || option::of(0.0..1e9);
    let own = (
        1..=u32::MAX,
        any::<u64>(),
        option::of(0.0..=100.0),
        (number(), number(), number()),
        any::<Option<u32>>(),
    );
    let ends = (number(), any::<Option<u64>>());
    let gpu = (rising(own), stretches(), stretches(), ends).prop_map(|(points, throttled, gaps, ends)| {
        let point = |(at_ns, (samples, memory_used_bytes, utilization_pct, rest, temperature_c))| {
            let (power_w, sm_clock_mhz, memory_clock_mhz): (_, _, _) = rest;
            GpuPoint {
                at_ns,
                samples,
                memory_used_bytes,
                utilization_pct,
                power_w,
                sm_clock_mhz,
                memory_clock_mhz,
                temperature_c,
            }
        };
        GpuSeries {
            index: 0,
            points: points.into_iter().map(point).collect(),
            throttled,
            gaps,
            energy_j: ends.0,
            memory_total_bytes: ends.1,
            power_limit_w: ends.0,
        }
    });
    let own = (1..=u32::MAX, number(), number(), number());
    let counts = (any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>());
    let more = (
        any::<Option<u64>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
        number(),
    );
    let rest = (any::<u64>(), 1..=u32::MAX, any::<u32>(), number(), (counts, more));
    let sampled = (rising(own), stretches(), rest).prop_map(|(points, gaps, rest)| {
        let (every_ns, samples, missed, waiting_p95, (counts, more)) = rest;
        let (preemptions, prefix_queries, prefix_hits) = counts;
        let (draft_tokens, accepted_tokens, kv_capacity_tokens, number) = more;
        let point = |(at_ns, (samples, kv_used, running, waiting))| EnginePoint {
            at_ns,
            samples,
            kv_used,
            running,
            waiting,
        };
        EngineUse::Sampled(EngineSeries {
            every_ns,
            samples,
            missed,
            points: points.into_iter().map(point).collect(),
            gaps,
            waiting_p95,
            preemptions,
            prefix_queries,
            prefix_hits,
            draft_tokens,
            accepted_tokens,
            kv_capacity_tokens,
            latencies: latencies(number, preemptions, samples),
            told: told(number, samples),
        })
    });
    let engine = prop_oneof![".*".prop_map(EngineUse::NotSampled), sampled];
    (collection::vec(gpu, 0..3), engine, host()).prop_map(|(mut gpus, engine, host)| {
        for (index, series) in (0..).zip(&mut gpus) {
            series.index = index;
        }
        let logged_kv_tokens = gpus.first().and_then(|series| series.memory_total_bytes);
        Telemetry {
            gpus,
            engine,
            host,
            logged_kv_tokens,
        }
    })
}

fn origins() -> impl Strategy<Value = Origin> {
    let word = || option::of(".*");
    (word(), word(), word()).prop_map(|(event, branch, main_branch)| Origin {
        event,
        branch,
        main_branch,
    })
}

/// Blocks of one request each, in order; [`fit`] gives the rest to the last.
fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let stamps = (0..1_u64 << 53, 0..253_402_300_799_000_u64);
    collection::vec(stamps, 0..4).prop_map(|mut stamps| {
        stamps.sort_unstable();
        let block = |(start_ns, started_unix_ms)| Block {
            requests: 1,
            start_ns,
            started_unix_ms,
        };
        stamps.into_iter().map(block).collect()
    })
}

fn pairings() -> impl Strategy<Value = Pairing> {
    let arm = prop_oneof![Just(PairArm::Baseline), Just(PairArm::Candidate)];
    let again =
        (".*", any::<u32>(), arm.clone(), ".*", any::<bool>()).prop_map(|(cell, pair, arm, reason, dead)| Remeasured {
            dead,
            cell,
            pair,
            arm,
            reason,
        });
    let looks = collection::btree_set(1..=u32::MAX, 1..5);
    let rest = (collection::vec(again, 0..3), option::of(".*"));
    ("[0-9a-f]{1,16}", arm, looks, 1..=u32::MAX, rest).prop_map(|(id, arm, looks, blocks, rest)| Pairing {
        id,
        arm,
        looks: looks.into_iter().collect(),
        blocks,
        remeasured: rest.0,
        stopped_early: rest.1,
    })
}

fn hosts() -> impl Strategy<Value = HostUse> {
    let seen = (option::of(0.0..=1.0), option::of(0.0..1e9), option::of(any::<u32>()));
    let others = (any::<u32>(), option::of(any::<u32>()), any::<bool>());
    let words = (collection::vec(".*", 0..3), collection::vec(".*", 0..3));
    (seen, words, others).prop_map(
        |((cpu_steal, resting_arm_cpu_s, resting_arm_requests), words, (foreign, neighbours, other_arm_up))| HostUse {
            cpu_steal,
            throttled: words.0,
            gpu_untold: words.1,
            gpu_memory_errors: foreign % 7,
            foreign_gpu_processes: foreign,
            neighbour_gpu_processes: neighbours,
            other_arm_up,
            resting_arm_cpu_s,
            resting_arm_requests,
        },
    )
}

fn sessions() -> impl Strategy<Value = Session> {
    let ended = prop_oneof![
        Just(Ended::Complete),
        Just(Ended::Interrupted),
        ".*".prop_map(Ended::Aborted)
    ];
    let runs = collection::vec(collection::vec(runs(), 0..3), 4);
    let rest = (
        collection::vec(".*", 0..3),
        option::of("[0-9a-f]{64}"),
        option::of(pairings()),
        option::of(origins()),
    );
    (plans(), runs, ended, rest).prop_map(|(plan, runs, ended, (notes, schedule_sha256, pairing, origin))| {
        let cells = plan.loads.iter().zip(runs).enumerate().map(|(at, (load, mut runs))| {
            for (repeat, run) in (0..).zip(&mut runs) {
                run.repeat = repeat;
                fit(run, load);
            }
            CellRuns {
                name: format!("{at}: {}", plan.cell_name(load)),
                load: load.clone(),
                schedule_sha256: schedule_sha256.clone(),
                runs,
                skipped: None,
            }
        });
        Session {
            cells: cells.collect(),
            plan,
            ended,
            notes,
            pairing,
            origin,
            ..session()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_session_comes_back_to_the_last_bit(session in sessions()) {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("session.json");
        store::write_session(&path, &session)?;
        prop_assert_eq!(store::read_session(&path)?, session);
        assert_fits_schema(&fs::read_to_string(&path)?);
    }

    #[test]
    fn any_prefix_is_an_error(share in 0.0..1.0) {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("session.json");
        store::write_session(&path, &session())?;
        let bytes = fs::read(&path)?;
        // Whole but for its last line break it is still whole.
        let whole = bytes.trim_ascii_end().len();
        fs::write(&path, &bytes[..prefix_length(whole, share)])?;
        prop_assert!(store::read_session(&path).is_err());
    }

    #[test]
    fn changed_bytes_are_read_or_refused(changes in collection::vec((0.0..1.0, any::<u8>()), 1..4)) {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("session.json");
        store::write_session(&path, &session())?;
        let mut bytes = fs::read(&path)?;
        for (share, byte) in changes {
            let at = prefix_length(bytes.len(), share);
            bytes[at] = byte;
        }
        fs::write(&path, &bytes)?;
        if let Ok(session) = store::read_session(&path) {
            // What is read at all can be written and read again.
            store::write_session(&path, &session)?;
            prop_assert_eq!(store::read_session(&path)?, session);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a small length"
)]
fn prefix_length(whole: usize, share: f64) -> usize {
    (whole as f64 * share) as usize
}
