//! Any plan there can be.

use std::time::Duration;

use perfgate::{
    metric::{Aggregate, Better, Told},
    plan::{
        Api, Arrivals, Axis, CacheReset, Capacity, Conversation, DatasetFormat, Http, Images, Lengths, Load,
        MetricsPage, ModelShare, Plan, Price, Prompts, RampShape, Shape, Slo, Spread, Stage, StageLength, StageLevel,
        Target, ThinkTime, Tokenizer, TraceFormat, Workload,
    },
};
use proptest::{collection, option, prelude::*, sample};

use super::plan;

fn lengths() -> impl Strategy<Value = Lengths> {
    let bell = || (1e-3..1e9, 0.0..1e9);
    let range = || (1..50_u32, 50..5000_u32);
    let shape = prop_oneof![
        bell().prop_map(|(mean, std)| Shape::Normal { mean, std }),
        bell().prop_map(|(mean, std)| Shape::LogNormal { mean, std }),
    ];
    prop_oneof![
        (1..5000_u32).prop_map(Lengths::Fixed),
        bell().prop_map(|(mean, std)| Lengths::Normal { mean, std }),
        bell().prop_map(|(mean, std)| Lengths::LogNormal { mean, std }),
        range().prop_map(|(min, max)| Lengths::Uniform { min, max }),
        (range(), 1e-3..9.0).prop_map(|((min, max), exponent)| Lengths::Zipf { min, max, exponent }),
        (shape, range()).prop_map(|(shape, (min, max))| Lengths::Within { shape, min, max }),
    ]
}

fn hash() -> impl Strategy<Value = Option<String>> {
    option::of("[0-9a-f]{64}")
}

fn prompts() -> impl Strategy<Value = Prompts> {
    use {DatasetFormat as D, TraceFormat as T};
    let dataset = sample::select(vec![D::Auto, D::Jsonl, D::ShareGpt, D::Csv]);
    let trace = sample::select(vec![T::Auto, T::Mooncake, T::AzureLlm, T::BurstGpt, T::Jsonl]);
    prop_oneof![
        lengths().prop_map(|input_tokens| Prompts::Synthetic { input_tokens }),
        (1..99_u32, lengths(), lengths(), option::of(1..9_u32)).prop_map(
            |(groups, prefix_tokens, input_tokens, prompts_per_group)| Prompts::SharedPrefix {
                groups,
                prefix_tokens,
                input_tokens,
                prompts_per_group,
            }
        ),
        (".*", dataset, option::of(".*"), option::of(".*"), hash()).prop_map(
            |(path, format, prompt_column, output_column, sha256)| Prompts::Dataset {
                path,
                format,
                prompt_column,
                output_column,
                sha256,
            }
        ),
        (".*", trace, hash()).prop_map(|(path, format, sha256)| Prompts::Trace { path, format, sha256 }),
    ]
}

fn conversations() -> impl Strategy<Value = Conversation> {
    let time = || any::<u64>().prop_map(Duration::from_nanos);
    let think_time = prop_oneof![
        time().prop_map(ThinkTime::Fixed),
        time().prop_map(ThinkTime::Exponential)
    ];
    (lengths(), think_time).prop_map(|(turns, think_time)| Conversation { turns, think_time })
}

fn workloads() -> impl Strategy<Value = Workload> {
    let tokenizer = prop_oneof![
        Just(Tokenizer::Auto),
        Just(Tokenizer::Server),
        Just(Tokenizer::Calibrated),
        Just(Tokenizer::Words),
        (".*", hash()).prop_map(|(path, sha256)| Tokenizer::File { path, sha256 }),
    ];
    let images = (1..99_u32, 1..99_u32, 1..9_u32).prop_map(|(width_px, height_px, per_request)| Images {
        width_px,
        height_px,
        per_request,
    });
    let model = (".*", 1e-3..1e3).prop_map(|(name, weight)| ModelShare { name, weight });
    let rest = (
        option::of(images),
        collection::vec(model, 0..3),
        1..9_u32,
        any::<bool>(),
    );
    (prompts(), lengths(), tokenizer, option::of(conversations()), rest).prop_map(
        |(prompts, output_tokens, tokenizer, conversation, (images, models, batch, reuse_prompts))| Workload {
            prompts,
            output_tokens,
            tokenizer,
            conversation,
            images,
            models,
            batch,
            reuse_prompts,
        },
    )
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    prop_oneof![
        Just(Arrivals::Constant),
        Just(Arrivals::Poisson),
        (1e-3..1e3).prop_map(|burstiness| Arrivals::Gamma { burstiness }),
    ]
}

fn stages() -> impl Strategy<Value = Stage> {
    let level = prop_oneof![
        (1e-9..1e9).prop_map(StageLevel::Rate),
        (1..99_u32).prop_map(StageLevel::Concurrency),
    ];
    let length = prop_oneof![
        (1..99_u32).prop_map(StageLength::Requests),
        (1..u64::MAX).prop_map(|ns| StageLength::Duration(Duration::from_nanos(ns))),
    ];
    (level, length).prop_map(|(level, length)| Stage { level, length })
}

fn load() -> impl Strategy<Value = Load> {
    let shape = sample::select(vec![RampShape::Linear, RampShape::Exponential]);
    let axis = prop_oneof![Just(Axis::Concurrency), arrivals().prop_map(Axis::Rate)];
    prop_oneof![
        (1..5000_u32).prop_map(Load::Concurrency),
        (1e-9..1e9, arrivals()).prop_map(|(rate_rps, arrivals)| Load::Rate { rate_rps, arrivals }),
        (1e-9..1e9, 1e-9..1e9, shape, arrivals()).prop_map(|(from_rps, to_rps, shape, arrivals)| Load::Ramp {
            from_rps,
            to_rps,
            shape,
            arrivals,
        }),
        (collection::vec(stages(), 1..4), arrivals()).prop_map(|(stages, arrivals)| Load::Stages { stages, arrivals }),
        (1e-3..1e3).prop_map(|speed_ratio| Load::Trace { speed_ratio }),
        (axis, 1e-3..1.0, 1.0..1e3, 1.001..2.0, 0.01..=1.0, option::of(0.1..60.0)).prop_map(
            |(axis, min, max, precision_ratio, attainment, batch_s)| Load::Capacity(Capacity {
                axis,
                min,
                max,
                precision_ratio,
                attainment,
                batch_s,
            })
        ),
    ]
}

fn loads() -> impl Strategy<Value = Vec<Load>> {
    collection::vec(load(), 1..4).prop_filter("no two alike", |loads| {
        let first = |load| loads.iter().position(|other| other == load);
        loads.iter().enumerate().all(|(at, load)| first(load) == Some(at))
    })
}

fn targets() -> impl Strategy<Value = Target> {
    let urls = collection::vec(".*", 0..3);
    let spread = sample::select(vec![Spread::RoundRobin, Spread::Random]);
    let http = sample::select(vec![Http::One, Http::Auto, Http::Two]);
    let cache_reset = prop_oneof![
        Just(CacheReset::Auto),
        Just(CacheReset::Off),
        ".*".prop_map(CacheReset::Path)
    ];
    let metrics = prop_oneof![
        Just(MetricsPage::Auto),
        Just(MetricsPage::Off),
        ".*".prop_map(MetricsPage::Path),
        ".*".prop_map(MetricsPage::Url)
    ];
    let metrics = (metrics, any::<u64>().prop_map(Duration::from_nanos));
    let rest = (option::of(".*"), any::<u32>(), cache_reset, metrics);
    (
        urls,
        spread,
        sample::select(Api::ALL.to_vec()),
        http,
        any::<(bool, bool)>(),
        rest,
    )
        .prop_map(
            |(
                more_urls,
                spread,
                api,
                http,
                (streaming, reuse_connections),
                (ca_file, retries, cache_reset, metrics),
            )| Target {
                metrics: metrics.0,
                metrics_interval: metrics.1,
                more_urls,
                spread,
                api,
                streaming,
                http,
                reuse_connections,
                ca_file,
                retries,
                cache_reset,
                ..plan().target
            },
        )
}

pub(super) fn slos() -> impl Strategy<Value = Slo> {
    let limit = || option::of(0.0..1e6);
    (limit(), limit(), limit()).prop_map(|(ttft_ms, tpot_ms, e2e_ms)| Slo {
        ttft_ms,
        tpot_ms,
        e2e_ms,
    })
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    let texts = collection::btree_map(".*", ".*", 0..3);
    let price =
        option::of((1e-6..1e6, 1..9_u32)).prop_map(|price| price.map(|(gpu_hour, gpus)| Price { gpu_hour, gpus }));
    let rest = (any::<u64>(), 0.0..=1.0, texts, slos(), option::of(3..99_u32), price);
    (targets(), loads(), workloads(), rest).prop_map(
        |(mut target, mut loads, workload, (seed, max_error_rate, hardware, slo, warmup_limit, price))| {
            // Half of them ask for a series by name.
            if price.is_some() {
                target.told = Told::of("queue", Aggregate::Rate, Better::Lower, Some("req/s"))
                    .into_iter()
                    .collect();
            }
            if !matches!(workload.prompts, Prompts::Trace { .. }) {
                loads.retain(|load| !matches!(load, Load::Trace { .. }));
            }
            if loads.is_empty() {
                loads.push(Load::Concurrency(1));
            }
            Plan {
                target,
                workload,
                loads,
                seed,
                max_error_rate,
                slo,
                price,
                warmup_limit,
                hardware,
                ..plan()
            }
        },
    )
}
