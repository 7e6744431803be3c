//! How long a large trace of torch.profiler takes to read and to compare, and how much memory: `cargo bench --bench profile [TRACE]`.
//!
//! Without a trace one is made: 109,000 events, 35 MB. It must be read within 0.5 s and six times its size in memory, two compared
//! within 1.2 s.
#![expect(clippy::print_stdout, reason = "a bench prints its result")]

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf, process, time::Instant};

use perfgate::{op_table::diff::diff, profile};

const STEPS: u32 = 20;
const LAUNCHES: u32 = 1800;

fn main() -> Result<(), Box<dyn Error>> {
    let given = env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let (path, is_made) = match given {
        Some(path) => (PathBuf::from(path), false),
        None => (made()?, true),
    };
    let bytes = fs::metadata(&path)?.len();
    let began = Instant::now();
    let good = profile::read(&path)?;
    println!(
        "read one: {:.3} s, {:.1} MB, peak RSS {}",
        began.elapsed().as_secs_f64(),
        megabytes(bytes),
        peak_rss()
    );
    let began = Instant::now();
    let bad = profile::read(&path)?;
    let found = diff(&[good], &[bad])?;
    println!("read another and compare: {:.3} s", began.elapsed().as_secs_f64());
    if !found.is_same_structure() {
        return Err("a trace differs from itself".into());
    }
    if is_made {
        fs::remove_file(&path)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// `VmHWM` of this process, where there is a `/proc`.
fn peak_rss() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |peak| peak.trim().into())
}

/// Steps of operators that launch a kernel each, with names and shapes as long as real ones.
fn made() -> Result<PathBuf, Box<dyn Error>> {
    let mut text =
        String::from(r#"{"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "made up"}], "traceEvents": ["#);
    for step in 0..STEPS {
        let begin = step * 40_000;
        write!(
            text,
            r#"{{"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#{step}", "pid": 1, "tid": 1, "ts": {begin}.001, "dur": 39999, "args": {{}}}}"#
        )?;
        for launch in 0..LAUNCHES {
            let (id, at) = (step * LAUNCHES + launch, begin + 20 * launch);
            let name = launch % 40;
            write!(
                text,
                r#",{{"ph": "X", "cat": "cpu_op", "name": "aten::operator_{name}", "pid": 1, "tid": 1, "ts": {at}.125, "dur": 18.5, "args": {{"External id": {id}, "Record function id": 0, "Concrete Inputs": ["", "", "1", "False"], "Input type": ["c10::BFloat16", "c10::BFloat16", "Scalar", "Scalar"], "Input Strides": [[4096, 1], [1, 4096], [], []], "Input Dims": [[{name}, 4096], [4096, 11008], [], []], "Ev Idx": {id}}}}}"#
            )?;
            write!(
                text,
                r#",{{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 1, "ts": {at}.625, "dur": 3.5, "args": {{"External id": {id}, "cbid": 211, "correlation": {id}}}}}"#
            )?;
            write!(
                text,
                r#",{{"ph": "X", "cat": "kernel", "name": "void at::native::vectorized_elementwise_kernel<4, at::native::kernel_cuda_{name}(at::TensorIteratorBase&)::{{lambda(float)#1}}, std::array<char*, 2ul> >(int)", "pid": 0, "tid": 7, "ts": {at}.875, "dur": 15.25, "args": {{"External id": {id}, "queued": 0, "device": 0, "context": 1, "stream": 7, "correlation": {id}, "registers per thread": 32, "shared memory": 0, "blocks per SM": 1.5, "warps per SM": 12, "grid": [{name}, 1, 1], "block": [256, 1, 1], "est. achieved occupancy %": 20}}}}"#
            )?;
        }
        text.push_str(if step + 1 < STEPS { "," } else { "]}" });
    }
    let path = env::temp_dir().join(format!("perfgate-bench-{}.json", process::id()));
    fs::write(&path, text)?;
    Ok(path)
}
