"""Asserts on the files that perfgate wrote; prints what it saw, exits 1 at the first broken promise.

usage: check.py session SESSION.json SHOW.json REQUESTS REPEATS OUTPUT_TOKENS
       check.py verdict REPORT.json EXIT_CODE VERDICT…
       check.py blocked REPORT.json METRIC…
       check.py check REPORT.json METRIC VERDICT
"""

import json
import sys

INDICATORS = [
    "qps",
    "ttft_p50",
    "ttft_p95",
    "tpot_p50",
    "tpot_p95",
    "output_tokens_per_s",
    "gpu_memory_peak_gb",
    "gpu_utilization_pct",
]
GPU = {"gpu_memory_peak_gb", "gpu_utilization_pct"}


def demand(holds, text):
    if not holds:
        sys.exit(f"error: {text}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check_requests(session, requests, repeats, output_tokens):
    replaced = 0
    for cell in session["cells"]:
        demand(len(cell["runs"]) == repeats, f"{cell['name']}: {len(cell['runs'])} runs, not {repeats}")
        for run in cell["runs"]:
            records = run["requests"]
            demand(len(records) == requests, f"{cell['name']}: a run with {len(records)} requests, not {requests}")
            for record in records:
                # What is usual is left out of the file: a completed outcome, a count from `usage`.
                demand(record.get("outcome", "completed") == "completed", f"a request failed: {record}")
                demand(record.get("tokens_from", "usage") == "usage", f"tokens not from `usage`: {record}")
                demand(record["output_tokens"] == output_tokens, f"not {output_tokens} output tokens: {record}")
            replaced += run.get("replaced_connections", 0)
    return replaced


def check_metrics(show, requests, repeats):
    demand(show["cells"], "`show` lists no cell")
    for cell in show["cells"]:
        metrics = cell["metrics"]
        for key in INDICATORS:
            demand(key in metrics, f"{cell['cell']}: `{key}` is missing")
            metric = metrics[key]
            measured = metric["median"] is not None
            demand(measured or (key in GPU and metric.get("reason")), f"{cell['cell']}: `{key}` is {metric}")
            demand(not measured or metric["median"] > 0 or key in GPU, f"{cell['cell']}: `{key}` is {metric}")
        demand(metrics["completed"]["values"] == [requests] * repeats, f"completed: {metrics['completed']}")
        demand(metrics["failed"]["values"] == [0] * repeats, f"failed: {metrics['failed']}")
        figures = ", ".join(f"{key} {metrics[key]['median']}" for key in INDICATORS if key not in GPU)
        print(f"   {cell['cell']}: {figures}")


def session(session_path, show_path, requests, repeats, output_tokens):
    requests, repeats = int(requests), int(repeats)
    replaced = check_requests(read(session_path), requests, repeats, int(output_tokens))
    check_metrics(read(show_path), requests, repeats)
    print(f"   all requests completed; {replaced} dead pooled connections were replaced")


def verdict(report_path, exit_code, *expected):
    report = read(report_path)
    print(f"   {report['headline']}")
    demand(report["verdict"] in expected, f"the verdict is `{report['verdict']}`, not one of {expected}")
    demand(report["exit_code"] == int(exit_code), f"exit {exit_code}, but the report says {report['exit_code']}")


def blocked(report_path, *metrics):
    report = read(report_path)
    found = [c for c in report["checks"] if c["verdict"] == "regression" and c["action"] == "block"]
    named = {check["metric"] for check in found}
    demand(named & set(metrics), f"none of {metrics} blocks, but {sorted(named)}")
    for check in found:
        low, high = check["interval"]
        demand(low <= check["change"] <= high, f"the change is outside its interval: {check}")
        print(f"   {check['metric']} {check['change']:+.1%}, 90 % interval {low:+.1%} to {high:+.1%}")


def check(report_path, metric, expected):
    checks = [check for check in read(report_path)["checks"] if check["metric"] == metric]
    demand(checks, f"no check of `{metric}`")
    for found in checks:
        demand(found["verdict"] == expected, f"`{metric}` is `{found['verdict']}`, not `{expected}`: {found['reason']}")
        print(f"   {found['cell']}: {found['baseline']} to {found['candidate']}: {found['reason']}")


{"session": session, "verdict": verdict, "blocked": blocked, "check": check}[sys.argv[1]](*sys.argv[2:])
