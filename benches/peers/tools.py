"""How each tool is told to do the same work, and where it says what it measured.

The flags are those that each tool's own documents name for exact, comparable runs: fixed lengths, `ignore_eos`, the
server's token counts, warm-up apart from the measured requests, no progress display.
"""

import json
import os
import pathlib

INPUT_TOKENS = 128
OUTPUT_TOKENS = 100
LAB = pathlib.Path(os.environ.get("PERFGATE_LAB", pathlib.Path.home() / ".cache/perfgate-lab"))
TOKENIZER = str(LAB / "model/tiny-llama")


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def installed_version(binary, distribution, output_of):
    """Asked of the environment, since starting the tool for it takes up to 20 s."""
    code = f"import importlib.metadata as metadata; print(metadata.version('{distribution}'))"
    return output_of([str(pathlib.Path(binary).with_name("python")), "-c", code]).strip()


class Perfgate:
    name = "perfgate"
    environment = {}
    meaning = "send to first non-empty token; (last token − first token) / (tokens − 1)"

    def __init__(self, binary):
        self.binary = binary

    def version(self, output_of):
        return output_of([self.binary, "--version"]).split()[1]

    def command(self, url, load, folder):
        return [
            self.binary,
            "run",
            f"--url={url}",
            "--api=completions",
            "--model=tiny",
            f"--concurrency={load.streams}",
            f"--requests={load.requests}",
            f"--warmup={load.warmup}",
            "--repeat=1",
            f"--input-tokens={INPUT_TOKENS}",
            "--tokenizer=words",
            f"--output-tokens={OUTPUT_TOKENS}",
            f"--output={folder / 'session.json'}",
            "--quiet",
        ]

    def reported(self, folder, output_of):
        shown = json.loads(output_of([self.binary, "show", "--format", "json", str(folder / "session.json")]))
        metrics = shown["cells"][0]["metrics"]
        return {f"{key}_ms": metrics[key]["median"] for key in ("ttft_p50", "ttft_p99", "tpot_p50")}


class VllmBench:
    name = "vllm bench serve"
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    meaning = "send to first chunk with `choices`; (latency − TTFT) / (tokens − 1)"
    binary = str(LAB / "venv-vllm/bin/vllm")

    def version(self, output_of):
        return installed_version(self.binary, "vllm", output_of)

    def command(self, url, load, folder):
        return [
            self.binary,
            "bench",
            "serve",
            "--backend=vllm",
            f"--base-url={url}",
            "--model=tiny",
            f"--tokenizer={TOKENIZER}",
            "--dataset-name=random",
            f"--random-input-len={INPUT_TOKENS}",
            f"--random-output-len={OUTPUT_TOKENS}",
            "--ignore-eos",
            f"--num-prompts={load.requests}",
            f"--max-concurrency={load.streams}",
            f"--num-warmups={load.warmup}",
            "--percentile-metrics=ttft,tpot",
            "--metric-percentiles=50,99",
            "--disable-tqdm",
            "--save-result",
            f"--result-dir={folder}",
            "--result-filename=result.json",
        ]

    def reported(self, folder, _output_of):
        result = read(folder / "result.json")
        keys = {"ttft_p50_ms": "p50_ttft_ms", "ttft_p99_ms": "p99_ttft_ms", "tpot_p50_ms": "p50_tpot_ms"}
        return {name: result[key] for name, key in keys.items()}


class Aiperf:
    name = "aiperf"
    # With HF_HUB_OFFLINE it takes no folder as a tokenizer.
    environment = {}
    meaning = "send to first non-empty response; its inter-token latency: (latency − TTFT) / (tokens − 1)"
    binary = str(LAB / "peers/aiperf/bin/aiperf")

    def version(self, output_of):
        return installed_version(self.binary, "aiperf", output_of)

    def command(self, url, load, folder):
        return [
            self.binary,
            "profile",
            f"--url={url}",
            "--model=tiny",
            "--endpoint-type=completions",
            "--streaming",
            f"--tokenizer={TOKENIZER}",
            f"--isl={INPUT_TOKENS}",
            "--isl-stddev=0",
            f"--osl={OUTPUT_TOKENS}",
            "--osl-stddev=0",
            "--extra-inputs=ignore_eos:true",
            "--use-server-token-count",
            f"--concurrency={load.streams}",
            f"--request-count={load.requests}",
            f"--warmup-request-count={load.warmup}",
            "--no-gpu-telemetry",
            "--no-server-metrics",
            "--ui=none",
            f"--artifact-dir={folder / 'artifacts'}",
        ]

    def reported(self, folder, _output_of):
        result = read(folder / "artifacts/profile_export_aiperf.json")
        ttft, itl = result["time_to_first_token"], result["inter_token_latency"]
        return {"ttft_p50_ms": ttft["p50"], "ttft_p99_ms": ttft["p99"], "tpot_p50_ms": itl["p50"]}


class InferencePerf:
    name = "inference-perf"
    environment = {"HF_HUB_OFFLINE": "1"}
    meaning = "send to first non-empty text; (last token − first token) / (tokens − 1)"
    binary = str(LAB / "peers/inference-perf/bin/inference-perf")

    def version(self, output_of):
        return installed_version(self.binary, "inference-perf", output_of)

    def command(self, url, load, folder):
        config = folder / "config.json"
        config.write_text(json.dumps(self.config(url, load, folder), indent=1), encoding="utf-8")
        return [self.binary, "--config_file", str(config)]

    def config(self, url, load, folder):
        """The first stage is the warm-up: it has none of its own, and measures each stage apart."""
        total = load.warmup + load.requests
        levels = [load.warmup, load.requests]
        lengths = {"type": "fixed", "total_count": total, "std_dev": 0}
        return {
            "api": {"type": "completion", "streaming": True},
            "data": {
                "type": "random",
                "input_distribution": lengths | {"mean": INPUT_TOKENS},
                "output_distribution": lengths | {"mean": OUTPUT_TOKENS},
            },
            "load": {
                "type": "concurrent",
                "stages": [{"num_requests": count, "concurrency_level": load.streams} for count in levels],
                "base_seed": 42,
            },
            "server": {"type": "vllm", "model_name": "tiny", "base_url": url, "ignore_eos": True},
            "tokenizer": {"pretrained_model_name_or_path": TOKENIZER},
            "report": {"request_lifecycle": {"use_server_output_tokens": True}},
            "storage": {"local_storage": {"path": str(folder / "reports")}},
        }

    def reported(self, folder, _output_of):
        latency = read(folder / "reports/stage_1_lifecycle_metrics.json")["successes"]["latency"]
        ttft, tpot = latency["time_to_first_token"], latency["time_per_output_token"]
        seconds = {"ttft_p50_ms": ttft["median"], "ttft_p99_ms": ttft["p99"], "tpot_p50_ms": tpot["median"]}
        return {name: value * 1000 for name, value in seconds.items()}
