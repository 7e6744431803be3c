//! How long 100 MB of another tool's results take to import, and how much memory: `cargo bench --bench import`.
//!
//! Of each format within 2 s and four times the file's size. The files are made here, in the shapes that the tools write.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
    time::Instant,
};

use perfgate::import::{Options, import};

/// Bytes of each file, about.
const BYTES: usize = 100 << 20;
/// Gaps of one answer.
const GAPS: u32 = 256;
/// Names the file to read in the child process: the peak memory there is that of one import alone.
const CHILD: &str = "PERFGATE_BENCH_IMPORT";

/// Makes the text of a file.
type Make = fn() -> String;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(path) = env::var_os(CHILD) {
        return read(Path::new(&path));
    }
    let dir = env::temp_dir().join(format!("perfgate-bench-{}", process::id()));
    fs::create_dir_all(&dir)?;
    let files: [(&str, Make); 4] = [
        ("aiperf.jsonl", aiperf),
        ("vllm.json", vllm),
        ("sglang.jsonl", sglang),
        ("perf_analyzer.json", perf_analyzer),
    ];
    let mut failed = false;
    for (name, make) in files {
        let path = dir.join(name);
        fs::write(&path, make())?;
        let status = Command::new(env::current_exe()?).env(CHILD, &path).status()?;
        failed |= !status.success();
        fs::remove_file(&path)?;
    }
    fs::remove_dir_all(&dir)?;
    if failed { Err("an import failed".into()) } else { Ok(()) }
}

fn read(path: &Path) -> Result<(), Box<dyn Error>> {
    let megabytes = fs::metadata(path)?.len() >> 20;
    let began = Instant::now();
    let found = import(&[PathBuf::from(path)], &Options::default())?;
    let seconds = began.elapsed().as_secs_f64();
    let requests: usize = found
        .session
        .cells
        .iter()
        .flat_map(|cell| &cell.runs)
        .map(perfgate::session::Run::sent)
        .sum();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    println!(
        "{name}: {megabytes} MiB, {requests} requests: {seconds:.3} s, peak RSS {}",
        peak_rss()
    );
    Ok(())
}

/// `VmHWM` of this process, where there is a `/proc`.
fn peak_rss() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |peak| peak.trim().into())
}

/// Gaps of one request in units of which `scale` make a second, as a list.
fn gaps(request: u32, scale: f64) -> String {
    let mut text = String::from("[");
    for gap in 0..GAPS {
        let seconds = 0.008 + f64::from((request * 7919 + gap * 104_729) % 9_973) * 1.234_567e-6;
        let comma = if gap == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{}", seconds * scale);
    }
    text.push(']');
    text
}

fn aiperf() -> String {
    let mut text = String::with_capacity(BYTES + 8192);
    let mut request = 0;
    while text.len() < BYTES {
        let begin = 1_795_301_224_818_970_843 + u64::from(request) * 12_345_678;
        let _ = writeln!(
            text,
            "{{\"metadata\":{{\"session_num\":{request},\"x_request_id\":\"86c6000c-f539-4d09-a02b-b92131e23f6b\",\"conversation_id\":\
             \"session_{request:06}\",\"turn_index\":0,\"request_start_ns\":{begin},\"request_end_ns\":{},\"worker_id\":\
             \"worker_7e572382\",\"benchmark_phase\":\"profiling\",\"was_cancelled\":false}},\"metrics\":{{\"request_latency\":{{\"value\":\
             3600.5,\"unit\":\"ms\"}},\"input_sequence_length\":{{\"value\":512,\"unit\":\"tokens\"}},\"time_to_first_token\":{{\"value\":\
             119.6,\"unit\":\"ms\"}},\"output_sequence_length\":{{\"value\":{},\"unit\":\"tokens\"}},\"inter_chunk_latency\":{{\"value\":{},\
             \"unit\":\"ms\"}}}}}}",
            begin + 3_600_500_000,
            GAPS + 1,
            gaps(request, 1e3)
        );
        request += 1;
    }
    text
}

/// The lists of a detailed result, as long as it takes to fill the file, and how many requests that are.
fn lists() -> (String, u32) {
    let mut itls = String::with_capacity(BYTES + 8192);
    let mut requests = 0;
    while itls.len() < BYTES {
        let comma = if requests == 0 { "" } else { ", " };
        let _ = write!(itls, "{comma}{}", gaps(requests, 1.0));
        requests += 1;
    }
    let list = |of: &dyn Fn(u32) -> String| (0..requests).map(of).collect::<Vec<_>>().join(", ");
    let text = format!(
        "\"input_lens\": [{}], \"output_lens\": [{}], \"ttfts\": [{}], \"itls\": [{itls}], \"generated_texts\": [{}], \"errors\": [{}]",
        list(&|_| "512".into()),
        list(&|_| (GAPS + 1).to_string()),
        list(&|request| (0.1 + f64::from(request) * 1e-6).to_string()),
        list(&|_| "\"a b c\"".into()),
        list(&|_| "\"\"".into()),
    );
    (text, requests)
}

fn vllm() -> String {
    let (lists, requests) = lists();
    let starts: Vec<String> = (0..requests)
        .map(|request| (2016.9 + f64::from(request) * 0.01).to_string())
        .collect();
    format!(
        "{{\"date\": \"20261121-224312\", \"backend\": \"openai-chat\", \"model_id\": \"tiny\", \"num_prompts\": {requests}, \
         \"request_rate\": \"inf\", \"max_concurrency\": 64, \"duration\": 100.5, \"completed\": {requests}, \"failed\": 0, \
         \"request_throughput\": 10.5, \"output_throughput\": 2700.5, {lists}, \"start_times\": [{}]}}",
        starts.join(", ")
    )
}

fn sglang() -> String {
    let (lists, requests) = lists();
    format!(
        "{{\"backend\": \"sglang\", \"dataset_name\": \"random\", \"request_rate\": Infinity, \"max_concurrency\": 64, \"duration\": 100.5, \
         \"completed\": {requests}, \"total_output_tokens\": 1, \"request_throughput\": 10.5, \"output_throughput\": 2700.5, {lists}}}\n"
    )
}

/// With the times of all chunks and, as its `profile_export.json` has them, the chunks themselves.
fn perf_analyzer() -> String {
    let mut text = String::with_capacity(BYTES + 65_536);
    text.push_str("{\"experiments\": [{\"experiment\": {\"mode\": \"concurrency\", \"value\": 64}, \"requests\": [");
    let mut request = 0_u32;
    while text.len() < BYTES {
        let begin = 1_795_301_430_000_000_000 + u64::from(request) * 12_345_678;
        let stamp = |chunk: u32| (begin + 119_600_000 + u64::from(chunk) * 8_123_456).to_string();
        let chunk = |_: u32| {
            "{\"response\": \"data: {\\\"choices\\\":[{\\\"delta\\\":{\\\"content\\\":\\\" a\\\"}}]}\"}".to_owned()
        };
        let list = |of: &dyn Fn(u32) -> String| (0..GAPS).map(of).collect::<Vec<_>>().join(", ");
        let comma = if request == 0 { "" } else { ", " };
        let _ = write!(
            text,
            "{comma}{{\"timestamp\": {begin}, \"request_inputs\": {{\"payload\": \"{{}}\"}}, \"response_timestamps\": [{}], \
             \"response_outputs\": [{}]}}",
            list(&stamp),
            list(&chunk)
        );
        request += 1;
    }
    text.push_str("], \"window_boundaries\": [1795301430000000000, 1795301830000000000]}], \"version\": \"2.60.0\", ");
    text.push_str("\"service_kind\": \"openai\", \"endpoint\": \"v1/chat/completions\"}");
    text
}
