"""Drives each tool against the server of known timing and prints a Markdown table; `run.sh` installs what it needs.

Everything a tool wrote, the server's stamps and all figures of all rounds stay in `peers/results` of the lab's folder.
"""

import argparse
import csv
import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time

import table
import tools
import tree

RESULTS = tools.LAB / "peers/results"
TIMEOUT_S = 300
QUIET_LOAD = 0.5


@dataclasses.dataclass(frozen=True)
class Load:
    """So many streams at once, each asking again when its answer ended, after one warm-up request a stream."""

    streams: int
    requests: int

    @property
    def warmup(self):
        return self.streams


def say(text):
    print(text, file=sys.stderr, flush=True)


def output_of(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def favoured(command):
    """A tool that takes both cores must not make the server late, so it goes first where that is permitted."""
    trial = subprocess.run(["nice", "-n", "-15", "true"], check=False, stderr=subprocess.PIPE)
    return command if trial.stderr else ["nice", "-n", "-15", *command]


def quantile(values, share):
    """Linear between neighbours, as numpy and all four tools have it."""
    ranked = sorted(values)
    position = (len(ranked) - 1) * share
    below = int(position)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (position - below)


class Watch(threading.Thread):
    """Notes the tool's CPU and memory when the server tells that the measured requests begin and end."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.cpu_s = {}
        self.peak_mb = 0
        self.start()

    def run(self):
        for line in self.server.stdout:
            self.cpu_s[line.strip()] = tree.cpu_s(self.server.pid)
            self.note_memory()

    def note_memory(self):
        self.peak_mb = max(self.peak_mb, tree.memory_mb(self.server.pid))


def drive(tool, url, load, folder, watch):
    """Runs the tool to its end; answers with the seconds it took."""
    command = tool.command(url, load, folder)
    (folder / "command.json").write_text(json.dumps(command, indent=1), encoding="utf-8")
    environment = os.environ | tool.environment
    started = time.monotonic()
    with open(folder / "output.txt", "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
        while process.poll() is None:
            time.sleep(0.25)
            # Reading the memory maps holds a process up: never while it streams.
            if "end" in watch.cpu_s:
                watch.note_memory()
            if time.monotonic() - started > TIMEOUT_S:
                process.kill()
    wall_s = time.monotonic() - started
    tree.end(watch.server.pid)
    if process.returncode != 0:
        sys.exit(f"error: {tool.name} exited with {process.returncode}; see {folder}/output.txt")
    return wall_s


def served(folder, load):
    """The measured requests by the server's own stamps; all of them whole, or it was other work."""
    with open(folder / "server.csv", encoding="utf-8", newline="") as file:
        rows = [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]
    tokens = {row["tokens"] for row in rows}
    if len(rows) != load.warmup + load.requests or tokens != {tools.OUTPUT_TOKENS}:
        sys.exit(f"error: {len(rows)} requests of {tokens} tokens were served; other work than asked: {folder}")
    return rows[load.warmup :]


def truth(rows):
    """What a perfect client would have reported, in milliseconds."""
    ttft_ms = [(row["first_sent_ns"] - row["read_ns"]) / 1e6 for row in rows]
    tpot_ms = [(row["last_sent_ns"] - row["first_sent_ns"]) / 1e6 / (row["tokens"] - 1) for row in rows]
    return {
        "ttft_p50_ms": quantile(ttft_ms, 0.5),
        "ttft_p99_ms": quantile(ttft_ms, 0.99),
        "tpot_p50_ms": quantile(tpot_ms, 0.5),
    }


def in_flight(rows):
    """How many requests the server had at once, on average from the first to the last."""
    busy_ns = sum(row["last_sent_ns"] - row["read_ns"] for row in rows)
    return busy_ns / (max(row["last_sent_ns"] for row in rows) - min(row["read_ns"] for row in rows))


def measure(tool, load, server_binary):
    """One run of one tool: what it reported beside the truth, and what it cost."""
    folder = RESULTS / f"{tool.name.replace(' ', '-')}-{load.streams}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [server_binary, str(load.warmup), str(load.requests), str(folder / "server.csv")]
    server = subprocess.Popen(favoured(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    launched_s = tree.cpu_s(server.pid)
    watch = Watch(server)
    wall_s = drive(tool, url, load, folder, watch)
    ended_s = tree.cpu_s(server.pid)
    server.stdin.close()
    server.wait()
    watch.join()
    rows = served(folder, load)
    true, reported = truth(rows), tool.reported(folder, output_of)
    begin_s, end_s = watch.cpu_s["begin"], watch.cpu_s["end"]
    millions = sum(row["tokens"] for row in rows) / 1e6
    return {
        "true": true,
        "reported": reported,
        "error": {name: reported[name] - true[name] for name in true},
        "in_flight": in_flight(rows),
        "streaming_cpu_s_per_million": (end_s - begin_s) / millions,
        "reported_cpu_s_per_million": (ended_s - begin_s) / millions,
        "startup_cpu_s": begin_s - launched_s,
        "memory_mb": watch.peak_mb,
        "wall_s": wall_s,
    }


def brief(figures):
    error, cost = figures["error"], figures["streaming_cpu_s_per_million"]
    return (
        f"TTFT P50 {error['ttft_p50_ms']:+.2f} ms, P99 {error['ttft_p99_ms']:+.2f} ms, "
        f"TPOT {error['tpot_p50_ms']:+.4f} ms, {cost:.1f} CPU-s per million tokens, {figures['wall_s']:.0f} s"
    )


def median(runs):
    """The median run, figure by figure."""
    if isinstance(runs[0], dict):
        return {name: median([run[name] for run in runs]) for name in runs[0]}
    return statistics.median(runs)


def arguments():
    parser = argparse.ArgumentParser(description="measure perfgate and its peers side by side")
    parser.add_argument("--perfgate", required=True, help="the release binary")
    parser.add_argument("--server", required=True, help="the server of known timing")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all tools; the median is shown")
    parser.add_argument("--tools", help="only these, by the first word of each name: `perfgate,vllm`")
    parser.add_argument("--streams", default="64,256", help="levels of concurrency")
    parser.add_argument("--quick", action="store_true", help="one answer a stream: does everything run at all")
    return parser.parse_args()


def loads(asked):
    """Four answers a stream and at least 512: about 8 s of streaming at 64 streams, 4 s at 256."""
    levels = [int(level) for level in asked.streams.split(",")]
    return [Load(level, level if asked.quick else max(4 * level, 512)) for level in levels]


def tools_of(asked):
    every = [tools.Perfgate(asked.perfgate), tools.VllmBench(), tools.Aiperf(), tools.InferencePerf()]
    names = asked.tools.split(",") if asked.tools else [tool.name.split()[0] for tool in every]
    return [tool for tool in every if tool.name.split()[0] in names]


def rounds(asked, chosen):
    """Every figure as {(streams, tool): [one a round]}; the tools take turns, so that a slow minute hits them all."""
    measured = {}
    for number in range(1, asked.rounds + 1):
        for load in loads(asked):
            for tool in chosen:
                figures = measure(tool, load, asked.server)
                measured.setdefault((load.streams, tool.name), []).append(figures)
                say(f"round {number} of {asked.rounds}, {load.streams} streams, {tool.name}: {brief(figures)}")
    return measured


def main():
    asked = arguments()
    load_average = os.getloadavg()[0]
    if load_average > QUIET_LOAD:
        say(f"warning: load average {load_average:.1f}: other programs run; their time is in the errors")
    tree.adopt_orphans()
    chosen = tools_of(asked)
    versions = {tool.name: tool.version(output_of) for tool in chosen}
    measured = rounds(asked, chosen)
    every = [{"streams": streams, "tool": name, "runs": runs} for (streams, name), runs in measured.items()]
    (RESULTS / "measured.json").write_text(json.dumps(every, indent=1), encoding="utf-8")
    print(table.conditions(asked.rounds, load_average, measured))
    print()
    print(table.figures({key: median(runs) for key, runs in measured.items()}, versions))
    print()
    print(table.definitions(chosen))


if __name__ == "__main__":
    main()
