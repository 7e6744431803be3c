//! Results of `vllm bench latency` and `vllm bench throughput`: the engine alone, without a server.

use std::path::Path;

use serde::Deserialize;

use crate::{
    import::{
        ImportError,
        detect::Folder,
        json::{self, Num},
        run::{ForeignRun, Told, bad},
        samples::Samples,
    },
    metric::Metric,
    plan::{Api, Load},
};

#[derive(Deserialize)]
struct Latency {
    latencies: Vec<f64>,
}

#[derive(Deserialize)]
struct Throughput {
    elapsed_time: Num,
    num_requests: Num,
    requests_per_second: Num,
    /// Of prompts and answers together.
    #[serde(default)]
    total_num_tokens: Num,
}

/// One run a file: each iteration of the batch is a request.
pub(in crate::import) fn read_latency(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let runs = folder.files.iter().map(|part| {
        let found: Latency = json::one(&part.path, folder.bytes(part)?)?;
        let mut samples = Samples::default();
        for (at, seconds) in found.latencies.iter().enumerate() {
            if !(*seconds > 0.0 && seconds.is_finite()) {
                let key = format!("latencies[{at}]");
                return Err(bad(
                    &part.path,
                    &key,
                    format!("is `{seconds}`; give seconds above zero"),
                ));
            }
            samples.e2e_ms.push(seconds * 1e3);
        }
        let iterations = count_of(found.latencies.len());
        let mut told = Told::of(&part.path, ("latencies", iterations), Some(("failed", 0.0)))?;
        samples.tell(&mut told);
        let mut run = offline(&part.path, ("vllm bench latency", "vllm-latency/1"), told);
        run.ask("iterations", Some(&iterations));
        Ok(run)
    });
    runs.collect()
}

/// One run a file.
pub(in crate::import) fn read_throughput(folder: &Folder<'_>) -> Result<Vec<ForeignRun>, ImportError> {
    let runs = folder.files.iter().map(|part| {
        let found: Throughput = json::one(&part.path, folder.bytes(part)?)?;
        let requests = found.num_requests.finite();
        let requests = requests.ok_or_else(|| bad(&part.path, "num_requests", "is missing".into()))?;
        if !found.elapsed_time.finite().is_some_and(|seconds| seconds > 0.0) {
            return Err(bad(&part.path, "elapsed_time", "is no time above zero".into()));
        }
        let mut told = Told::of(&part.path, ("num_requests", requests), Some(("failed", 0.0)))?;
        let qps = (Metric::Qps, found.requests_per_second.finite(), 0);
        told.figure(&part.path, "requests_per_second", qps)?;
        let mut run = offline(&part.path, ("vllm bench throughput", "vllm-throughput/1"), told);
        run.ask("num_requests", Some(&requests));
        run.ask("total_num_tokens", found.total_num_tokens.finite().as_ref());
        Ok(run)
    });
    runs.collect()
}

fn offline(path: &Path, (tool, definitions): (&str, &'static str), told: Told) -> ForeignRun {
    // How many prompts the engine had at once is not in the file.
    let mut run = ForeignRun::new(path, tool, definitions, Load::Concurrency(1));
    (run.api, run.streaming) = (Api::Completions, false);
    run.workload = tool.replace(' ', "-");
    run.run.stated = told.stated();
    run.notes.push(format!(
        "`{tool}` does not say which model it ran, nor with how many prompts at once: that both arms did the same is for you to know"
    ));
    run
}

#[expect(clippy::cast_precision_loss, reason = "a file holds fewer entries than 2^52")]
const fn count_of(entries: usize) -> f64 {
    entries as f64
}
