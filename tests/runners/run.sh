#!/usr/bin/env bash
# Real tools as runners against `perfgate sim`: run.sh [inference-perf] [aiperf] [vllm]; without a word the first two.
# Alike servers must pass or stay open, a server that is 15 % slower must be a regression. About five minutes a tool, and
# 200 to 300 MB of wheels (vllm: 3 GB), kept under $PERFGATE_LAB. inference-perf needs Python 3.12: name one in $PYTHON.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/real/common.sh
source "$here/../real/common.sh"
cd "$here/../.."

binary=${PERFGATE:-target/release/perfgate}
[[ -x $binary ]] || cargo build --release --locked
binary=$(realpath "$binary")
model
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

# engine NAME ARGUMENT…: an embedded engine; its address is in $work/NAME.url.
engine() {
    local name=$1
    shift
    "$binary" sim --port 0 "$@" >"$work/$name.log" &
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
        export PATH="$LAB/venv-$tool/bin:$PATH"
        [[ $tool == aiperf ]] || export HF_HUB_OFFLINE=1
        # inference-perf has no words for a warm-up.
        warmup=(--warmup 8)
        if [[ $tool == inference-perf ]]; then warmup=(); fi
        "$binary" gate --ab --runner "$tool" "--runner-args=$option $LAB/model/tiny-llama" --baseline-url "$(<base.url)" \
            --candidate-url "$(<"$candidate.url")" --model sim --api completions --concurrency 4 --requests 240 "${warmup[@]}" \
            --input-tokens 64 --output-tokens 32 --gate gpu_memory_peak_gb=off --report-dir "$tool-$candidate" \
            --output "$tool-$candidate.json" >"$tool-$candidate.txt"
    ) || code=$?
    printf '%s against %s: exit %d\n' "$tool" "$candidate" "$code" >&2
    return "$code"
}

# expect CODES TOOL CANDIDATE
expect() {
    local code=0
    gate "$2" "$3" || code=$?
    [[ " $1 " == *" $code "* ]] || { cat "$work/$2-$3.txt"; die "$2 against $3: exit $code, not one of $1"; }
}

install() {
    case $1 in
    inference-perf) venv "$LAB/venv-inference-perf" inference-perf==0.7.0 ;;
    aiperf) venv "$LAB/venv-aiperf" aiperf==0.13.0 ;;
    vllm) [[ -x $LAB/venv-vllm/bin/vllm ]] || die "tests/real/vllm.sh installs vLLM" ;;
    *) die "no tool is called $1" ;;
    esac
}

engine base
engine alike
engine slower --slow ttft=15%,tpot=15%
(($#)) || set -- inference-perf aiperf
for tool in "$@"; do
    install "$tool"
    expect "0 3" "$tool" alike
    expect "1" "$tool" slower
done
