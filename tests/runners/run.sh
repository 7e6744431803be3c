#!/usr/bin/env bash
# Real tools as runners against `perfgate sim`: run.sh [inference-perf] [aiperf] [vllm]; without a word all three.
#
# Alike servers must pass or stay open, a server that is 15 % slower must be a regression. Five to twenty minutes a tool, and
# 200 to 300 MB of wheels (vllm: 3 GB), kept under $PERFGATE_LAB. inference-perf needs Python 3.12: name one in $PYTHON.
# $PERFGATE names the binary, $KEEP a folder for sessions, reports and what the tools wrote. Not part of .ci/run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/real/common.sh
source "$here/../real/common.sh"
cd "$here/../.."

binary=${PERFGATE:-target/release/perfgate}
[[ -x $binary ]] || cargo build --release --locked
binary=$(realpath "$binary")
model
work=${KEEP:-$(mktemp -d)}
mkdir -p "$work"
work=$(realpath "$work")
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null || true
    [[ -n ${KEEP:-} ]] || rm -rf "$work"
}
trap finish EXIT

# engine NAME ARGUMENT…: an embedded engine; its address is in $work/NAME.url. A token every 10 ms, beside which the time
# that a tool in Python takes for one is small.
engine() {
    local name=$1
    shift
    : >"$work/$name.log"
    "$binary" sim --port 0 --decode-step-us 10000 "$@" >"$work/$name.log" &
    pids+=($!)
    for _ in $(seq 100); do
        grep --only-matching --max-count=1 'http://[^ ]*' "$work/$name.log" >"$work/$name.url" && return
        sleep 0.1
    done
    die "the engine $name said no address"
}

# gate TOOL CANDIDATE: the gate's exit code.
gate() {
    local tool=$1 candidate=$2 code=0
    local option=--tokenizer
    [[ $tool == inference-perf ]] && option=--tokenizer.pretrained_model_name_or_path
    (
        cd "$work"
        export PATH="$LAB/venv-$tool/bin:$PATH" VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
        # aiperf takes a folder for a name on the hub where it is told to be offline.
        [[ $tool == aiperf ]] || export HF_HUB_OFFLINE=1
        # inference-perf has no words for a warm-up.
        warmup=(--warmup 8)
        if [[ $tool == inference-perf ]]; then warmup=(); fi
        "$binary" gate --ab --runner "$tool" "--runner-args=$option $LAB/model/tiny-llama" --baseline-url "$(<base.url)" \
            --candidate-url "$(<"$candidate.url")" --model sim --api completions --concurrency 4 --requests 240 "${warmup[@]}" \
            --input-tokens 64 --output-tokens 32 --gate gpu_memory_peak_gb=off --max-minutes 20 --store "$tool-$candidate-store" \
            --report-dir "$tool-$candidate" --output "$tool-$candidate.json" --quiet >"$tool-$candidate.txt"
    ) || code=$?
    return "$code"
}

# row TOOL CANDIDATE CODE: what came of it, in one line.
row() {
    python3 - "$work/$1-$2" "$1 against $2" "$3" <<'PYTHON'
import json, sys
folder, name, code = sys.argv[1:]
report = json.load(open(f"{folder}/report.json"))
runs = json.load(open(f"{folder}.json"))["cells"][0]["runs"]
checks = [check for check in report["checks"] if check["action"] == "block" and check["change"] is not None]
told = ", ".join(f"{check['metric']} {check['change']:+.1%} {check['verdict']}" for check in checks)
print(f"{name}: exit {code}, {report['verdict']} after {len(runs)} pairs; {told}", flush=True)
PYTHON
}

# expect CODES TOOL CANDIDATE
expect() {
    local code=0
    gate "$2" "$3" || code=$?
    [[ " $1 " == *" $code "* ]] || { cat "$work/$2-$3.txt" >&2; die "$2 against $3: exit $code, not one of $1"; }
    row "$2" "$3" "$code"
}

install() {
    case $1 in
    inference-perf) locked venv "$LAB/venv-inference-perf" inference-perf==0.7.0 ;;
    aiperf) locked venv "$LAB/venv-aiperf" aiperf==0.13.0 ;;
    vllm) "$here/../real/vllm.sh" install ;;
    *) die "no tool is called $1" ;;
    esac
}

engine base
engine alike
engine slower --slow ttft=15%,tpot=15%
(($#)) || set -- inference-perf aiperf vllm
for tool in "$@"; do
    install "$tool"
    expect "0 3" "$tool" alike
    expect "1" "$tool" slower
done
say "tests/runners/run.sh: all as promised"
