use std::fs;

use perfgate::{
    plan::{Arrivals, DatasetFormat, Lengths, Load, Plan, Prompts},
    session::{
        CellRuns, Ended, Failure, FailureClass, GapCounts, GpuUse, Outcome, RequestRecord, Run, Session, TokensFrom,
        Warmup, WarmupEnd,
    },
    store,
};
use proptest::{array, collection, option, prelude::*};

use super::{plan, session};

fn lengths() -> impl Strategy<Value = Lengths> {
    prop_oneof![
        (1..5000_u32).prop_map(Lengths::Fixed),
        (1e-3..1e9, 0.0..1e9).prop_map(|(mean, std)| Lengths::Normal { mean, std }),
        (1..50_u32, 50..5000_u32).prop_map(|(min, max)| Lengths::Uniform { min, max }),
    ]
}

fn prompts() -> impl Strategy<Value = Prompts> {
    prop_oneof![
        lengths().prop_map(|input_tokens| Prompts::Synthetic { input_tokens }),
        (".*", option::of("[0-9a-f]{64}")).prop_map(|(path, sha256)| Prompts::Dataset {
            path,
            format: DatasetFormat::Auto,
            prompt_column: None,
            output_column: None,
            sha256,
        }),
    ]
}

fn loads() -> impl Strategy<Value = Vec<Load>> {
    let rate = |arrivals| move |rate_rps| Load::Rate { rate_rps, arrivals };
    let load = prop_oneof![
        (1..5000_u32).prop_map(Load::Concurrency),
        (1e-9..1e9).prop_map(rate(Arrivals::Constant)),
        (1e-9..1e9).prop_map(rate(Arrivals::Poisson)),
    ];
    collection::vec(load, 1..4).prop_filter("no two alike", |loads| {
        let first = |load| loads.iter().position(|other| other == load);
        loads.iter().enumerate().all(|(at, load)| first(load) == Some(at))
    })
}

fn plans() -> impl Strategy<Value = Plan> {
    let texts = collection::btree_map(".*", ".*", 0..3);
    (loads(), prompts(), lengths(), any::<u64>(), 0.0..=1.0, texts).prop_map(
        |(loads, prompts, output_tokens, seed, max_error_rate, hardware)| {
            let mut plan = plan();
            plan.loads = loads;
            plan.workload.prompts = prompts;
            plan.workload.output_tokens = output_tokens;
            plan.seed = seed;
            plan.max_error_rate = max_error_rate;
            plan.hardware = hardware;
            plan
        },
    )
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let classes = prop_oneof![
        any::<u16>().prop_map(FailureClass::Http),
        Just(FailureClass::Stalled),
        Just(FailureClass::TotalTimeout),
    ];
    let failed = (classes, ".*").prop_map(|(class, message)| Outcome::Failed(Failure { class, message }));
    prop_oneof![Just(Outcome::Completed), failed]
}

/// Records with rising stamps; their place in the run becomes their index, a little shifted.
fn records() -> impl Strategy<Value = RequestRecord> {
    let stamps = array::uniform5(0..1_u64 << 53);
    let tokens = (option::of(any::<u32>()), option::of(any::<u32>()), any::<u32>());
    (stamps, tokens, any::<(bool, bool, bool)>(), outcomes()).prop_map(
        |(mut stamps, (input_tokens, output_tokens, chunks), (scheduled, answered, from_chunks), outcome)| {
            stamps.sort_unstable();
            let [scheduled_ns, sent_ns, first_token_ns, last_token_ns, end_ns] = stamps;
            let answered = answered || outcome == Outcome::Completed;
            RequestRecord {
                index: 0,
                scheduled_ns: scheduled.then_some(scheduled_ns),
                sent_ns,
                first_token_ns: answered.then_some(first_token_ns),
                last_token_ns: answered.then_some(last_token_ns),
                end_ns,
                input_tokens,
                output_tokens,
                chunks,
                tokens_from: if from_chunks {
                    TokensFrom::Chunks
                } else {
                    TokensFrom::Usage
                },
                outcome,
                ..RequestRecord::default()
            }
        },
    )
}

fn runs() -> impl Strategy<Value = Run> {
    let gaps = collection::btree_map(0..1_u64 << 53, 1..1_u64 << 40, 0..5);
    let gpu = prop_oneof![
        ".*".prop_map(GpuUse::NotMeasured),
        (any::<u64>(), 0.0..=100.0, 1..=u32::MAX).prop_map(|(memory_peak_bytes, utilization_mean_pct, samples)| {
            GpuUse::Measured {
                memory_peak_bytes,
                utilization_mean_pct,
                samples,
            }
        }),
    ];
    let rest = (any::<u32>(), 0..9_u32, option::of(".*"), 0..3_u32);
    (collection::vec(records(), 0..6), gaps, gpu, rest).prop_map(
        |(mut requests, gaps, gpu, (replaced_connections, warm, cut_short, shift))| {
            for (index, record) in (shift..).zip(&mut requests) {
                record.index = index;
            }
            Run {
                repeat: 0,
                started_unix_s: u64::from(warm),
                requests,
                itl: GapCounts {
                    bins: gaps.into_iter().collect(),
                },
                warmup: Warmup {
                    requests: warm,
                    failed: warm / 2,
                    end: WarmupEnd::Planned,
                },
                replaced_connections,
                gpu,
                cut_short,
                ..Run::default()
            }
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
    (plans(), runs, ended, collection::vec(".*", 0..3)).prop_map(|(plan, runs, ended, notes)| {
        let cells = plan.loads.iter().zip(runs).enumerate().map(|(at, (load, mut runs))| {
            for (repeat, run) in (0..).zip(&mut runs) {
                run.repeat = repeat;
            }
            CellRuns {
                name: format!("{at}: {}", plan.cell_name(load)),
                load: load.clone(),
                runs,
            }
        });
        Session {
            cells: cells.collect(),
            plan,
            ended,
            notes,
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
