//! Which engines take their memory at start, whatever their requests need: by the names on their pages of metrics, and by the
//! command of one that is started here.

use super::facts::Facts;
use crate::session::TAKES_MEMORY_AT_START;

/// How the series of such an engine begin, and what it is called.
///
/// Sources: vLLM `--gpu-memory-utilization` (0.9), `SGLang` `--mem-fraction-static`, TGI (all that is free after its warm-up),
/// TensorRT-LLM `free_gpu_memory_fraction` (0.9), also behind Triton and Dynamo, `LMDeploy` `--cache-max-entry-count` (0.8).
const SERIES: [(&str, &str); 7] = [
    ("vllm:", "vllm"),
    ("sglang:", "sglang"),
    ("tgi_", "tgi"),
    ("trtllm_", "tensorrt-llm"),
    ("trtllm:", "tensorrt-llm"),
    ("nv_trt_llm_", "tensorrt-llm"),
    ("lmdeploy:", "lmdeploy"),
];

/// What stands in the command of one: programs and modules, then flags that set the share.
const WORDS: [(&str, &str); 14] = [
    ("vllm", "vllm"),
    ("vllm.entrypoints", "vllm"),
    ("sglang", "sglang"),
    ("sglang.launch_server", "sglang"),
    ("text-generation-launcher", "tgi"),
    ("trtllm-serve", "tensorrt-llm"),
    ("lmdeploy", "lmdeploy"),
    ("--gpu-memory-utilization", "vllm"),
    ("--mem-fraction-static", "sglang"),
    ("--cuda-memory-fraction", "tgi"),
    ("--kv_cache_free_gpu_memory_fraction", "tensorrt-llm"),
    ("--free_gpu_memory_fraction", "tensorrt-llm"),
    ("--kv_cache_free_gpu_mem_fraction", "tensorrt-llm"),
    ("--cache-max-entry-count", "lmdeploy"),
];

/// The engine whose series this is, if it takes its memory at start.
pub(super) fn engine_of_series(name: &str) -> Option<&'static str> {
    let known = SERIES.iter().find(|(begin, _)| name.starts_with(begin));
    known.map(|(_, engine)| *engine)
}

/// What the command of a server states of it.
pub fn facts_of_command(command: &[String]) -> Facts {
    let engine = command
        .iter()
        .flat_map(|argument| words(argument))
        .find_map(engine_of_word);
    let fact = |engine: &str| (TAKES_MEMORY_AT_START.to_owned(), format!("{engine}, by its command"));
    engine.map(fact).into_iter().collect()
}

/// A shell's argument is a command of its own.
fn words(argument: &str) -> impl Iterator<Item = &str> {
    argument.split_ascii_whitespace()
}

fn engine_of_word(word: &str) -> Option<&'static str> {
    let word = word.split_once('=').map_or(word, |(flag, _)| flag);
    let program = word.rsplit('/').next().unwrap_or(word);
    let is = |known: &str| {
        word == known
            || program == known
            || (known.contains('.') && word.strip_prefix(known).is_some_and(|rest| rest.starts_with('.')))
    };
    WORDS.iter().find(|(known, _)| is(known)).map(|(_, engine)| *engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_command_however_it_is_wrapped() {
        for (command, expected) in [
            ("vllm serve m --port 8000", Some("vllm")),
            ("/opt/venv/bin/vllm serve m", Some("vllm")),
            ("python -m vllm.entrypoints.openai.api_server --model m", Some("vllm")),
            ("./serve.sh --gpu-memory-utilization=0.8", Some("vllm")),
            ("python3 -m sglang.launch_server --model-path m", Some("sglang")),
            ("./run --mem-fraction-static 0.85", Some("sglang")),
            ("text-generation-launcher --model-id m", Some("tgi")),
            (
                "trtllm-serve serve m --kv_cache_free_gpu_memory_fraction 0.8",
                Some("tensorrt-llm"),
            ),
            ("lmdeploy serve api_server m", Some("lmdeploy")),
            ("llama-server -m vllm.gguf", None),
            ("python server.py --model /models/vllm-tuned", None),
            ("perfgate sim --port 8000", None),
        ] {
            let plain: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let in_shell = ["sh", "-c", command].map(str::to_owned);
            for command in [&plain[..], &in_shell[..]] {
                let found = facts_of_command(command).remove(TAKES_MEMORY_AT_START);
                let expected = expected.map(|engine| format!("{engine}, by its command"));
                assert_eq!(found, expected, "{command:?}");
            }
        }
    }

    #[test]
    fn an_engine_is_known_by_its_series() {
        for (name, expected) in [
            ("vllm:num_requests_running", Some("vllm")),
            ("tgi_queue_size", Some("tgi")),
            ("nv_trt_llm_request_metrics", Some("tensorrt-llm")),
            ("trtllm:num_requests_running", Some("tensorrt-llm")),
            ("llamacpp:requests_processing", None),
            ("DCGM_FI_DEV_FB_USED", None),
        ] {
            assert_eq!(engine_of_series(name), expected, "{name}");
        }
    }
}
