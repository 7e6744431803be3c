//! What engines call the same things on their pages of metrics: requests in work and waiting, KV cache, preemptions,
//! prefix-cache hits.
//!
//! Names change from version to version; each thing has a list of them, the newest first, and the first one that a page
//! has counts. A thing under none of its names is absent, never 0.

use super::prometheus::{self, NoMetrics, Sample};

/// What an engine says of itself at one moment; absent: its page does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moment {
    /// Share of the KV cache in use, 0 to 1; the fullest where there are several.
    pub(super) kv_used: Option<f64>,
    /// Requests in work.
    pub(super) running: Option<f64>,
    /// Requests that wait for their turn.
    pub(super) waiting: Option<f64>,
    /// Requests that were taken out of work again, since the engine started.
    pub(super) preemptions: Option<f64>,
    /// Prompt tokens that were looked up in the prefix cache, since the engine started.
    pub(super) prefix_queries: Option<f64>,
    /// Those that were found.
    pub(super) prefix_hits: Option<f64>,
}

/// A thing that engines have names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    KvUsed,
    Running,
    Waiting,
    Preemptions,
    PrefixQueries,
    PrefixHits,
    /// Prompt tokens that were not found in the prefix cache.
    PrefixMisses,
}

/// A thing, a name, and the label that a series of this name must have to mean it.
type Name = (Thing, &'static str, Option<(&'static str, &'static str)>);

const fn plain(thing: Thing, name: &'static str) -> Name {
    (thing, name, None)
}

/// Triton has one name for many things.
const fn triton(thing: Thing, name: &'static str, key: &'static str, value: &'static str) -> Name {
    (thing, name, Some((key, value)))
}

/// Of one engine the newest name first. Sources: vLLM 0.32 and llama.cpp b11434 as they run; the metrics pages of the
/// documentation of `SGLang`, TGI, TensorRT-LLM and its Triton backend; vLLM's names of before 0.10, llama.cpp's of before
/// its KV cache was unified.
const NAMES: [Name; 29] = [
    plain(Thing::KvUsed, "vllm:kv_cache_usage_perc"),
    plain(Thing::KvUsed, "vllm:gpu_cache_usage_perc"),
    plain(Thing::KvUsed, "sglang:token_usage"),
    plain(Thing::KvUsed, "trtllm_kv_cache_utilization"),
    plain(Thing::KvUsed, "llamacpp:kv_cache_usage_ratio"),
    triton(
        Thing::KvUsed,
        "nv_trt_llm_kv_cache_block_metrics",
        "kv_cache_block_type",
        "fraction",
    ),
    plain(Thing::Running, "vllm:num_requests_running"),
    plain(Thing::Running, "sglang:num_running_reqs"),
    plain(Thing::Running, "tgi_batch_current_size"),
    plain(Thing::Running, "trtllm_num_requests_running"),
    plain(Thing::Running, "llamacpp:requests_processing"),
    triton(
        Thing::Running,
        "nv_trt_llm_request_metrics",
        "request_type",
        "scheduled",
    ),
    plain(Thing::Waiting, "vllm:num_requests_waiting"),
    plain(Thing::Waiting, "sglang:num_queue_reqs"),
    plain(Thing::Waiting, "tgi_queue_size"),
    plain(Thing::Waiting, "trtllm_num_requests_waiting"),
    plain(Thing::Waiting, "llamacpp:requests_deferred"),
    triton(Thing::Waiting, "nv_trt_llm_request_metrics", "request_type", "waiting"),
    plain(Thing::Preemptions, "vllm:num_preemptions_total"),
    plain(Thing::Preemptions, "sglang:num_retracted_requests_total"),
    plain(Thing::Preemptions, "sglang:num_retracted_reqs_total"),
    plain(Thing::PrefixQueries, "vllm:prefix_cache_queries_total"),
    plain(Thing::PrefixQueries, "vllm:gpu_prefix_cache_queries_total"),
    plain(Thing::PrefixQueries, "sglang:prompt_tokens_total"),
    plain(Thing::PrefixHits, "vllm:prefix_cache_hits_total"),
    plain(Thing::PrefixHits, "vllm:gpu_prefix_cache_hits_total"),
    plain(Thing::PrefixHits, "sglang:cached_tokens_total"),
    plain(Thing::PrefixHits, "llamacpp:prompt_tokens_cached_total"),
    plain(Thing::PrefixMisses, "llamacpp:prompt_tokens_total"),
];

/// Why a server cannot be watched through its page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    NoMetrics(#[from] NoMetrics),
    #[error("the page has none of the metrics that perfgate knows of engines")]
    Unknown,
}

/// One moment of all replicas, of each its page: requests and counts add up, of KV caches the fullest counts.
///
/// What one replica does not tell is absent: the sum of the others would look like less work.
///
/// # Errors
/// A page that is none of metrics, or has none of an engine that is known here.
pub(super) fn moment<'a>(pages: impl IntoIterator<Item = &'a [u8]>) -> Result<Moment, Unreadable> {
    let mut all: Option<Moment> = None;
    for page in pages {
        let one = of_page(page)?;
        all = Some(all.map_or(one, |all| all.and(&one)));
    }
    all.filter(|moment| *moment != Moment::default())
        .ok_or(Unreadable::Unknown)
}

fn of_page(page: &[u8]) -> Result<Moment, NoMetrics> {
    let mut found = [None; NAMES.len()];
    prometheus::read(page, |sample| {
        for ((thing, name, label), place) in NAMES.iter().zip(&mut found) {
            if sample.name == *name && has(&sample, *label) && sample.value.is_finite() && sample.value >= 0.0 {
                *place = Some(joined(*thing, *place, sample.value));
            }
        }
    })?;
    let first = |wanted: Thing| {
        let mut all = NAMES.iter().zip(found).filter(|((thing, ..), _)| *thing == wanted);
        all.find_map(|(_, value)| value)
    };
    let prefix_hits = first(Thing::PrefixHits);
    let looked_up = || Some(first(Thing::PrefixMisses)? + prefix_hits?);
    Ok(Moment {
        kv_used: first(Thing::KvUsed),
        running: first(Thing::Running),
        waiting: first(Thing::Waiting),
        preemptions: first(Thing::Preemptions),
        prefix_queries: first(Thing::PrefixQueries).or_else(looked_up),
        prefix_hits,
    })
}

fn has(sample: &Sample<'_>, label: Option<(&str, &str)>) -> bool {
    label.is_none_or(|(key, value)| sample.label(key).as_deref() == Some(value))
}

/// Several series of one name are several engines behind one page.
fn joined(thing: Thing, before: Option<f64>, value: f64) -> f64 {
    match (thing, before) {
        (_, None) => value,
        (Thing::KvUsed, Some(before)) => before.max(value),
        (_, Some(before)) => before + value,
    }
}

impl Moment {
    fn and(&self, other: &Self) -> Self {
        let sum = |of: fn(&Self) -> Option<f64>| Some(of(self)? + of(other)?);
        Self {
            kv_used: self.kv_used.zip(other.kv_used).map(|(one, two)| one.max(two)),
            running: sum(|moment| moment.running),
            waiting: sum(|moment| moment.waiting),
            preemptions: sum(|moment| moment.preemptions),
            prefix_queries: sum(|moment| moment.prefix_queries),
            prefix_hits: sum(|moment| moment.prefix_hits),
        }
    }
}

/// How many requests servers hold, in work and waiting, by a page of each; `None` where one does not tell.
pub fn held_requests<'a>(pages: impl IntoIterator<Item = &'a [u8]>) -> Option<u32> {
    let moment = moment(pages).ok()?;
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
        moment([page.as_bytes()])
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
            preemptions: Some(4.0),
            prefix_queries: Some(100.0),
            prefix_hits: Some(40.0),
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
    fn llama_cpp_counts_what_was_not_in_its_cache() {
        let page = "llamacpp:prompt_tokens_total 60\nllamacpp:prompt_tokens_cached_total 40\n";
        let moment = told(page).unwrap();
        assert_eq!((moment.prefix_queries, moment.prefix_hits), (Some(100.0), Some(40.0)));
        let old = told("llamacpp:prompt_tokens_total 60\n");
        assert_eq!(old, Err(Unreadable::Unknown), "an old one tells nothing of its cache");
    }

    #[test]
    fn replicas_add_up_and_what_one_does_not_tell_is_absent() {
        let one = "vllm:num_requests_running 2\nvllm:kv_cache_usage_perc 0.5\nvllm:num_preemptions_total 1\n";
        let two = "vllm:num_requests_running 3\nvllm:kv_cache_usage_perc 0.25\n";
        let both = moment([one.as_bytes(), two.as_bytes()]).unwrap();
        let expected = Moment {
            running: Some(5.0),
            kv_used: Some(0.5),
            ..Moment::default()
        };
        assert_eq!(both, expected);
        let dead = moment([one.as_bytes(), b"<html>"]);
        assert_eq!(dead, Err(Unreadable::NoMetrics(NoMetrics::Html)));
        assert_eq!(moment([]), Err(Unreadable::Unknown));
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
            for (name, kv_used, preemptions, prefix) in [
                ("vllm-0.32.0.metrics.txt", Some(0.0), Some(0.0), all(31274.0, 128.0)),
                ("llama-server.metrics.txt", None, None, all(6589.0 + 3290.0, 3290.0)),
            ] {
                let page = fs::read(folder.join(name)).unwrap();
                let moment = moment([page.as_slice()]).unwrap();
                assert_eq!((moment.running, moment.waiting), (Some(0.0), Some(0.0)), "{name}");
                assert_eq!((moment.kv_used, moment.preemptions), (kv_used, preemptions), "{name}");
                assert_eq!((moment.prefix_queries, moment.prefix_hits), prefix, "{name}");
                let mut samples = 0;
                prometheus::read(&page, |_| samples += 1).unwrap();
                let text = String::from_utf8(page).unwrap();
                let written = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
                assert_eq!(samples, written.count(), "{name}");
            }
        }
    }
}
