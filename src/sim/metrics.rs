//! Counters and histograms as Prometheus text, with vLLM's names, labels and buckets.
//!
//! Times are engine times: what the model says, free of the machine's jitter.

use std::{collections::HashMap, fmt::Write as _};

use super::{
    driver::Request,
    scheduler::{Emission, Occupancy},
};

const TTFT_BUCKETS_S: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
];
const ITL_BUCKETS_S: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
];
const E2E_BUCKETS_S: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
];

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// The model came to an end.
    Stop,
    /// The token limit of the request was reached.
    Length,
}

impl Finish {
    /// As in `finish_reason`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

/// One histogram; `counts` has one entry a bucket, not yet summed up, and one for what is above them all.
#[derive(Debug)]
struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
    }
}

/// A request in the engine.
#[derive(Debug)]
struct Live {
    arrived_ns: u64,
    last_token_ns: Option<u64>,
    finish: Finish,
}

/// All that `/metrics` shows.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) occupancy: Occupancy,
    model_label: String,
    kv_blocks: u32,
    block_tokens: u32,
    live: HashMap<u64, Live>,
    prefix_queries: u64,
    prefix_hits: u64,
    prompt_tokens: u64,
    generation_tokens: u64,
    finished_stop: u64,
    finished_length: u64,
    finished_abort: u64,
    ttft: Histogram,
    itl: Histogram,
    e2e: Histogram,
}

impl Metrics {
    pub(super) fn new(model: &str, (kv_blocks, block_tokens): (u32, u32)) -> Self {
        Self {
            occupancy: Occupancy::default(),
            model_label: escaped(model),
            kv_blocks,
            block_tokens,
            live: HashMap::new(),
            prefix_queries: 0,
            prefix_hits: 0,
            prompt_tokens: 0,
            generation_tokens: 0,
            finished_stop: 0,
            finished_length: 0,
            finished_abort: 0,
            ttft: Histogram::new(TTFT_BUCKETS_S),
            itl: Histogram::new(ITL_BUCKETS_S),
            e2e: Histogram::new(E2E_BUCKETS_S),
        }
    }

    pub(super) fn arrived(&mut self, request: &Request) {
        self.prefix_queries += u64::from(request.prompt_tokens);
        self.prefix_hits += u64::from(request.cached_tokens);
        let live = Live {
            arrived_ns: request.arrived_ns,
            last_token_ns: None,
            finish: request.finish,
        };
        self.live.insert(request.id, live);
    }

    pub(super) fn prefilled(&mut self, tokens: u32) {
        self.prompt_tokens += u64::from(tokens);
    }

    pub(super) fn token(&mut self, emission: Emission, at_ns: u64) {
        self.generation_tokens += 1;
        let Some(live) = self.live.get_mut(&emission.id) else {
            return;
        };
        match live.last_token_ns.replace(at_ns) {
            Some(before_ns) => self.itl.observe(seconds(before_ns, at_ns)),
            None => self.ttft.observe(seconds(live.arrived_ns, at_ns)),
        }
        if !emission.last {
            return;
        }
        self.e2e.observe(seconds(live.arrived_ns, at_ns));
        match live.finish {
            Finish::Stop => self.finished_stop += 1,
            Finish::Length => self.finished_length += 1,
        }
        self.live.remove(&emission.id);
    }

    pub(super) fn aborted(&mut self, id: u64) {
        if self.live.remove(&id).is_some() {
            self.finished_abort += 1;
        }
    }

    /// The Prometheus text exposition.
    pub(super) fn text(&self) -> String {
        let mut page = Page {
            text: String::with_capacity(8192),
            model: &self.model_label,
        };
        let used = f64::from(self.occupancy.used_blocks) / f64::from(self.kv_blocks.max(1));
        let now = &self.occupancy;
        page.one(
            "num_requests_running",
            "gauge",
            "Number of requests in model execution batches.",
            &now.running,
        );
        page.one(
            "num_requests_waiting",
            "gauge",
            "Number of requests waiting to be processed.",
            &now.waiting,
        );
        page.one(
            "kv_cache_usage_perc",
            "gauge",
            "KV-cache usage. 1 means 100 percent usage.",
            &used,
        );
        let preemptions = "Cumulative number of preemption from the engine.";
        page.one("num_preemptions_total", "counter", preemptions, &now.preemptions);
        let queries = "Prefix cache queries, in terms of number of queried tokens.";
        page.one("prefix_cache_queries_total", "counter", queries, &self.prefix_queries);
        let hits = "Prefix cache hits, in terms of number of cached tokens.";
        page.one("prefix_cache_hits_total", "counter", hits, &self.prefix_hits);
        page.one(
            "prompt_tokens_total",
            "counter",
            "Number of prefill tokens processed.",
            &self.prompt_tokens,
        );
        let generation = "Number of generation tokens processed.";
        page.one(
            "generation_tokens_total",
            "counter",
            generation,
            &self.generation_tokens,
        );
        page.cache(self.kv_blocks, self.block_tokens);
        page.success(&[
            ("stop", self.finished_stop),
            ("length", self.finished_length),
            ("abort", self.finished_abort),
        ]);
        page.histogram("time_to_first_token_seconds", "time to first token", &self.ttft);
        page.histogram("inter_token_latency_seconds", "inter-token latency", &self.itl);
        page.histogram("e2e_request_latency_seconds", "e2e request latency", &self.e2e);
        page.text
    }
}

/// Prometheus text under way. Writing to a `String` cannot fail, so the results are dropped.
struct Page<'a> {
    text: String,
    model: &'a str,
}

impl Page<'_> {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP vllm:{name} {help}\n# TYPE vllm:{name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: &dyn std::fmt::Display) {
        self.head(name, kind, help);
        let _ = writeln!(
            self.text,
            "vllm:{name}{{engine=\"0\",model_name=\"{}\"}} {value}",
            self.model
        );
    }

    /// How the cache is set up stands in labels.
    fn cache(&mut self, blocks: u32, block_tokens: u32) {
        self.head("cache_config_info", "gauge", "Information of the LLMEngine CacheConfig");
        let tokens = u64::from(blocks) * u64::from(block_tokens);
        let _ = writeln!(
            self.text,
            "vllm:cache_config_info{{block_size=\"{block_tokens}\",engine=\"0\",kv_cache_size_tokens=\"{tokens}\",\
             num_gpu_blocks=\"{blocks}\"}} 1"
        );
    }

    fn success(&mut self, counts: &[(&str, u64)]) {
        self.head(
            "request_success_total",
            "counter",
            "Count of successfully processed requests.",
        );
        for (reason, count) in counts {
            let labels = format!(
                "engine=\"0\",finished_reason=\"{reason}\",model_name=\"{}\"",
                self.model
            );
            let _ = writeln!(self.text, "vllm:request_success_total{{{labels}}} {count}");
        }
    }

    fn histogram(&mut self, name: &str, what: &str, histogram: &Histogram) {
        self.head(name, "histogram", &format!("Histogram of {what} in seconds."));
        let bounds = histogram.bounds.iter().map(|bound| format!("{bound:?}"));
        let mut total = 0;
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&histogram.counts) {
            total += count;
            let labels = format!("engine=\"0\",le=\"{bound}\",model_name=\"{}\"", self.model);
            let _ = writeln!(self.text, "vllm:{name}_bucket{{{labels}}} {total}");
        }
        let labels = format!("engine=\"0\",model_name=\"{}\"", self.model);
        let _ = writeln!(self.text, "vllm:{name}_count{{{labels}}} {total}");
        let _ = writeln!(self.text, "vllm:{name}_sum{{{labels}}} {}", histogram.sum);
    }
}

/// A label value as the text format wants it.
fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^53 ns")]
fn seconds(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: u64, arrived_ns: u64) -> Request {
        Request {
            id,
            arrived_ns,
            prompt_tokens: 10,
            cached_tokens: 4,
            output_tokens: 3,
            finish: Finish::Length,
        }
    }

    fn token(metrics: &mut Metrics, id: u64, last: bool, at_ns: u64) {
        metrics.token(Emission { id, last }, at_ns);
    }

    #[test]
    fn a_request_is_counted_with_its_latencies() {
        let mut metrics = Metrics::new("tiny", (100, 16));
        metrics.arrived(&request(1, 1_000_000));
        metrics.prefilled(10);
        token(&mut metrics, 1, false, 9_000_000);
        token(&mut metrics, 1, false, 29_000_000);
        token(&mut metrics, 1, true, 301_000_000);
        metrics.occupancy.used_blocks = 25;
        let text = metrics.text();
        for line in [
            "# TYPE vllm:generation_tokens_total counter",
            r#"vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.25"#,
            r#"vllm:cache_config_info{block_size="16",engine="0",kv_cache_size_tokens="1600",num_gpu_blocks="100"} 1"#,
            r#"vllm:prefix_cache_queries_total{engine="0",model_name="tiny"} 10"#,
            r#"vllm:prefix_cache_hits_total{engine="0",model_name="tiny"} 4"#,
            r#"vllm:prompt_tokens_total{engine="0",model_name="tiny"} 10"#,
            r#"vllm:generation_tokens_total{engine="0",model_name="tiny"} 3"#,
            r#"vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"} 1"#,
            r#"vllm:time_to_first_token_seconds_bucket{engine="0",le="0.005",model_name="tiny"} 0"#,
            r#"vllm:time_to_first_token_seconds_bucket{engine="0",le="0.01",model_name="tiny"} 1"#,
            r#"vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="tiny"} 1"#,
            r#"vllm:time_to_first_token_seconds_sum{engine="0",model_name="tiny"} 0.008"#,
            r#"vllm:inter_token_latency_seconds_bucket{engine="0",le="0.025",model_name="tiny"} 1"#,
            r#"vllm:inter_token_latency_seconds_count{engine="0",model_name="tiny"} 2"#,
            r#"vllm:e2e_request_latency_seconds_bucket{engine="0",le="0.3",model_name="tiny"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_value_on_a_bucket_bound_belongs_to_the_bucket_and_one_above_all_to_inf() {
        let mut histogram = Histogram::new(ITL_BUCKETS_S);
        histogram.observe(0.01);
        histogram.observe(81.0);
        assert_eq!((histogram.counts[0], histogram.counts[ITL_BUCKETS_S.len()]), (1, 1));
    }

    #[test]
    fn an_aborted_request_is_counted_once_and_has_no_e2e_latency() {
        let mut metrics = Metrics::new("tiny", (100, 16));
        metrics.arrived(&request(1, 0));
        token(&mut metrics, 1, false, 1);
        metrics.aborted(1);
        metrics.aborted(1);
        let text = metrics.text();
        assert!(
            text.contains(r#"finished_reason="abort",model_name="tiny"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"e2e_request_latency_seconds_count{engine="0",model_name="tiny"} 0"#),
            "{text}"
        );
    }

    #[test]
    fn a_model_name_with_quotes_stays_one_label() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
