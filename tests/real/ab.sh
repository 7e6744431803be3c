#!/usr/bin/env bash
# A/B gates on this machine, for a quiet hour: how often A against A blocks, and how many pairs a planted change takes.
#
#   ab.sh PERFGATE_BINARY [GATES] [FOLDER]
#
# GATES A/A gates (default 20) and GATES/4 gates of a candidate whose TPOT is 10 % longer, each with 20 blocks a pair and with
# whole runs, on the embedded engine; then llama.cpp's server against itself, and against itself with 2 slots in place of 8, as
# two launched arms, one at a time and together. Prints one row a kind. About 2 minutes a gate on 2 cores; not part of .ci/run.
# $ROWS, a regular expression, picks rows by their kind.
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PERFGATE=$(realpath "${1:?"ab.sh PERFGATE_BINARY [GATES] [FOLDER]"}")
GATES=${2:-20}
OUT=${3:-$(mktemp -d)}
mkdir -p "$OUT"
cd "$OUT" # no perfgate.yaml of the repository may speak here
LLAMA=$LAB/llama/build/bin/llama-server
SIM="$PERFGATE sim --port {port} --decode-step-us 2500"
PLAN=(--concurrency 8 --requests 200 --warmup 20 --input-tokens 64 --output-tokens 24..40 --quiet)

# row KIND COUNT ARGUMENT…: so many gates; how they ended, and after how many pairs.
row() {
    local kind=$1 count=$2 name status
    shift 2
    [[ $kind =~ ${ROWS:-.} ]] || return 0
    name=${kind//[^a-zA-Z0-9]/-}
    for ((gate = 1; gate <= count; gate++)); do
        status=0
        "$PERFGATE" gate --ab "${PLAN[@]}" "$@" --store "$name-store" --output "$name-$gate.json" \
            --report-dir "$name-$gate" >/dev/null 2>"$name-$gate.err" || status=$?
        ((status == 0 || status == 1 || status == 3)) || { cat "$name-$gate.err" >&2; die "$kind: exit $status"; }
    done
    python3 - "$kind" "$name" "$count" <<'PYTHON'
import json, statistics, sys
kind, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
verdicts, pairs, seconds, again = {}, [], [], 0
for gate in range(1, count + 1):
    session = json.load(open(f"{name}-{gate}.json"))
    verdict = json.load(open(f"{name}-{gate}/report.json"))["verdict"]
    verdicts[verdict] = verdicts.get(verdict, 0) + 1
    runs = session["cells"][0]["runs"]
    pairs.append(len(runs))
    again += len(session["pairing"].get("remeasured", []))
words = ", ".join(f"{n} {verdict}" for verdict, n in sorted(verdicts.items()))
print(f"| {kind} | {count} | {words} | {statistics.mean(pairs):.1f} ({min(pairs)}–{max(pairs)}) | {again} |", flush=True)
PYTHON
}

# both KIND COUNT BASELINE CANDIDATE ARGUMENT…: servers that are up at once, in blocks and in whole runs.
both() {
    local kind=$1 count=$2 baseline=$3 candidate=$4
    shift 4
    row "$kind, 20 blocks" "$count" --baseline-command "$baseline" --candidate-command "$candidate" --arms-together "$@"
    row "$kind, whole runs" "$count" --baseline-command "$baseline" --candidate-command "$candidate" --arms-together \
        --blocks off "$@"
}

few=$(((GATES + 3) / 4))
printf '| arms | gates | verdicts | pairs (range) | measured again |\n|-|-|-|-|-|\n'
both "sim, A against A" "$GATES" "$SIM --seed 1" "$SIM --seed 2"
both "sim, TPOT +10 %" "$few" "$SIM --seed 1" "$SIM --seed 2 --slow tpot=10%"
if [[ -x $LLAMA ]]; then
    llama="$LLAMA --model $LAB/model/tiny-llama.gguf --alias tiny --host 127.0.0.1 --port {port} --ctx-size 8192 --threads 1 --metrics"
    both "llama-server, A against A" "$GATES" "$llama -np 8" "$llama -np 8"
    row "llama-server, A against A, one at a time" "$few" --baseline-command "$llama -np 8" --candidate-command "$llama -np 8"
    both "llama-server, 2 slots for 8" "$few" "$llama -np 8" "$llama -np 2"
    row "llama-server, 2 slots for 8, one at a time" "$few" --baseline-command "$llama -np 8" \
        --candidate-command "$llama -np 2"
else
    say "no llama-server: tests/real/llama-server.sh install builds it"
fi
say "sessions and reports: $OUT"
