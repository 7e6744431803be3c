//! What engines call the same things on their pages of metrics: requests in work and waiting, KV cache, preemptions,
//! prefix-cache hits, drafted tokens, latencies; and the series that a configuration asks for by name.
//!
//! A thing under none of its names is absent, never 0.

mod facts;
mod latencies;
mod names;
mod reserve;

use std::collections::BTreeMap;

pub(super) use self::latencies::Latencies;
use self::names::{NAMES, Thing};
pub use self::{
    facts::{facts_of_log, facts_of_pages, kv_capacity_of_log},
    reserve::facts_of_command,
};
use super::prometheus::{self, NoMetrics, Sample};

/// What an engine says of itself at one moment; absent: its page does not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moment {
    /// Share of the KV cache in use, 0 to 1; the fullest where there are several.
    pub(super) kv_used: Option<f64>,
    /// Tokens that it has room for.
    pub(super) kv_capacity_tokens: Option<f64>,
    /// Requests in work.
    pub(super) running: Option<f64>,
    /// Requests that wait for their turn.
    pub(super) waiting: Option<f64>,
    /// Its counters.
    pub(super) counts: Counts,
    /// Its histograms of latencies.
    pub(super) latencies: Latencies,
    /// The series that were asked for, by name; absent: the page does not have them.
    pub(super) told: BTreeMap<&'static str, f64>,
}

/// What an engine has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// Requests that were taken out of work again.
    pub(super) preemptions: Option<f64>,
    /// Prompt tokens that were looked up in the prefix cache.
    pub(super) prefix_queries: Option<f64>,
    /// Those that were found.
    pub(super) prefix_hits: Option<f64>,
    /// Tokens that were drafted.
    pub(super) drafted: Option<f64>,
    /// Those that the model accepted.
    pub(super) accepted: Option<f64>,
}

/// Why a server cannot be watched through its page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    NoMetrics(#[from] NoMetrics),
    #[error("the page has none of the metrics that perfgate knows of engines")]
    Unknown,
}

/// One moment of all replicas, of each its page: requests and counts add up, of KV caches the fullest counts. Beside what
/// is known of engines, the series of these names.
///
/// What one replica does not tell is absent: the sum of the others would look like less work.
///
/// # Errors
/// A page that is none of metrics, or has none of an engine that is known here and none that was asked for.
pub(super) fn moment<'a>(
    pages: impl IntoIterator<Item = &'a [u8]>,
    asked: &[&'static str],
) -> Result<Moment, Unreadable> {
    let mut all: Option<Moment> = None;
    for page in pages {
        let one = of_page(page, asked)?;
        all = Some(match all {
            Some(all) => all.and(one),
            None => one,
        });
    }
    all.filter(|moment| *moment != Moment::default())
        .ok_or(Unreadable::Unknown)
}

fn of_page(page: &[u8], asked: &[&'static str]) -> Result<Moment, NoMetrics> {
    let mut found = [None; NAMES.len()];
    let mut capacity_tokens = None;
    let mut latencies = Latencies::default();
    let mut told = BTreeMap::new();
    prometheus::read(page, |sample| {
        if !(sample.value.is_finite() && sample.value >= 0.0) {
            return;
        }
        for ((thing, name, label), place) in NAMES.iter().zip(&mut found) {
            if sample.name == *name && has(&sample, *label) {
                *place = Some(joined(*thing, *place, sample.value));
            }
        }
        if let Some(tokens) = facts::capacity_in_labels(&sample) {
            capacity_tokens = Some(capacity_tokens.unwrap_or(0.0) + tokens);
        }
        latencies.take(&sample);
        if let Some(name) = asked.iter().find(|name| **name == sample.name) {
            *told.entry(*name).or_insert(0.0) += sample.value;
        }
    })?;
    let first = |wanted: Thing| {
        let mut all = NAMES.iter().zip(found).filter(|((thing, ..), _)| *thing == wanted);
        all.find_map(|(_, value)| value)
    };
    let prefix_hits = first(Thing::PrefixHits);
    let looked_up = || Some(first(Thing::PrefixMisses)? + prefix_hits?);
    let in_blocks = || Some(first(Thing::KvBlocks)? * first(Thing::KvBlockTokens)?);
    Ok(Moment {
        kv_used: first(Thing::KvUsed),
        kv_capacity_tokens: capacity_tokens.or_else(|| first(Thing::KvTokens)).or_else(in_blocks),
        running: first(Thing::Running),
        waiting: first(Thing::Waiting),
        counts: Counts {
            preemptions: first(Thing::Preemptions),
            prefix_queries: first(Thing::PrefixQueries).or_else(looked_up),
            prefix_hits,
            drafted: first(Thing::Drafted),
            accepted: first(Thing::Accepted),
        },
        latencies,
        told,
    })
}

fn has(sample: &Sample<'_>, label: Option<(&str, &str)>) -> bool {
    label.is_none_or(|(key, value)| sample.label(key).as_deref() == Some(value))
}

/// Several series of one name are several engines behind one page.
fn joined(thing: Thing, before: Option<f64>, value: f64) -> f64 {
    match (thing, before) {
        (_, None) => value,
        (Thing::KvUsed | Thing::KvBlockTokens, Some(before)) => before.max(value),
        (_, Some(before)) => before + value,
    }
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? + other?)
}

impl Moment {
    fn and(self, other: Self) -> Self {
        let mut told = self.told;
        told.retain(|name, value| {
            let more = other.told.get(name);
            *value += more.copied().unwrap_or(0.0);
            more.is_some()
        });
        Self {
            kv_used: self.kv_used.zip(other.kv_used).map(|(one, two)| one.max(two)),
            kv_capacity_tokens: sum(self.kv_capacity_tokens, other.kv_capacity_tokens),
            running: sum(self.running, other.running),
            waiting: sum(self.waiting, other.waiting),
            counts: self.counts.and(other.counts),
            latencies: self.latencies.and(other.latencies),
            told,
        }
    }
}

impl Counts {
    fn and(self, other: Self) -> Self {
        Self {
            preemptions: sum(self.preemptions, other.preemptions),
            prefix_queries: sum(self.prefix_queries, other.prefix_queries),
            prefix_hits: sum(self.prefix_hits, other.prefix_hits),
            drafted: sum(self.drafted, other.drafted),
            accepted: sum(self.accepted, other.accepted),
        }
    }
}

/// How many requests servers hold, in work and waiting, by a page of each; `None` where one does not tell.
pub fn held_requests<'a>(pages: impl IntoIterator<Item = &'a [u8]>) -> Option<u32> {
    let moment = moment(pages, &[]).ok()?;
    let counts = [moment.running, moment.waiting];
    let all = counts.into_iter().flatten().reduce(|one, two| one + two)?;
    Some(whole(all))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and counts are zero or more"
)]
fn whole(count: f64) -> u32 {
    count.ceil() as u32
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn told(page: &str) -> Result<Moment, Unreadable> {
        moment([page.as_bytes()], &[])
    }

    #[test]
    fn requests_are_counted_over_engines_states_and_labels() {
        for (page, expected) in [
            (
                "# HELP vllm:num_requests_running Requests\nvllm:num_requests_running{engine=\"0\",model_name=\"a b\"} 2.0\n\
                 vllm:num_requests_waiting{engine=\"0\"} 1.0\nvllm:num_requests_waiting_by_reason{r=\"x\"} 9\n",
                Some(3),
            ),
            (
                "llamacpp:requests_processing 0\nllamacpp:requests_deferred 0\n",
                Some(0),
            ),
            ("sglang:num_running_reqs{a=\"b\"} 4 1700000000\n", Some(4)),
            ("tgi_queue_size 2\ntgi_batch_current_size 3\n", Some(5)),
            ("go_goroutines 7\n", None),
            ("vllm:num_requests_running{} NaN\n", None),
            ("", None),
        ] {
            assert_eq!(held_requests([page.as_bytes()]), expected, "{page}");
        }
    }

    #[test]
    fn of_one_engine_all_is_told_under_its_newest_names() {
        let vllm = "vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.75\n\
                    vllm:gpu_cache_usage_perc 0.9\nvllm:num_requests_running{engine=\"0\"} 2\n\
                    vllm:num_requests_running{engine=\"1\"} 3\nvllm:num_requests_waiting 0\nvllm:num_preemptions_total 4\n\
                    vllm:num_preemptions_created 1.7e9\nvllm:prefix_cache_queries_total 100\nvllm:prefix_cache_hits_total 40\n";
        let expected = Moment {
            kv_used: Some(0.75),
            running: Some(5.0),
            waiting: Some(0.0),
            counts: Counts {
                preemptions: Some(4.0),
                prefix_queries: Some(100.0),
                prefix_hits: Some(40.0),
                ..Counts::default()
            },
            ..Moment::default()
        };
        assert_eq!(told(vllm), Ok(expected));
        let triton = "nv_trt_llm_request_metrics{model=\"m\",request_type=\"context\",version=\"1\"} 1\n\
                      nv_trt_llm_request_metrics{model=\"m\",request_type=\"scheduled\",version=\"1\"} 6\n\
                      nv_trt_llm_request_metrics{model=\"m\",request_type=\"waiting\",version=\"1\"} 2\n\
                      nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"used\",model=\"m\"} 500\n\
                      nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"fraction\",model=\"m\"} 0.5\n";
        let expected = Moment {
            kv_used: Some(0.5),
            running: Some(6.0),
            waiting: Some(2.0),
            ..Moment::default()
        };
        assert_eq!(told(triton), Ok(expected));
    }

    #[test]
    fn tensorrt_llm_is_read_by_the_names_of_its_own_collector() {
        let page = "trtllm_num_requests_running{engine_type=\"trtllm\",model_name=\"m\"} 4.0\n\
                    trtllm_num_requests_waiting{model_name=\"m\"} 1.0\ntrtllm_kv_cache_utilization{model_name=\"m\"} 0.25\n\
                    trtllm_prompt_tokens_total{model_name=\"m\"} 200.0\ntrtllm_prompt_cached_tokens_total{model_name=\"m\"} 50.0\n\
                    trtllm_prompt_cached_tokens_created{model_name=\"m\"} 1.7e9\n\
                    trtllm_kv_cache_reused_blocks_total{model_name=\"m\"} 3.0\n\
                    trtllm_spec_decode_num_draft_tokens_total{model_name=\"m\"} 80.0\n\
                    trtllm_spec_decode_num_accepted_tokens_total{model_name=\"m\"} 60.0\n";
        let expected = Moment {
            kv_used: Some(0.25),
            running: Some(4.0),
            waiting: Some(1.0),
            counts: Counts {
                prefix_queries: Some(200.0),
                prefix_hits: Some(50.0),
                drafted: Some(80.0),
                accepted: Some(60.0),
                ..Counts::default()
            },
            ..Moment::default()
        };
        assert_eq!(told(page), Ok(expected));
    }

    #[test]
    fn llama_cpp_counts_what_was_not_in_its_cache() {
        let page = "llamacpp:prompt_tokens_total 60\nllamacpp:prompt_tokens_cached_total 40\n";
        let counts = told(page).unwrap().counts;
        assert_eq!((counts.prefix_queries, counts.prefix_hits), (Some(100.0), Some(40.0)));
        let old = told("llamacpp:prompt_tokens_total 60\n");
        assert_eq!(old, Err(Unreadable::Unknown), "an old one tells nothing of its cache");
    }

    #[test]
    fn replicas_add_up_and_what_one_does_not_tell_is_absent() {
        let one = "vllm:num_requests_running 2\nvllm:kv_cache_usage_perc 0.5\nvllm:num_preemptions_total 1\n";
        let two = "vllm:num_requests_running 3\nvllm:kv_cache_usage_perc 0.25\n";
        let both = moment([one.as_bytes(), two.as_bytes()], &[]).unwrap();
        let expected = Moment {
            running: Some(5.0),
            kv_used: Some(0.5),
            ..Moment::default()
        };
        assert_eq!(both, expected);
        let dead = moment([one.as_bytes(), b"<html>"], &[]);
        assert_eq!(dead, Err(Unreadable::NoMetrics(NoMetrics::Html)));
        assert_eq!(moment([], &[]), Err(Unreadable::Unknown));
    }

    #[test]
    fn the_room_of_kv_caches_is_told_in_three_ways_and_adds_up_over_engines() {
        let capacity = |page: &str| told(page).map(|moment| moment.kv_capacity_tokens);
        for (page, expected) in [
            (
                "vllm:cache_config_info{kv_cache_size_tokens=\"512\",num_gpu_blocks=\"9\",block_size=\"16\"} 1\n",
                Some(512.0),
            ),
            (
                "vllm:cache_config_info{engine=\"0\",num_gpu_blocks=\"9\",block_size=\"16\"} 1\n\
                 vllm:cache_config_info{engine=\"1\",num_gpu_blocks=\"10\",block_size=\"16\"} 1\n",
                Some(304.0),
            ),
            ("sglang:max_total_num_tokens{tp_rank=\"0\"} 4096\n", Some(4096.0)),
            ("tgi_batch_max_total_tokens 133696\ntgi_queue_size 0\n", Some(133_696.0)),
            (
                "trtllm_kv_cache_max_blocks{model_name=\"m\"} 100\ntrtllm_kv_cache_tokens_per_block{model_name=\"m\"} 32\n",
                Some(3200.0),
            ),
            (
                "nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"max\"} 100\n\
                 nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type=\"tokens_per\"} 64\n",
                Some(6400.0),
            ),
            (
                "vllm:num_requests_running 1\nvllm:cache_config_info{num_gpu_blocks=\"None\",block_size=\"16\"} 1\n",
                None,
            ),
        ] {
            assert_eq!(capacity(page), Ok(expected), "{page}");
        }
    }

    #[test]
    fn what_was_asked_for_is_told_by_name_and_absent_where_one_replica_lacks_it() {
        let (one, two) = (
            "custom_depth{a=\"1\"} 2\ncustom_depth{a=\"2\"} 3\nother 1\n",
            "custom_depth 4\n",
        );
        let asked = ["custom_depth", "other"];
        let alone = moment([one.as_bytes()], &asked).unwrap().told;
        assert_eq!(alone, BTreeMap::from([("custom_depth", 5.0), ("other", 1.0)]));
        let both = moment([one.as_bytes(), two.as_bytes()], &asked).unwrap().told;
        assert_eq!(both, BTreeMap::from([("custom_depth", 9.0)]));
        assert_eq!(moment([one.as_bytes()], &[]), Err(Unreadable::Unknown));
    }

    #[test]
    fn pages_of_real_engines_are_read_whole() {
        let all = |tokens: f64, hits: f64| (Some(tokens), Some(hits));
        for folder in ["tests/data/engine", "../shared/data/engine"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            if !folder.exists() {
                eprintln!("skipped: there is no {}", folder.display());
                continue;
            }
            for (name, kv_used, preemptions, prefix, capacity) in [
                (
                    "vllm-0.32.0.metrics.txt",
                    Some(0.0),
                    Some(0.0),
                    all(31274.0, 128.0),
                    Some(524_288.0),
                ),
                (
                    "llama-server.metrics.txt",
                    None,
                    None,
                    all(6589.0 + 3290.0, 3290.0),
                    None,
                ),
            ] {
                let page = fs::read(folder.join(name)).unwrap();
                let moment = moment([page.as_slice()], &[]).unwrap();
                let counts = moment.counts;
                assert_eq!((moment.running, moment.waiting), (Some(0.0), Some(0.0)), "{name}");
                assert_eq!((moment.kv_used, counts.preemptions), (kv_used, preemptions), "{name}");
                assert_eq!((counts.prefix_queries, counts.prefix_hits), prefix, "{name}");
                assert_eq!(moment.kv_capacity_tokens, capacity, "{name}");
                let mut samples = 0;
                prometheus::read(&page, |_| samples += 1).unwrap();
                let text = String::from_utf8(page).unwrap();
                let written = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
                assert_eq!(samples, written.count(), "{name}");
            }
        }
    }
}
