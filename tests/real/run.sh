#!/usr/bin/env bash
# The gate against a server that nobody here wrote: llama.cpp's, with a tiny random model, on loopback.
#
#   run.sh PERFGATE_BINARY [FOLDER]
#
# 1. measured twice without a change, it must not block; 2. with one slot in place of eight, it must.
# Sessions and reports land in FOLDER (default: a temporary one, removed when all is well).
set -euo pipefail
# shellcheck source=tests/real/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PERFGATE=$(realpath "${1:?"run.sh PERFGATE_BINARY [FOLDER]"}")
KEEP=${2:-}
OUT=${KEEP:-$(mktemp -d)}
mkdir -p "$OUT"
OUT=$(realpath "$OUT")
cd "$OUT" # no perfgate.yaml of the repository may speak here
REQUESTS=200 REPEATS=5 TOKENS=32

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

serve() { "$HERE/llama-server.sh" start "$PORT" "$@"; }
stop() { "$HERE/llama-server.sh" stop "$PORT"; }
check() { python3 "$HERE/check.py" "$@"; }

# measure FILE: one session, whose requests and metrics must hold what was asked.
measure() {
    exits 0 -- "$PERFGATE" run "${PLAN[@]}" --output "$1.json"
    "$PERFGATE" show "$1.json" --format json >"$1.show.json"
    check session "$1.json" "$1.show.json" "$REQUESTS" "$REPEATS" "$TOKENS"
}

# same NAME: measures again without a change and compares; leaves the exit code in $status.
same() {
    measure "$1"
    exits 0 1 3 -- "$PERFGATE" compare base.json "$1.json" --report-dir "$1-report"
}

PORT=$(free_port)
DONE=
# The folder stays where something went wrong, and where it was asked for.
finish() {
    cd /
    stop
    [[ -z $DONE || -n $KEEP ]] || rm -rf "$OUT"
}
trap finish EXIT
# What every session shares; then what the gate's sessions share.
ASKED=(--url "http://127.0.0.1:$PORT" --model tiny --concurrency 8 --input-tokens 32 --output-tokens "$TOKENS" --quiet)
PLAN=("${ASKED[@]}" --api completions --requests "$REQUESTS" --warmup 20 --repeat "$REPEATS")

say "the server with eight slots"
serve --parallel 8

say "chat: a short run over the other API"
exits 0 -- "$PERFGATE" run "${ASKED[@]}" --api chat --requests 20 --warmup 4 --repeat 1 --output chat.json
"$PERFGATE" show chat.json --format json >chat.show.json
check session chat.json chat.show.json 20 1 "$TOKENS"

say "baseline"
measure base
# A shared machine may be too noisy for a history; here it need only serve once.
exits 0 -- "$PERFGATE" baseline save base.json --store baselines --force

say "the same again"
same again
if ((status == 1)); then
    # The machine is shared: a neighbour that came between the two sessions is a real change. Twice in a row is a fault.
    say "blocked without a change; once more"
    same again2
    ((status != 1)) || die "two sessions without a change were blocked in a row; see $OUT"
    check verdict again2-report/report.json "$status" pass improvement inconclusive
else
    check verdict again-report/report.json "$status" pass improvement inconclusive
fi

say "one slot in place of eight"
stop
serve --parallel 1
slow() { exits "$@" -- "$PERFGATE" gate "${PLAN[@]}" --store baselines --output slow.json --report-dir slow-report; }
slow 1 3
if ((status == 3)); then
    # One stored session knows little of this machine's drift; a busy minute may leave even this open.
    say "not settled; once more"
    slow 1
fi
check verdict slow-report/report.json 1 regression
check blocked slow-report/report.json tpot_p95 output_tokens_per_s

DONE=1
say "tests/real: all as promised"
